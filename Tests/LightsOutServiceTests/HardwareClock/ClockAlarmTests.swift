import LightsOutCore
import Testing

@testable import LightsOutService

@Suite("The alarm of the hardware clock")
nonisolated struct ClockAlarmTests {
    /// 2026-11-30 00:00:00 UTC, on a clock that shows the same.
    static let midnight: Int64 = 1_795_996_800

    private func time(_ seconds: Int64, _ microseconds: Int64 = 0) -> Timestamp {
        Timestamp(microseconds: (Self.midnight + seconds) * 1_000_000 + microseconds)
    }

    private func order(_ at: Int64, due: Int64? = nil) -> WakeOrder {
        WakeOrder(at: time(at), due: time(due ?? at + 60), backups: [server])
    }

    /// - Parameter shows: how far the clock is from the system's time.
    private func alarm(
        now: Int64 = 0, _ microseconds: Int64 = 0, shows: Int64 = 0, standing: Int64? = nil
    ) -> ClockAlarm {
        ClockAlarm(
            reading: .init(clock: Self.midnight + now + shows, alarm: standing.map { Self.midnight + $0 + shows }),
            now: time(now, microseconds))
    }

    @Test func `is set to the time of the order on a clock in UTC`() {
        #expect(alarm().decide(order(9000)) == .set(value: Self.midnight + 9000, at: time(9000), instead: nil))
    }

    @Test(arguments: [3600, 7200, -18_000, 19_800, -1_795_000_000, 2_000_000_000] as [Int64])
    func `is as far ahead on a clock in local time, or on one that is wrong`(shift: Int64) {
        #expect(
            alarm(shows: shift).decide(order(9000))
                == .set(value: Self.midnight + 9000 + shift, at: time(9000), instead: nil))
    }

    @Test func `is rounded up to the clock's next second, and never before the order`() {
        let late = alarm(now: 0, 400_000)
        #expect(late.clockTime(of: time(9000)) == Self.midnight + 9000)
        #expect(late.clockTime(of: time(9000, 400_001)) == Self.midnight + 9001)
    }

    @Test func `leaves the machine the time to go off`() {
        for at: Int64 in [-60, 0, 5, 179] {
            #expect(alarm().decide(order(at)) == .set(value: Self.midnight + 180, at: time(180), instead: nil))
        }
        #expect(alarm().decide(order(181)) == .set(value: Self.midnight + 181, at: time(181), instead: nil))
    }

    @Test func `wakes for what is overdue for a short while, and not for what a dead daemon left`() {
        #expect(alarm(now: 86_400).decide(order(-60, due: 0)) == .set(value: Self.midnight + 86_580, at: time(86_580), instead: nil))
        #expect(alarm(now: 86_401).decide(order(-60, due: 0)) == .stale)
    }

    // MARK: Other programs

    @Test(arguments: [0, 3600, -7200] as [Int64])
    func `of another program is kept where it comes first`(shift: Int64) {
        #expect(alarm(shows: shift, standing: 5000).decide(order(9000)) == .keep(at: time(5000)))
        #expect(alarm(shows: shift, standing: 9000).decide(order(9000)) == .keep(at: time(9000)))
    }

    @Test func `of another program that comes later gives way, and is remembered`() {
        #expect(
            alarm(standing: 9001).decide(order(9000))
                == .set(value: Self.midnight + 9000, at: time(9000), instead: Self.midnight + 9001))
    }

    @Test func `that has elapsed is nobody's`() {
        for standing: Int64 in [-5000, 0] {
            #expect(
                alarm(standing: standing).decide(order(9000))
                    == .set(value: Self.midnight + 9000, at: time(9000), instead: nil))
        }
    }

    @Test func `of lightsout itself is replaced by an earlier and by a later one`() {
        for at: Int64 in [4000, 9000] {
            #expect(
                alarm(standing: 5000).decide(order(at), ours: Self.midnight + 5000)
                    == .set(value: Self.midnight + at, at: time(at), instead: nil))
        }
    }

    @Test func `survives clocks that show nonsense`() {
        for clock in [Int64.min, -1, 0, .max] {
            let alarm = ClockAlarm(reading: .init(clock: clock, alarm: 1), now: time(0))
            _ = alarm.decide(order(9000))
            _ = alarm.systemTime(of: .max)
            _ = alarm.systemTime(of: .min)
            _ = alarm.clockTime(of: Timestamp(microseconds: .max))
            _ = alarm.clockTime(of: Timestamp(microseconds: .min))
        }
    }

    // MARK: What was set

    @Test func `is noted and read again`() throws {
        for alarm in [SetAlarm(clock: "rtc0", value: 5), SetAlarm(clock: "rtc12", value: -5, instead: 9)] {
            #expect(try SetAlarm(text: alarm.text) == alarm)
        }
    }

    @Test(arguments: ["../../etc/x", "rtc", "rtc0/../x", "rtc-1", "", "rtc٣", "mem"])
    func `is taken back from a clock only`(name: String) {
        #expect(throws: DamagedState.self) { try SetAlarm(text: "version=1\nclock=\(name)\nvalue=5\n") }
    }
}

