/// A decision about sleep, wake or power, as it goes to the journal (`LIGHTSOUT_ACTION`): what, and why, in a sentence
/// that an administrator understands who has never read about lightsout.
public struct SleepDecision: Hashable, Sendable {
    public enum Action: String, Hashable, Sendable {
        /// The machine goes to sleep, whoever wanted it; when it is to be woken.
        case sleeping
        /// lightsout's alarm woke it.
        case woken
        /// Something else did.
        case resumed
        /// No alarm can be armed; everything else works.
        case cannotWake = "cannot-wake"
        /// It is to sleep, and something stands against it for now.
        case delayed
        /// It will sleep unless somebody cancels it.
        case announced
        /// It will not.
        case cancelled
        /// It stays awake after a backup, and why.
        case staysAwake = "stays-awake"
        /// logind was asked for it.
        case requested
        /// It was asked for and did not come about.
        case failed
        /// Somebody wants it when the backups are done.
        case whenDone = "when-done"
        case powerLost = "power-lost"
        case powerBack = "power-back"
        /// A run is stopped, or not begun, without AC power.
        case powerAbort = "power-abort"
        case powerLock = "power-lock"
    }

    public var action: Action
    public var backup: BackupName?
    public var message: String
    public var isWarning: Bool

    public init(_ action: Action, _ message: String, backup: BackupName? = nil, isWarning: Bool = false) {
        self.action = action
        self.backup = backup
        self.message = message
        self.isWarning = isWarning
    }
}

extension JournalRecord {
    public static func decision(_ decision: SleepDecision) -> JournalRecord {
        .decision(
            decision.action.rawValue, backup: decision.backup, priority: decision.isWarning ? .warning : .info,
            message: decision.backup.map { "\($0): \(decision.message)" } ?? decision.message)
    }
}
