@testable import LightsOutCore

extension Timestamp {
    /// The time when the wall shows these numbers in UTC.
    static func utc(
        _ year: Int, _ month: Int, _ day: Int, _ hour: Int = 0, _ minute: Int = 0, _ second: Int = 0, _ microsecond: Int = 0
    ) -> Timestamp {
        let date = CivilDate(unchecked: year, month: month, day: day)
        return ZoneRules.utc.resolve(
            CivilTime(date, hour: hour, minute: minute, second: second, microsecond: microsecond)
        ).time
    }
}
