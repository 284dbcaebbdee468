extension CalendarExpression {
    /// The first elapse after `time`; `nil` where there is none up to the year 2199.
    ///
    /// Times are those of the zone that the expression names, else of `localZone`. On the days when clocks are changed:
    /// - Clocks set back show an hour twice: a time in it elapses the first time only. Where `time` already lies in
    ///   the second time, hours that are not named (`*`, `0/2`) elapse as the wall shows them, as with systemd.
    /// - Clocks set forward leave an hour out. A time in it elapses at the first moment after the gap where its hour is
    ///   named (`02:30`, `1..4:00`): systemd would skip it, and a backup must not be skipped. Several such times are one
    ///   elapse. Where the hour is `*` or a repetition the next is near, and nothing is added, as with systemd.
    public func next(after time: Timestamp, localZone: ZoneRules) -> Timestamp? {
        let zone = namedZone ?? localZone
        // The language knows no time before 1970.
        let time = max(time, Timestamp(microseconds: -1))
        // One microsecond later on the wall, not one later in time: right before a change these are not the same.
        var wall = CivilTime(microseconds: zone.civilTime(at: time).microseconds + 1)
        if let repetitionEnd = zone.repetitionEnd(at: time) {
            if let match = matcher.first(from: wall, hours: matcher.hours & ~matcher.namedHours), match < repetitionEnd {
                let again = Timestamp(microseconds: time.microseconds + match.microseconds - wall.microseconds + 1)
                if zone.civilTime(at: again) == match { return again }
            }
            wall = repetitionEnd
        }
        while let match = matcher.first(from: wall, hours: matcher.hours) {
            let resolution = zone.resolve(match)
            guard let gapEnd = resolution.gapEnd, matcher.namedHours & (1 << UInt32(match.hour)) == 0 else {
                return resolution.time
            }
            // Nothing of this hour elapses in the gap; another hour in it may be named.
            let nextHour = match.microseconds.flooredQuotient(by: CivilTime.hour) * CivilTime.hour + CivilTime.hour
            wall = min(CivilTime(microseconds: nextHour), gapEnd)
        }
        return nil
    }
}

/// A calendar expression laid out for the search of the next match: a set of bits for each part of date and time.
/// It knows the wall only; zones are the business of ``CalendarExpression/next(after:localZone:)``.
struct CalendarMatcher: Hashable, Sendable {
    /// The last year of the language.
    static let lastYear = 2199
    static let firstYear = 1970

    /// The set of weekdays six times in a row, bit 0 a Monday: the 31 days of a month are a part of it.
    private let weekdayPattern: UInt64
    private let years: [CalendarComponent]
    /// Bits 1 to 12.
    private let months: UInt32
    /// Bits 1 to 31. Where ``daysCountFromEnd`` they are right for a month of 31 days and shifted for shorter ones.
    private let days: UInt32
    private let daysCountFromEnd: Bool
    /// Bits 0 to 23.
    let hours: UInt32
    /// Those of ``hours`` that are named one by one or in a range; none where they are all hours.
    let namedHours: UInt32
    /// Bits 0 to 59.
    private let minutes: UInt64
    /// In microseconds.
    private let seconds: [CalendarComponent]
    private let firstMinute: Int
    private let firstSecond: Int

    private static let allHours: UInt32 = 0xff_ffff
    private static let microsecondsInMinute = Int(CivilTime.minute)

    init(
        weekdays: WeekdaySet, years: [CalendarComponent], months: [CalendarComponent], days: [CalendarComponent],
        daysCountFromEnd: Bool, hours: [CalendarComponent], minutes: [CalendarComponent], seconds: [CalendarComponent]
    ) {
        weekdayPattern = (0..<6).reduce(0) { $0 | UInt64(weekdays.bits) << ($1 * 7) }
        self.years = years
        self.months = UInt32(Self.bits(of: months, 1...12))
        self.daysCountFromEnd = daysCountFromEnd
        self.days = daysCountFromEnd ? Self.daysFromEnd(days) : UInt32(Self.bits(of: days, 1...31))
        self.hours = UInt32(Self.bits(of: hours, 0...23))
        let named = hours.filter { $0.step == 0 || ($0.step == 1 && $0.last != nil) }
        let namedHours = named.isEmpty ? 0 : UInt32(Self.bits(of: named, 0...23))
        self.namedHours = namedHours == Self.allHours ? 0 : namedHours
        self.minutes = Self.bits(of: minutes, 0...59)
        self.seconds = seconds
        firstMinute = self.minutes.trailingZeroBitCount
        firstSecond = seconds.map(\.first).min() ?? 0
    }

