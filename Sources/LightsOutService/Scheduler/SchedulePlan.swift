public import LightsOutCore

/// What the configuration says about one backup, as far as the schedule is concerned.
nonisolated public struct SchedulePlan: Sendable {
    public let name: BackupName
    /// The first elapse after an instant, of all the backup's calendar expressions; nil for never. Without
    /// `random_delay`.
    public let nextElapse: @Sendable (Timestamp) -> Timestamp?
    /// Tells one schedule from another (made from `scheduleTexts`): where it changes, what the new schedule says
    /// about the past was not missed.
    public let scheduleFingerprint: UInt64
    /// The backup's share of `random_delay` (``RandomDelay``): each elapse is acted on so much later.
    public let delay: TimeSpan
    /// `catch_up`: make up for missed elapses by one run.
    public let catchUp: Bool
    /// `wake`: the machine is to be woken for the elapse.
    public let wake: Bool
    /// `wake_lead`: how long before the elapse the machine is to be awake.
    public let wakeLead: TimeSpan
    /// `wake_wait`: how long the machine is kept awake for a start that is due.
    public let wakeWait: TimeSpan
    /// `retry.attempts`: how often a run that failed is tried again, after the first try.
    public let retryAttempts: Int
    /// `retry.delay`: from the end of the run that failed to the next try.
    public let retryDelay: TimeSpan
    /// `stale_after`; nil for never.
    public let staleAfter: TimeSpan?
    /// Whether there is anything to look at before a start: mounts, the network, AC power.
    public let hasRequirements: Bool

    /// - Parameter scheduleTexts: the calendar expressions in normalised form, in order. Not the time zone: a
    ///   machine that was off and comes up in another zone has missed what it has missed.
    public init(
        name: BackupName, scheduleTexts: [String], delay: TimeSpan = .zero, catchUp: Bool = true, wake: Bool = false,
        wakeLead: TimeSpan = .minutes(1), wakeWait: TimeSpan = .minutes(15), retryAttempts: Int = 0, retryDelay: TimeSpan = .minutes(10), staleAfter: TimeSpan? = nil,
        hasRequirements: Bool = false, nextElapse: @escaping @Sendable (Timestamp) -> Timestamp?
    ) {
        self.name = name
        self.nextElapse = nextElapse
        scheduleFingerprint = SipHash.hash(Array(scheduleTexts.joined(separator: "\n").utf8), key: (0, 0))
        self.delay = delay
        self.catchUp = catchUp
        self.wake = wake
        self.wakeLead = wakeLead
        self.wakeWait = wakeWait
        self.retryAttempts = retryAttempts
        self.retryDelay = retryDelay
        self.staleAfter = staleAfter
        self.hasRequirements = hasRequirements
    }
}

/// One or more elapses of a backup that are dealt with together.
nonisolated public struct Elapses: Hashable, Sendable {
    /// The latest of them, as the schedule says it (without `random_delay`).
    public let latest: Timestamp
    /// How many there are, the latest included; `Elapses.countingLimit` stands for "so many or more".
    public let count: Int

    /// Elapses are counted up to here: a clock that jumps ten years must not keep the daemon counting.
    public static let countingLimit = 64

    public init(latest: Timestamp, count: Int) {
        self.latest = latest
        self.count = min(count, Self.countingLimit)
    }
}

nonisolated extension SchedulePlan {
    /// The elapses after `start` up to and with `end`; nil where there is none.
    func elapses(after start: Timestamp, through end: Timestamp) -> Elapses? {
        guard var latest = elapse(after: start, through: end) else { return nil }
        var count = 1
        while let next = elapse(after: latest, through: end) {
            latest = next
            count += 1
            guard count < Elapses.countingLimit else {
                return Elapses(latest: latestElapse(after: latest, through: end), count: count)
            }
        }
        return Elapses(latest: latest, count: count)
    }

    /// The last elapse up to and with `end`, by bisection: "there is an elapse between here and `end`" holds before
    /// it and not from it on. Some fifty steps, where counting from the start could take millions.
    private func latestElapse(after known: Timestamp, through end: Timestamp) -> Timestamp {
        var latest = known
        var none = end
        while latest < none {
            let middle = latest + TimeSpan(microseconds: none.since(latest).microseconds / 2)
            if let elapse = elapse(after: middle, through: end) {
                latest = elapse
            } else {
                none = middle
            }
        }
        return latest
    }

    /// The next elapse, unless it is later than `end`. One that is not after `start` is no elapse: a schedule that
    /// does not move on must not hold up the others.
    private func elapse(after start: Timestamp, through end: Timestamp) -> Timestamp? {
        guard start < end, let elapse = nextElapse(start), elapse > start, elapse <= end else { return nil }
        return elapse
    }
}
