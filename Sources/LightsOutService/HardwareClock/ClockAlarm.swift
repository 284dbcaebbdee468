import LightsOutCore

/// What to do with a hardware clock's alarm: the clock and "now" in, a decision out.
///
/// The clock counts in a time of its own, which may be the local one (hwclock(8), `/etc/adjtime`), behind or plain wrong.
/// So an alarm is as far ahead of what the clock shows now as it is ahead of the system's time.
nonisolated struct ClockAlarm: Hashable, Sendable {
    /// What the clock says now (`since_epoch`), and its alarm (`wakealarm`), in the clock's own time.
    struct Reading: Hashable, Sendable {
        var clock: Int64
        /// nil where none is set.
        var alarm: Int64?

        /// An alarm that is still to come.
        var pending: Int64? { alarm.flatMap { $0 > clock ? $0 : nil } }
    }

    enum Decision: Hashable, Sendable {
        /// Set it to `value`; `instead`: a later alarm of another program that stands there.
        case set(value: Int64, at: Timestamp, instead: Int64?)
        /// Another program's alarm comes first, and is kept.
        case keep(at: Timestamp)
        case stale
    }

    /// A machine that hibernates or powers off takes so long at most until it is off; an alarm that elapses before wakes
    /// nobody.
    static let shortest = TimeSpan.minutes(3)

    var reading: Reading
    var now: Timestamp

    /// - Parameter ours: the alarm that lightsout has set before, if any.
    func decide(_ order: WakeOrder, ours: Int64? = nil) -> Decision {
        guard now <= order.due + WakeOrder.longestOverdue else { return .stale }
        let value = clockTime(of: max(order.at, now + Self.shortest))
        let others = reading.pending.flatMap { $0 == ours ? nil : $0 }
        if let others, others <= value { return .keep(at: systemTime(of: others)) }
        return .set(value: value, at: systemTime(of: value), instead: others)
    }

    /// The clock's own time at a time of the system's, rounded up to its next second.
    func clockTime(of time: Timestamp) -> Int64 {
        let ahead = time.microseconds.subtractingReportingOverflow(now.microseconds)
        guard !ahead.overflow else { return .max }
        let (seconds, rest) = ahead.partialValue.quotientAndRemainder(dividingBy: 1_000_000)
        return reading.clock.addingClamped(seconds + (rest > 0 ? 1 : 0))
    }

    /// The system's time at a time of the clock's own.
    func systemTime(of value: Int64) -> Timestamp {
        let ahead = value.addingClamped(reading.clock == .min ? .max : -reading.clock)
        let microseconds = ahead.multipliedReportingOverflow(by: 1_000_000)
        let span = microseconds.overflow ? (ahead < 0 ? Int64.min : .max) : microseconds.partialValue
        return Timestamp(microseconds: (now.seconds * 1_000_000).addingClamped(span))
    }
}

nonisolated extension Int64 {
    /// The sum, or the largest or smallest number where that is beyond them.
    fileprivate func addingClamped(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other > 0 ? .max : .min) : sum
    }
}

/// The alarm that lightsout has set, kept in `/run/lightsout` so that it can be taken back: the clock, in the clock's own
/// time the alarm, and the later one of another program that stood there before.
nonisolated struct SetAlarm: Hashable, Sendable {
    var clock: String
    var value: Int64
    var instead: Int64?

    init(clock: String, value: Int64, instead: Int64? = nil) {
        self.clock = clock
        self.value = value
        self.instead = instead
    }

    var text: String {
        "# lightsout: the alarm that it has set. Not to be edited.\nversion=1\nclock=\(clock)\nvalue=\(value)\n"
            + (instead.map { "instead=\($0)\n" } ?? "")
    }

    /// Reads what ``text`` wrote.
    init(text: String) throws(DamagedState) {
        var lines = try StateLines(text)
        try lines.expectVersion("1")
        self.init(
            clock: try lines.required("clock") { name in
                name.hasPrefix("rtc") && name.count > 3 && name.dropFirst(3).allSatisfy { $0.isASCII && $0.isNumber }
                    ? String(name) : nil
            },
            value: try lines.required("value") { Int64($0) }, instead: try lines.optional("instead") { Int64($0) })
        try lines.expectNothingMore()
    }
}
