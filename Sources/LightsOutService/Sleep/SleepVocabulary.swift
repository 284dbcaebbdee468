import LightsOutCore

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

    /// The action of polkit's that logind asks for it (org.freedesktop.login1.policy); the kinds that write to the disk share one.
    public var loginAction: String {
        switch self {
        case .suspend: "suspend"
        case .hibernate, .hybridSleep, .suspendThenHibernate: "hibernate"
        case .poweroff: "power-off"
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
