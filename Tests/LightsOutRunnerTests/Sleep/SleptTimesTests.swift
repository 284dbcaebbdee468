import LightsOutCore
import LightsOutRunner
import Testing

/// The machine's sleeps during a run, by readings of the clocks and logind's signals.
@Suite("The machine's sleeps during a run")
struct SleptTimesTests {
    /// The clocks at a second of the run, with so many seconds slept until then.
    private func at(_ second: Int64, slept: Int64 = 0) -> SleptTimes.Clocks {
        SleptTimes.Clocks(
            realtime: (1_000_000 + second) * 1_000_000, monotonic: UInt64(500 + second - slept) * 1_000_000,
            boottime: UInt64(500 + second) * 1_000_000)
    }

    private func span(_ from: Int64, _ to: Int64, isPermitted: Bool = false) -> SleptTimes.Span {
        .init(
            from: Timestamp(microseconds: (1_000_000 + from) * 1_000_000),
            to: Timestamp(microseconds: (1_000_000 + to) * 1_000_000), isPermitted: isPermitted)
    }

    @Test func `the clocks show a sleep that nobody announced`() {
        var times = SleptTimes(at(0))
        times.look(at(10), isPermitted: false)
        times.look(at(100, slept: 60), isPermitted: false)
        times.look(at(110, slept: 60), isPermitted: false)
        #expect(times.spans == [span(40, 100)])
        #expect(times.hasUnpermitted)
    }

    @Test func `each sleep is told, also one at the very end`() {
        var times = SleptTimes(at(0))
        times.look(at(50, slept: 20), isPermitted: false)
        times.look(at(90, slept: 30), isPermitted: false)
        times.finish(at(100, slept: 35), isPermitted: false)
        #expect(times.spans == [span(30, 50), span(80, 90), span(95, 100)])
        #expect(times.text { "\($0.microseconds / 1_000_000 - 1_000_000)" } == "the machine slept during the run, from 30 to 50, from 80 to 90, from 95 to 100")
    }

    @Test func `logind's signals alone tell of one, too`() {
        var times = SleptTimes(at(0))
        times.begins(at(10), isPermitted: false)
        times.ends(at(30), isPermitted: false)
        #expect(times.spans == [span(10, 30)])
    }

    @Test func `a sleep that was announced and failed is none, unless the clocks show it`() {
        var times = SleptTimes(at(0))
        times.begins(at(10), isPermitted: false)
        times.ends(at(12), isPermitted: false) { $0.realtime == at(10).realtime }
        #expect(times.count == 0)
        times.finish(at(60), isPermitted: false)
        #expect(times.count == 0)
        times.begins(at(70), isPermitted: false)
        times.ends(at(90, slept: 15), isPermitted: false) { _ in true }
        #expect(times.spans == [span(75, 90)])
    }

    @Test func `a sleep that both tell of counts once, in whatever order they are read`() {
        var times = SleptTimes(at(0))
        times.begins(at(10), isPermitted: false)
        times.ends(at(70, slept: 58), isPermitted: false)
        #expect(times.spans == [span(12, 70)])
        var late = SleptTimes(at(0))
        late.look(at(70, slept: 58), isPermitted: false)
        late.begins(at(70, slept: 58), isPermitted: false)
        late.ends(at(70, slept: 58), isPermitted: false)
        #expect(late.spans == [span(12, 70)])
        var clockFirst = SleptTimes(at(0))
        clockFirst.begins(at(10), isPermitted: false)
        clockFirst.look(at(70, slept: 58), isPermitted: false)
        clockFirst.ends(at(71, slept: 58), isPermitted: false)
        #expect(clockFirst.count == 1)
    }

    @Test func `a clock that is set, or read a little later than the other, is no sleep`() {
        var times = SleptTimes(at(0))
        var reading = at(10)
        reading.realtime += 3_600_000_000
        reading.boottime += 1000
        times.look(reading, isPermitted: false)
        #expect(times.count == 0)
        #expect(times.text { _ in "" } == nil)
    }

    @Test func `an announced sleep that does not begin before the end is none, unless the delay is over`() {
        var times = SleptTimes(at(0))
        times.begins(at(10), isPermitted: false)
        var soon = times
        soon.finish(at(12), isPermitted: false)
        #expect(soon.count == 0)
        times.finish(at(20), isPermitted: false)
        #expect(times.spans == [span(10, 20)])
    }

    @Test func `one that the lock was let go for is permitted`() {
        var times = SleptTimes(at(0))
        times.begins(at(10), isPermitted: true)
        times.ends(at(70, slept: 50), isPermitted: false)
        #expect(!times.hasUnpermitted)
        #expect(times.text { _ in "x" }?.hasSuffix(", as lock_on_battery permits") == true)
    }

    @Test func `many are counted and not all shown`() {
        var times = SleptTimes(at(0))
        for number in 1...100 as ClosedRange<Int64> { times.look(at(number * 10, slept: number), isPermitted: false) }
        #expect(times.count == 100)
        #expect(times.text { _ in "x" } == "the machine slept during the run, from x to x, from x to x, from x to x and 97 more times")
    }
}
