import LightsOutCore

/// What a trial of the machine's alarm has shown: measured times in, a verdict out.
nonisolated struct WakeTrialReport: Hashable, Sendable {
    /// The clocks at one moment.
    struct Moment: Hashable, Sendable {
        /// CLOCK_BOOTTIME, which counts sleep.
        var boot: TimeSpan
        /// How much of it the machine was asleep: what CLOCK_MONOTONIC lacks.
        var slept: TimeSpan
    }

    var kind: SleepKind
    /// When logind was asked.
    var began: Moment
    /// The first moment after the sleep.
    var back: Moment
    /// How far ahead the alarm was when logind was asked.
    var alarm: TimeSpan

    enum Verdict: Hashable, Sendable {
        case woken(fallingAsleep: TimeSpan, asleep: TimeSpan, wakingUp: TimeSpan)
        /// So long before the alarm something else woke it.
        case early(asleep: TimeSpan, before: TimeSpan)
        case late(after: TimeSpan)
        case didNotSleep
    }

    /// Less is no sleep: the two clocks are not read at once.
    static let shortestSleep = TimeSpan.milliseconds(200)

    var verdict: Verdict {
        let slept = back.slept - began.slept
        guard slept >= Self.shortestSleep else { return .didNotSleep }
        let total = back.boot - began.boot
        if total + .seconds(1) < alarm { return .early(asleep: slept, before: alarm - total) }
        let wakingUp = total - alarm
        if wakingUp > WakeAlarm.longestResume { return .late(after: wakingUp) }
        // The kernel counts the writing of a hibernation image, the boot and the reading as sleep, too.
        let awake = total - slept
        let fallingAsleep = kind == .hibernate ? awake : awake - wakingUp
        return .woken(fallingAsleep: fallingAsleep, asleep: total - fallingAsleep - wakingUp, wakingUp: wakingUp)
    }
}

nonisolated extension TimeSpan {
    /// The difference; zero where `right` is the longer one.
    fileprivate static func - (left: TimeSpan, right: TimeSpan) -> TimeSpan {
        TimeSpan(microseconds: left.microseconds > right.microseconds ? left.microseconds - right.microseconds : 0)
    }
}
