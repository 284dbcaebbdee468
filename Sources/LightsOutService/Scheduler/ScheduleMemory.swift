public import LightsOutCore

/// What the schedule has to know about one backup after a crash, a reboot or a power loss: the durable part of its
/// state, one small file (DESIGN section 9). Everything else the ``Scheduler`` works out anew.
nonisolated public struct ScheduleMemory: Hashable, Sendable {
    /// The elapses that are dealt with; where the next one is looked for.
    public var handled: HandledElapses
    /// The schedule that `handled` was counted by (``SchedulePlan/scheduleFingerprint``).
    public var scheduleFingerprint: UInt64
    /// When the backup was first in the configuration: what `stale_after` counts from until there is a success.
    public var firstSeen: Timestamp
    /// The end of the last run with the result success or warnings, however it was started.
    public var lastSuccess: Timestamp?
    /// What the last warning of staleness counted from; no second one for the same.
    public var staleWarnedSince: Timestamp?
    /// A pause of this backup ends here; `Timestamp.never` for "until resumed".
    public var pausedUntil: Timestamp?
    /// A start that is under way, written before systemd is asked for it and until its run has ended.
    public var underWay: UnderWay?
    /// A start that is owed although its elapse is handled: a retry, a run that was cut off, a start refused.
    public var owed: Owed?

    /// Memory of a backup that is new at `now`: no elapse before it was missed.
    public init(newAt now: Timestamp, scheduleFingerprint: UInt64) {
        handled = HandledElapses(since: now)
        self.scheduleFingerprint = scheduleFingerprint
        firstSeen = now
    }

    /// One try to run a backup for an elapse.
    public struct Attempt: Hashable, Sendable {
        /// The elapse it is for: the latest, where it makes up for several.
        public var elapse: Timestamp
        /// How many elapses it stands for, one or more.
        public var covers: Int
        public var trigger: Trigger
        /// 1 for the first try, then the retries.
        public var number: Int
        /// How many times a run for it was cut off by the end of the machine.
        public var timesCutOff: Int

        public init(elapse: Timestamp, covers: Int = 1, trigger: Trigger, number: Int = 1, timesCutOff: Int = 0) {
            self.elapse = elapse
            self.covers = covers
            self.trigger = trigger
            self.number = number
            self.timesCutOff = timesCutOff
        }

        /// Tells this attempt from every other one of the backup. The runner writes it into the run's state, so that a daemon
        /// that did not see the run knows that it was this attempt's. What changes while it waits is not part of it.
        public var mark: UInt64 {
            let words = [UInt64(bitPattern: elapse.microseconds), UInt64(number), UInt64(timesCutOff)]
            let bytes = words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
            return SipHash.hash(bytes, key: (0x6c69_6768_7473_6f75, 0x7461_7474_656d_7074))
        }

        /// Whether no run for the elapse has begun yet. Where none follows, the elapse is missed; after a first run,
        /// that run's result stands.
        var isFirst: Bool { number == 1 && timesCutOff == 0 }

        var elapses: Elapses { Elapses(latest: elapse, count: covers) }
    }

    /// An attempt that systemd was, or was about to be, asked for.
    public struct UnderWay: Hashable, Sendable {
        public var attempt: Attempt
        /// The last run before it that the schedule asked for: once there is another one, this attempt's run began.
        public var previousRun: RunIdentifier?

        public init(attempt: Attempt, previousRun: RunIdentifier?) {
            self.attempt = attempt
            self.previousRun = previousRun
        }
    }

    /// An attempt to be made at a later time.
    public struct Owed: Hashable, Sendable {
        public enum Cause: Hashable, Sendable {
            /// The run before it failed.
            case retry
            /// The run before it ended with the machine.
            case cutOff
            /// No run began: why.
            case notStarted(String)
            /// It was due and could not start before its elapse had to be counted as handled: the schedule changed,
            /// or the next elapse came, during a manual run.
            case heldBack
        }

        public var attempt: Attempt
        public var at: Timestamp
        public var cause: Cause

        public init(attempt: Attempt, at: Timestamp, cause: Cause) {
            self.attempt = attempt
            self.at = at
            self.cause = cause
        }
    }
}

nonisolated extension Timestamp {
    /// Later than every other: the end of a pause that has none.
    public static var never: Timestamp { Timestamp(microseconds: .max) }
}

/// What is found of a backup's runs when the daemon comes up or takes a backup in: from its unit and from the state
/// file that the runner writes.
nonisolated public struct ObservedRun: Hashable, Sendable {
    public enum Outcome: Hashable, Sendable {
        /// The unit is active, activating, or has a job to become so.
        /// `scriptHasEnded`: only what the script left behind runs on.
        case running(since: Timestamp, scriptHasEnded: Bool = false)
        /// `stoppedOnRequest`: a person stopped it.
        case ended(RunResult, at: Timestamp, stoppedOnRequest: Bool = false)
        /// It ended with the machine: a reboot or a power loss, told by another boot id.
        case cutOff(at: Timestamp)
    }

    /// The last run that began and that the schedule asked for; nil where there is none. It may be an earlier one than that
    /// of ``outcome``, which somebody else may have started.
    public var scheduledRun: RunIdentifier?
    /// The ``ScheduleMemory/Attempt/mark`` of the attempt that ``scheduledRun`` was for; nil where its runner knew none.
    public var mark: UInt64?
    /// How the last run stands.
    public var outcome: Outcome

    public init(scheduledRun: RunIdentifier?, mark: UInt64? = nil, outcome: Outcome) {
        self.scheduledRun = scheduledRun
        self.mark = mark
        self.outcome = outcome
    }
}
