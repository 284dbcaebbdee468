import LightsOutCore
import Testing

@testable import LightsOutService

@Suite("What a trial of the alarm shows")
nonisolated struct WakeTrialReportTests {
    /// Asked for at 1000 s of CLOCK_BOOTTIME, on a machine that had slept for 400 s before; times in tenths of seconds.
    private func verdict(_ kind: SleepKind, alarm: UInt64, back: UInt64, slept: UInt64) -> WakeTrialReport.Verdict {
        WakeTrialReport(
            kind: kind, began: .init(boot: .seconds(1000), slept: .seconds(400)),
            back: .init(boot: .seconds(1000) + .milliseconds(back * 100), slept: .seconds(400) + .milliseconds(slept * 100)),
            alarm: .milliseconds(alarm * 100)
        ).verdict
    }

    private func woken(_ fallingAsleep: UInt64, _ asleep: UInt64, _ wakingUp: UInt64) -> WakeTrialReport.Verdict {
        .woken(
            fallingAsleep: .milliseconds(fallingAsleep * 100), asleep: .milliseconds(asleep * 100),
            wakingUp: .milliseconds(wakingUp * 100))
    }

    @Test func `of suspend the time before and after it is what the machine was awake`() {
        #expect(verdict(.suspend, alarm: 600, back: 605, slept: 580) == woken(20, 580, 5))
        #expect(verdict(.hybridSleep, alarm: 1800, back: 1810, slept: 1700) == woken(100, 1700, 10))
    }

    @Test func `of hibernation the boot and the reading count as waking up`() {
        // An image after 4 s; back 25 s after the alarm, all of which the kernel counts as sleep.
        #expect(verdict(.hibernate, alarm: 1800, back: 2050, slept: 2010) == woken(40, 1760, 250))
    }

    @Test func `the clocks' rounding makes no negative time`() {
        #expect(verdict(.suspend, alarm: 600, back: 597, slept: 590) == woken(7, 590, 0))
        #expect(verdict(.suspend, alarm: 600, back: 610, slept: 605) == woken(0, 600, 10))
    }

    @Test func `before the alarm something else woke it`() {
        #expect(
            verdict(.suspend, alarm: 600, back: 200, slept: 150)
                == .early(asleep: .seconds(15), before: .seconds(40)))
    }

    @Test func `long after the alarm somebody else did`() {
        #expect(verdict(.hibernate, alarm: 1800, back: 1800 + 1801, slept: 3000) == .late(after: .milliseconds(180_100)))
        #expect(verdict(.hibernate, alarm: 1800, back: 1800 + 1800, slept: 3560) == woken(40, 1760, 1800))
    }

    @Test func `without a sleep there is none`() {
        #expect(verdict(.suspend, alarm: 600, back: 30, slept: 0) == .didNotSleep)
        #expect(verdict(.suspend, alarm: 600, back: 3000, slept: 1) == .didNotSleep)
    }
}
