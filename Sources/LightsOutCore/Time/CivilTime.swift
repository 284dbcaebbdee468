/// A day of the week, Monday first as in calendar expressions.
public enum Weekday: Int, CaseIterable, Hashable, Sendable {
    case monday, tuesday, wednesday, thursday, friday, saturday, sunday

    /// `Monday`: the long form of systemd.time(7).
    public var name: String { Self.names[rawValue] }

    /// `Mon`: the form that systemd prints.
    public var abbreviation: String { Self.abbreviations[rawValue] }

    /// The weekday that is named by the letters that `bytes` begin with, in the long form or the short one and in any
    /// case, and how many letters that are.
    static func named(at bytes: ArraySlice<UInt8>) -> (day: Weekday, length: Int)? {
        let word = bytes.prefix(10).prefix(while: \.isLetter)
        guard word.count >= 3 else { return nil }
        for day in allCases {
            for name in [day.abbreviation, day.name]
            where name.utf8.count == word.count && name.utf8.elementsEqual(word, by: { $0.lowercased == $1.lowercased }) {
                return (day, word.count)
            }
        }
        return nil
    }

    private static let names = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    private static let abbreviations = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
}

/// A date of the proleptic Gregorian calendar.
public struct CivilDate: Hashable, Comparable, Sendable {
    public let year: Int
    /// 1 to 12.
    public let month: Int
    /// 1 to 31.
    public let day: Int

    /// The date of these numbers, which must name one: `day` is there in `month`.
    init(unchecked year: Int, month: Int, day: Int) {
        self.year = year
        self.month = month
        self.day = day
    }

    /// The date of these numbers; `nil` where the calendar has none, and beyond the years 1 to 9999.
    public init?(year: Int, month: Int, day: Int) {
        guard (1...9999).contains(year), (1...12).contains(month),
            day >= 1, day <= Self.daysInMonth(month, of: year)
        else { return nil }
        self.init(unchecked: year, month: month, day: day)
    }

    /// The date so many days after 1970-01-01.
    ///
    /// Years are counted from March here and in ``daysSinceEpoch``: the leap day is then the last of its year, and the
    /// days before a month are a straight line.
    init(daysSinceEpoch days: Int) {
        let fromMarchOfYear0 = days + 719_468
        let cycle = fromMarchOfYear0.flooredQuotient(by: Self.daysInCycle)
        let dayOfCycle = fromMarchOfYear0 - cycle * Self.daysInCycle
        let yearOfCycle = (dayOfCycle - dayOfCycle / 1460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365
        let dayOfYear = dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfCycle + cycle * Self.yearsInCycle + (month <= 2 ? 1 : 0)
    }

    /// Days since 1970-01-01.
    var daysSinceEpoch: Int {
        let yearFromMarch = month <= 2 ? year - 1 : year
        let cycle = yearFromMarch.flooredQuotient(by: Self.yearsInCycle)
        let yearOfCycle = yearFromMarch - cycle * Self.yearsInCycle
        let monthFromMarch = month > 2 ? month - 3 : month + 9
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
        let dayOfCycle = yearOfCycle * 365 + yearOfCycle / 4 - yearOfCycle / 100 + dayOfYear
        return cycle * Self.daysInCycle + dayOfCycle - 719_468
    }

    public var weekday: Weekday { Self.weekday(daysSinceEpoch: daysSinceEpoch) }

    static func weekday(daysSinceEpoch days: Int) -> Weekday {
        // 1970-01-01 was a Thursday.
        Weekday(rawValue: (days + 3) - (days + 3).flooredQuotient(by: 7) * 7) ?? .monday
    }

    /// The Gregorian calendar, weekdays included, repeats after so many years and days.
    static let yearsInCycle = 400
    static let daysInCycle = 146_097

    static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    static func daysInMonth(_ month: Int, of year: Int) -> Int {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    public static func < (left: CivilDate, right: CivilDate) -> Bool {
        (left.year, left.month, left.day) < (right.year, right.month, right.day)
    }
}

extension CivilDate: CustomStringConvertible {
    /// `2026-11-24`.
    public var description: String {
        var text = ""
        text.append(year, width: 4)
        text += "-"
        text.append(month, width: 2)
        text += "-"
        text.append(day, width: 2)
        return text
    }
}

/// What a calendar and a clock on the wall show: a date and a time of day, of no zone. ``ZoneRules`` turn it into a
/// ``Timestamp`` and back.
///
/// It is a count of microseconds, as if every day had 24 hours, so that comparing and adding need no calendar.
public struct CivilTime: Hashable, Comparable, Sendable {
    /// Microseconds since the wall showed 1970-01-01 00:00.
    public let microseconds: Int64

    public init(microseconds: Int64) { self.microseconds = microseconds }

    public init(_ date: CivilDate, hour: Int = 0, minute: Int = 0, second: Int = 0, microsecond: Int = 0) {
        let seconds = date.daysSinceEpoch * 86_400 + hour * 3600 + minute * 60 + second
        microseconds = Int64(seconds) * 1_000_000 + Int64(microsecond)
    }

    init(daysSinceEpoch days: Int, timeOfDay: Int64) {
        microseconds = Int64(days) * Self.day + timeOfDay
    }

    public var date: CivilDate { CivilDate(daysSinceEpoch: daysSinceEpoch) }
    public var weekday: Weekday { CivilDate.weekday(daysSinceEpoch: daysSinceEpoch) }
    /// 0 to 23.
    public var hour: Int { Int(timeOfDay / Self.hour) }
    /// 0 to 59.
    public var minute: Int { Int(timeOfDay % Self.hour / Self.minute) }
    /// 0 to 59.
    public var second: Int { Int(timeOfDay % Self.minute / Self.second) }
    /// 0 to 999,999.
    public var microsecond: Int { Int(timeOfDay % Self.second) }

    var daysSinceEpoch: Int { Int(microseconds.flooredQuotient(by: Self.day)) }
    /// Microseconds since midnight.
    var timeOfDay: Int64 { microseconds - microseconds.flooredQuotient(by: Self.day) * Self.day }

    static let second: Int64 = 1_000_000
    static let minute = 60 * second
    static let hour = 60 * minute
    static let day = 24 * hour
    /// 400 years, after which dates and weekdays repeat.
    static let cycle = Int64(CivilDate.daysInCycle) * day

    public static func < (left: CivilTime, right: CivilTime) -> Bool { left.microseconds < right.microseconds }
}

extension FixedWidthInteger {
    /// The quotient rounded down, also below zero. `divisor` is above zero.
    func flooredQuotient(by divisor: Self) -> Self {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
