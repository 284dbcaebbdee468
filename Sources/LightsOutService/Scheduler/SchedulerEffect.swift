public import LightsOutCore

/// What the ``Scheduler`` wants done. Effects are carried out in the order they come in; a `persist` that cannot be
/// written is reported and does not keep back what follows: a backup that may run twice after a crash is better than
/// one that does not run.
nonisolated public enum SchedulerEffect: Hashable, Sendable {
    /// Write the backup's memory to disk, durably, before anything that follows.
    case persist(BackupName, ScheduleMemory)
    /// Write down that everything is paused until then; nil for no pause.
    case persistPause(until: Timestamp?)
    /// The backup is no longer in the configuration: its memory may go.
    case forget(BackupName)
    /// Ask systemd to start the backup's unit. Answer by `runStarted` or `startRefused`.
    case start(BackupName, ScheduleMemory.Attempt)
    /// A daemon that is no more was about to ask for the start, and may have done so: find out what came of it. Answer by
    /// `runStarted`, `runEnded` or `startRefused`.
    case findStart(BackupName)
    /// See whether what the backup requires is there. Answer by `requirementsMet`, `requirementsMissing` or
    /// `startWithheld`; after `requirementsMissing`, go on watching and say `requirementsMet` when it has come.
    case checkRequirements(BackupName)
    /// Elapses that no run will follow: a journal record of the kind "missed".
    case recordMissed(BackupName, Elapses, why: MissedCause)
    /// The elapses came while only processes that a script left behind were running: one run for them follows the run
    /// under way. A notice in the journal.
    case tellFollows(BackupName, Elapses)
    /// There was no success since then (nil: never, since `firstSeen`): a warning in the journal.
    case warnStale(BackupName, since: Timestamp, neverSucceeded: Bool)
    /// What `status` and the bus show of the backup has changed.
    case stateChanged(BackupName)
    /// Call `tick` at that time of CLOCK_REALTIME; nil: there is nothing to wait for. Said only when it changes.
    case arm(Timestamp?)
    /// The earliest start that the machine has to be awake for: an elapse or a retry of a backup with `wake`; nil:
    /// none. Said only when it changes. Whose it is tells ``Scheduler/wakeStarts(by:)``.
    case armWake(Timestamp?)
}

/// Why no run follows an elapse.
nonisolated public enum MissedCause: Hashable, Sendable {
    /// `catch_up: false`, and it was too late when the daemon could act on it.
    case late(Lateness)
    /// A run of the same backup was under way.
    case duringRun(since: Timestamp)
    /// Processes that the script of the run before left behind were running, and `catch_up` is off.
    case duringLeftovers
    /// What it requires did not come before the next elapse.
    case requirement(String)
    /// It was not to be started at all, as things were: on battery power, say.
    case withheld(String)
    /// systemd would not start it, until the next elapse.
    case notStarted(String)
    /// It waited for its turn (`max_parallel`) until the next elapse.
    case noTurn
    case paused
}

/// What made the daemon late.
nonisolated public enum Lateness: String, Hashable, Sendable {
    /// The machine was off or the daemon down.
    case notRunning = "not-running"
    case asleep
    case clockSet = "clock-set"
    /// Neither; the loop was held up or the machine fell asleep without a word.
    case unexplained
}

nonisolated extension Lateness: CustomStringConvertible {
    /// Completes "missed: …".
    public var description: String {
        switch self {
        case .notRunning: "the machine was off or lightsoutd was not running"
        case .asleep: "the machine was asleep"
        case .clockSet: "the clock was set"
        case .unexplained: "lightsoutd could not act in time"
        }
    }
}

nonisolated extension MissedCause: CustomStringConvertible {
    /// Completes "missed: …".
    public var description: String {
        switch self {
        case .late(let lateness): "\(lateness), and catch_up is off"
        case .duringRun: "the backup was still running"
        case .duringLeftovers: "the script of the run before had left processes running, and catch_up is off"
        case .requirement(let what): "\(what) until the next one was due"
        case .withheld(let why): why
        case .notStarted(let why): "systemd did not start it: \(why)"
        case .noTurn: "max_parallel other backups were running until the next one was due"
        case .paused: "paused"
        }
    }
}