    private static func bits(of list: [CalendarComponent], _ range: ClosedRange<Int>) -> UInt64 {
        if list.isEmpty { return range.reduce(0) { $0 | 1 << UInt64($1) } }
        var bits: UInt64 = 0
        for component in list {
            for value in component.values(upTo: range.upperBound) { bits |= 1 << UInt64(value) }
        }
        return bits
    }

    /// The days of a month of 31 that are so many days before its end, 1 the last.
    private static func daysFromEnd(_ list: [CalendarComponent]) -> UInt32 {
        var bits: UInt32 = 0
        for component in list {
            // `~7/1` goes forward in time, to the end of the month: the number gets smaller.
            let numbers =
                component.last == nil && component.step > 0
                ? stride(from: component.first, through: 1, by: -component.step)
                : component.values(upTo: 31)
            for number in numbers { bits |= 1 << UInt32(32 - number) }
        }
        return bits
    }

    /// The first match from `start` on, with no other hours than `hours`.
    func first(from start: CivilTime, hours: UInt32) -> CivilTime? {
        let today = start.daysSinceEpoch
        guard let day = firstDay(from: CivilDate(daysSinceEpoch: today)) else { return nil }
        if day == today {
            if let time = firstTime(from: start.timeOfDay, hours: hours) {
                return CivilTime(daysSinceEpoch: today, timeOfDay: time)
            }
            guard let later = firstDay(from: CivilDate(daysSinceEpoch: today + 1)) else { return nil }
            return firstTime(from: 0, hours: hours).map { CivilTime(daysSinceEpoch: later, timeOfDay: $0) }
        }
        return firstTime(from: 0, hours: hours).map { CivilTime(daysSinceEpoch: day, timeOfDay: $0) }
    }

    /// The first day from `start` on that matches, in days since the epoch.
    private func firstDay(from start: CivilDate) -> Int? {
        var year = start.year
        var month = start.month
        var day = start.day
        while let nextYear = firstYear(from: year) {
            if nextYear != year { (month, day) = (1, 1) }
            year = nextYear
            while let nextMonth = months.firstBit(from: month) {
                if nextMonth != month { day = 1 }
                let firstOfMonth = CivilDate(unchecked: year, month: nextMonth, day: 1).daysSinceEpoch
                if let match = matchingDays(of: nextMonth, year, firstOfMonth: firstOfMonth).firstBit(from: day) {
                    return firstOfMonth + match - 1
                }
                month = nextMonth + 1
                day = 1
            }
            (year, month, day) = (year + 1, 1, 1)
        }
        return nil
    }

    private func firstYear(from minimum: Int) -> Int? {
        guard minimum <= Self.lastYear else { return nil }
        if years.isEmpty { return minimum }
        return years.lazy.compactMap { $0.value(from: minimum, upTo: Self.lastYear) }.min()
    }

    /// The matching days of a month as bits 1 to 31.
    private func matchingDays(of month: Int, _ year: Int, firstOfMonth: Int) -> UInt32 {
        let length = CivilDate.daysInMonth(month, of: year)
        let inMonth: UInt32 = ((1 << UInt32(length)) &- 1) << 1
        let onWeekday = (weekdayPattern >> UInt64(CivilDate.weekday(daysSinceEpoch: firstOfMonth).rawValue)) << 1
        let days = daysCountFromEnd ? days >> UInt32(31 - length) : days
        return days & inMonth & UInt32(truncatingIfNeeded: onWeekday)
    }

    /// The first time of day from `start` on, in microseconds.
    private func firstTime(from start: Int64, hours: UInt32) -> Int64? {
        let hour = Int(start / CivilTime.hour)
        let minute = Int(start % CivilTime.hour / CivilTime.minute)
        if hours & (1 << UInt32(hour)) != 0 {
            if minutes & (1 << UInt64(minute)) != 0, let second = firstSecond(from: Int(start % CivilTime.minute)) {
                return time(hour, minute, second)
            }
            if let later = minutes.firstBit(from: minute + 1) { return time(hour, later, firstSecond) }
        }
        return hours.firstBit(from: hour + 1).map { time($0, firstMinute, firstSecond) }
    }

    private func firstSecond(from minimum: Int) -> Int? {
        seconds.lazy.compactMap { $0.value(from: minimum, upTo: Self.microsecondsInMinute - 1) }.min()
    }

    private func time(_ hour: Int, _ minute: Int, _ second: Int) -> Int64 {
        Int64(hour) * CivilTime.hour + Int64(minute) * CivilTime.minute + Int64(second)
    }
}

extension FixedWidthInteger {
    /// The number of the lowest bit that is set, from bit `start` on.
    func firstBit(from start: Int) -> Int? {
        let rest = self & (~0 << Self(truncatingIfNeeded: start))
        return start < Self.bitWidth && rest != 0 ? rest.trailingZeroBitCount : nil
    }
}
