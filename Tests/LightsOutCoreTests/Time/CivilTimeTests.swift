import Testing

@testable import LightsOutCore

@Suite("Dates of the calendar")
struct CivilTimeTests {
    @Test("each day of eight centuries follows the one before, in date and weekday")
    func everyDay() {
        var date = CivilDate(unchecked: 1600, month: 1, day: 1)
        var days = date.daysSinceEpoch
        #expect(date.weekday == .saturday)
        var weekday = date.weekday
        while date.year < 2400 {
            let isLast = date.day == CivilDate.daysInMonth(date.month, of: date.year)
            let isNewYear = isLast && date.month == 12
            date = CivilDate(
                unchecked: isNewYear ? date.year + 1 : date.year,
                month: isNewYear ? 1 : isLast ? date.month + 1 : date.month, day: isLast ? 1 : date.day + 1)
            days += 1
            weekday = Weekday(rawValue: (weekday.rawValue + 1) % 7) ?? .monday
            guard date.daysSinceEpoch == days, CivilDate(daysSinceEpoch: days) == date, date.weekday == weekday else {
                Issue.record("\(date): \(date.daysSinceEpoch) instead of \(days)")
                return
            }
        }
        #expect(days == CivilDate(unchecked: 2400, month: 1, day: 1).daysSinceEpoch)
    }

    @Test("the epoch was a Thursday")
    func epoch() {
        #expect(CivilDate(unchecked: 1970, month: 1, day: 1).daysSinceEpoch == 0)
        #expect(CivilTime(microseconds: 0).weekday == .thursday)
        #expect(CivilTime(microseconds: -1).date == CivilDate(unchecked: 1969, month: 12, day: 31))
        #expect(CivilTime(microseconds: -1).microsecond == 999_999)
    }

    @Test("a date that the calendar does not have is none", arguments: [
        (2026, 2, 29), (2100, 2, 29), (2026, 4, 31), (2026, 13, 1), (2026, 0, 1), (2026, 1, 0), (0, 1, 1), (10_000, 1, 1),
    ])
    func noDate(year: Int, month: Int, day: Int) {
        #expect(CivilDate(year: year, month: month, day: day) == nil)
    }
}