@Suite("The choice of the hardware clock")
nonisolated struct HardwareClockTests {
    @Test func `is the kernel's`() throws {
        let clocks = [HardwareClock(name: "rtc0"), HardwareClock(name: "rtc1", isKernelsChoice: true)]
        #expect(try HardwareClock.choose(from: clocks).name == "rtc1")
    }

    @Test func `is the first that has an alarm and may wake the machine, where the kernel does not tell its own`() throws {
        let clocks = [
            HardwareClock(name: "rtc0", hasAlarm: false), HardwareClock(name: "rtc1", mayWake: false),
            HardwareClock(name: "rtc2"), HardwareClock(name: "rtc3"),
        ]
        #expect(try HardwareClock.choose(from: clocks).name == "rtc2")
    }

    @Test func `falls on none that may not wake the machine, whatever the kernel chose`() {
        let clocks = [HardwareClock(name: "rtc0", mayWake: false, isKernelsChoice: true)]
        #expect(throws: HardwareClock.Obstacle.mayNotWake("rtc0")) { try HardwareClock.choose(from: clocks) }
    }

    @Test func `says what is missing`() {
        #expect(throws: HardwareClock.Obstacle.noClock) { try HardwareClock.choose(from: []) }
        #expect(throws: HardwareClock.Obstacle.noAlarm(["rtc0", "rtc1"])) {
            try HardwareClock.choose(from: ["rtc0", "rtc1"].map { HardwareClock(name: $0, hasAlarm: false) })
        }
        #expect("\(HardwareClock.Obstacle.mayNotWake("rtc1"))".contains("echo enabled >/sys/class/rtc/rtc1/device/power/wakeup"))
    }

    @Test func `goes by what the kernel shows, in the order of the numbers`() throws {
        try SysfsTree.with { tree in
            for name in ["rtc10", "rtc2", "rtc0", "rtcX", "hpet"] { try tree.clock(name, wakeup: "enabled") }
            try tree.clock("rtc1", wakeup: "disabled")
            try tree.clock("rtc3", wakeup: "")
            try tree.clock("rtc4", wakeup: nil, hasAlarm: false)
            let clocks = HardwareClock.all(in: tree.path)
            #expect(clocks.map(\.name) == ["rtc0", "rtc1", "rtc2", "rtc3", "rtc4", "rtc10"])
            #expect(clocks.map(\.mayWake) == [true, false, true, false, true, true])
            #expect(clocks.map(\.hasAlarm) == [true, true, true, true, false, true])
            try tree.makeDirectory("rtc2/alarmtimer.0.auto")
            #expect(try HardwareClock.choose(from: HardwareClock.all(in: tree.path)).name == "rtc2")
        }
    }
}
