public import LightsOutCore

/// The ways of the machine to be off, in systemd's words (systemd-sleep(8)).
nonisolated public enum SleepKind: String, Hashable, Sendable, CaseIterable {
    case suspend, hibernate
    case hybridSleep = "hybrid-sleep"
    case suspendThenHibernate = "suspend-then-hibernate"
    case poweroff

    /// The method of `org.freedesktop.login1.Manager` that does it. Its argument is `false`: no dialogue, and no
    /// overriding of others' locks.
    public var loginMethod: String {
        switch self {
        case .suspend: "Suspend"
        case .hibernate: "Hibernate"
        case .hybridSleep: "HybridSleep"
        case .suspendThenHibernate: "SuspendThenHibernate"
        case .poweroff: "PowerOff"
        }
    }

    /// What an inhibitor lock must be about to stand against it.
    public var inhibited: String { self == .poweroff ? "shutdown" : "sleep" }

    /// Completes "the machine …": what it does.
    var verb: String {
        switch self {
        case .suspend: "suspends"
        case .hibernate: "hibernates"
        case .hybridSleep: "goes into hybrid sleep"
        case .suspendThenHibernate: "suspends, and hibernates later"
        case .poweroff: "powers off"
        }
    }

    /// Completes "the machine was to …".
    var infinitive: String {
        switch self {
        case .suspend: "suspend"
        case .hibernate: "hibernate"
        case .hybridSleep: "go into hybrid sleep"
        case .suspendThenHibernate: "suspend and later hibernate"
        case .poweroff: "power off"
        }
    }

    /// The farther-reaching of two wishes wins.
    var reach: Int {
        switch self {
        case .suspend: 0
        case .suspendThenHibernate: 1
        case .hybridSleep: 2
        case .hibernate: 3
        case .poweroff: 4
        }
    }
}

/// A decision about sleep, wake or power, as it goes to the journal (`LIGHTSOUT_ACTION`): what, and why, in a sentence
/// that an administrator understands who has never read about lightsout.
nonisolated public struct SleepDecision: Hashable, Sendable {
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

    init(_ action: Action, _ message: String, backup: BackupName? = nil, isWarning: Bool = false) {
        self.action = action
        self.backup = backup
        self.message = message
        self.isWarning = isWarning
    }
}

/// An inhibitor lock of another program in the mode `block` (`ListInhibitors`), as far as it matters here.
nonisolated public struct BlockLock: Hashable, Sendable {
    /// The operations it is about: "sleep", "shutdown", …
    public var what: Set<String>
    public var who: String
    public var why: String

    public init(what: Set<String>, who: String, why: String) {
        self.what = what
        self.who = who
        self.why = why
    }
}

nonisolated extension Collection where Element == BackupName {
    /// `a`, `a and b`, `a, b and c`.
    var listed: String {
        let names = map(\.text).sorted()
        guard let last = names.last, names.count > 1 else { return names.first ?? "nothing" }
        return names.dropLast().joined(separator: ", ") + " and " + last
    }
}
