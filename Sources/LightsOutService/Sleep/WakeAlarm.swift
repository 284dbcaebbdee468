import LightsOutCore

/// When the machine's clock is to wake it, and whether it did.
///
/// The alarm (a timer on CLOCK_REALTIME_ALARM) is armed whenever a backup with `wake` is to come, or is due and waits, not
/// only when a sleep is announced: a kernel may fall asleep without a word.
nonisolated struct WakeAlarm: Hashable, Sendable {
    /// Hardware clocks count in seconds, and take no alarm that is about to elapse.
    static let shortest = TimeSpan.seconds(5)
    /// A machine that comes back so long after its alarm was woken by it: firmware and kernel, and from hibernation
    /// a boot, take their time. Later than that, somebody or something else woke it.
    static let longestResume = TimeSpan.minutes(3)
    /// A machine that sleeps while a backup is due does so against our lock. It is let sleep this long, or for the lead where
    /// that is shorter.
    static let longestRespite = TimeSpan.minutes(1)

    /// The wake-up that is wanted.
    struct Wanted: Hashable, Sendable {
        var due: Timestamp
        var backups: Set<BackupName>
    }

    var lead: TimeSpan
    var wanted: Wanted?
    /// What is due already and has not begun: the machine is woken for it again if it sleeps all the same.
    var overdue: Wanted?
    /// A backup that would wake the machine on AC power and does not, because it runs on battery power.
    var heldBack: BackupName?
    /// Why no alarm can be armed; nil where one can.
    var impossible: String?
    /// The alarm that stands for what is overdue while the machine is awake.
    private(set) var standing: Timestamp?

    /// How long a machine that falls asleep over what is due may sleep.
    private var respite: TimeSpan { max(min(lead, Self.longestRespite), Self.shortest) }

    /// What to arm while the machine is awake: the lead before the due time, and when that has passed, the due time
    /// itself, for a machine that falls asleep in between. While something is due, an alarm stands up to ``respite`` ahead;
    /// ``moveAt`` says when to ask again.
    mutating func whileAwake(now: Timestamp) -> Timestamp? {
        moveStanding(now)
        guard impossible == nil else { return nil }
        let next = wanted.flatMap { wanted in [wanted.due - lead, wanted.due].first { $0 > now } }
        return [next, standing].compactMap { $0 }.min()
    }

    /// When the standing alarm is to be moved on; nil for none. Long before it elapses: the kernel refuses to suspend when an
    /// alarm is less than two seconds ahead.
    var moveAt: Timestamp? { standing.map { $0 - TimeSpan(microseconds: respite.microseconds / 2) } }

    private mutating func moveStanding(_ now: Timestamp) {
        guard impossible == nil, overdue != nil else {
            standing = nil
            return
        }
        // Also where the clock was set back, or the lead is another one.
        if let standing, let moveAt, now < moveAt, standing <= now + respite { return }
        standing = now + respite
    }

    /// What to arm for a sleep that begins now: never in the past, or the machine would not wake for what has just
    /// become due.
    func forSleep(now: Timestamp) -> (time: Timestamp, wanted: Wanted)? {
        guard impossible == nil else { return nil }
        let next = wanted.map { (time: max($0.due - lead, now + Self.shortest), wanted: $0) }
        guard let overdue else { return next }
        let again = now + respite
        if let next, next.time <= again {
            return (next.time, Wanted(due: min(overdue.due, next.wanted.due), backups: next.wanted.backups.union(overdue.backups)))
        }
        return (again, overdue)
    }

    /// What the hardware clock is set to when the machine goes off in a way that the kernel sets no alarm for: whatever the
    /// time is then, so that it need not be said again as time goes by.
    var order: WakeOrder? {
        (overdue ?? wanted).map { WakeOrder(at: $0.due - lead, due: $0.due, backups: $0.backups) }
    }

    /// Whether an alarm, `ahead` at the moment of falling asleep, is what ended a sleep of that kind that took `slept`.
    /// Both are lengths, by CLOCK_BOOTTIME: the clock may have been set meanwhile.
    static func woke(ahead: TimeSpan, slept: TimeSpan, kind: SleepKind = .suspend) -> Bool {
        let early = TimeSpan(microseconds: slept.microseconds &+ 1_000_000) < ahead
        // The hardware clock's alarm is set later where the machine would still be busy hibernating.
        let alarm = kind == .suspend ? ahead : max(ahead, ClockAlarm.shortest)
        return !early && slept.microseconds <= alarm.microseconds &+ longestResume.microseconds
    }
}
