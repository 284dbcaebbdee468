/// When something is to happen, again and again: an expression of systemd's `OnCalendar=` language (systemd.time(7),
/// "Calendar events"), such as `Mon..Fri 02:30 Europe/Berlin`.
///
/// ```swift
/// let nights = try CalendarExpression("Mon..Fri 02:30")
/// nights.description                       // Mon..Fri *-*-* 02:30:00
/// nights.next(after: now, localZone: zone)
/// ```
///
/// What systemd 252 accepts is accepted, means the same and is written the same, but for this:
/// - An elapse that falls into the hour that a clock change leaves out is not lost: see ``next(after:localZone:)``.
/// - Nor are those that systemd steps over although systemd.time(7) promises them: after midnight, or at the beginning of
///   a month or year, where a repetition does not divide evenly (`*:0/7` at 00:00; systemd issues 22665 and 40260); in
///   the rest of an hour into whose middle the clock was set forward; on the day of a change in zones whose winter is
///   the time that is "saved" (`Europe/Dublin`). And no search is given up after 1,000 steps.
/// - Abbreviations of the local zone (`02:30 CEST`) are refused. systemd takes them, and then stops elapsing for half
///   of the year. `CET`, `EST` and the like are also names of zones and are taken as these.
/// - Zones that count leap seconds (`right/Europe/Berlin`) are refused: the system's clock does not count them.
/// - `@` with a time before 1970 is refused, and so is `@-0`; systemd takes some as years of this century.
/// - A list of seconds that holds every second and parts of seconds (`0/1,10.5`) is written as it is: systemd writes `*`,
///   which loses the parts.
public struct CalendarExpression: Hashable, Sendable {
    let weekdays: WeekdaySet
    /// Empty lists stand for `*`.
    let years: [CalendarComponent]
    let months: [CalendarComponent]
    let days: [CalendarComponent]
    /// Whether ``days`` count from the end of the month: `~`.
    let daysCountFromEnd: Bool
    let hours: [CalendarComponent]
    let minutes: [CalendarComponent]
    /// In microseconds; never empty.
    let seconds: [CalendarComponent]
    let zone: Zone

    /// The lists above, laid out for the search.
    let matcher: CalendarMatcher

    enum Zone: Hashable, Sendable {
        case local
        case utc
        case named(ZoneRules)
    }

    /// Reads an expression.
    /// - Throws: ``CalendarExpressionError``, which says what is wrong with which part, and what would be right.
    public init(_ text: String, zones: ZoneDatabase = .system) throws(CalendarExpressionError) {
        self = try CalendarExpressionParser.parse(text, zones: zones)
    }

    init(
        weekdays: WeekdaySet = .all, years: [CalendarComponent] = [], months: [CalendarComponent] = [],
        days: [CalendarComponent] = [], daysCountFromEnd: Bool = false, hours: [CalendarComponent] = [],
        minutes: [CalendarComponent] = [], seconds: [CalendarComponent] = [.single(0)], zone: Zone
    ) {
        self.weekdays = weekdays
        self.years = years
        self.months = months
        self.days = days
        self.daysCountFromEnd = daysCountFromEnd && !days.isEmpty
        self.hours = hours
        self.minutes = minutes
        self.seconds = seconds
        self.zone = zone
        matcher = CalendarMatcher(
            weekdays: weekdays, years: years, months: months, days: days, daysCountFromEnd: self.daysCountFromEnd,
            hours: hours, minutes: minutes, seconds: seconds)
    }

    /// The zone that the expression names; `nil` where it means local time.
    public var namedZone: ZoneRules? {
        switch zone {
        case .local: nil
        case .utc: .utc
        case .named(let rules): rules
        }
    }
}

/// Days of the week.
struct WeekdaySet: Hashable, Sendable {
    /// Bit 0 is Monday.
    private(set) var bits: UInt8

    static let none = WeekdaySet(bits: 0)
    static let all = WeekdaySet(bits: 0x7f)

    func contains(_ day: Weekday) -> Bool { bits & (1 << UInt8(day.rawValue)) != 0 }
    mutating func insert(_ day: Weekday) { bits |= 1 << UInt8(day.rawValue) }
}

/// One item of a list of values: `5`, `5..9`, `5/2` or `5..9/2`.
struct CalendarComponent: Hashable, Sendable {
    var first: Int
    /// The end of the range; `nil` where there is none.
    var last: Int?
    /// From value to value: 0 where there is but one.
    var step: Int

    static func single(_ value: Int) -> CalendarComponent { CalendarComponent(first: value, last: nil, step: 0) }

    /// Moves the end of the range to its last value: `1..6/2` is `1..5/2`, and `1..2/5` is `1`.
    mutating func trimRange() {
        guard let end = last, end >= first else { return }
        last = end - (end - first) % step
        if last == first { self = .single(first) }
    }

    /// The smallest value from `minimum` on, if it is not above `limit`.
    func value(from minimum: Int, upTo limit: Int) -> Int? {
        let value: Int
        if first >= minimum {
            value = first
        } else if step > 0 {
            value = first + (minimum - first + step - 1) / step * step
        } else {
            return nil
        }
        return value <= min(last ?? limit, limit) ? value : nil
    }

    /// The values, none above `limit`.
    func values(upTo limit: Int) -> StrideThrough<Int> {
        stride(from: first, through: step == 0 ? first : min(last ?? limit, limit), by: max(step, 1))
    }
}

extension CalendarComponent: Comparable {
    static func < (left: CalendarComponent, right: CalendarComponent) -> Bool {
        (left.first, left.last ?? -1, left.step) < (right.first, right.last ?? -1, right.step)
    }
}
