import LightsOutCore
import Testing

@testable import LightsOutService

struct `Counting elapses` {
    @Test(arguments: [1, 2, 63, 64, 65, 1000, 525_600])
    func `up to the limit they are counted, and the latest is found however many there are`(count: UInt64) {
        let minutely = plan(period: .minutes(1), offset: .zero)
        let elapses = minutely.elapses(after: at(0), through: at(0) + .minutes(count) + .seconds(59))
        #expect(elapses?.latest == at(0) + .minutes(count))
        #expect(elapses?.count == min(Int(count), Elapses.countingLimit))
    }

    @Test func `the latest is found in a schedule with long gaps`() {
        // Every second of an hour, then nothing for a month.
        let clumps = SchedulePlan(name: server, scheduleTexts: []) { time in
            let next = every(.seconds(1))(time)
            guard let next, next.microseconds % (30 * 86_400_000_000) >= 3_600_000_000 else { return next }
            return every(.days(30), offset: .zero)(time).map {
                Timestamp(microseconds: $0.microseconds - $0.microseconds % (30 * 86_400_000_000))
            }.flatMap { $0 > time ? $0 : $0 + .days(30) }
        }
        let month = TimeSpan.days(30)
        let start = Timestamp(microseconds: midnight.microseconds - midnight.microseconds % Int64(month.microseconds))
        let elapses = clumps.elapses(after: start, through: start + month + .days(29))
        #expect(elapses?.latest == start + month + .seconds(3599))
    }

    @Test func `none is nil, at the bounds too`() {
        let daily = plan()
        #expect(daily.elapses(after: at(2, 30), through: at(day: 1, 2, 29)) == nil)
        #expect(daily.elapses(after: at(2, 29), through: at(2, 30)) == Elapses(latest: at(2, 30), count: 1))
        #expect(daily.elapses(after: at(5), through: at(4)) == nil)
    }
}
