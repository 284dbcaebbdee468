/// What a backup's lock keeps the machine from doing, in logind's words (org.freedesktop.login1(5), `Inhibit()`).
public enum InhibitedAction: String, Hashable, Sendable, CaseIterable {
    case sleep, shutdown, idle
    case powerKey = "handle-power-key"
    case suspendKey = "handle-suspend-key"
    case hibernateKey = "handle-hibernate-key"
    case lidSwitch = "handle-lid-switch"
    case rebootKey = "handle-reboot-key"
}

extension [InhibitedAction] {
    /// The actions as logind's `Inhibit()` takes them: joined by colons.
    public var logindText: String { map(\.rawValue).joined(separator: ":") }
}

/// Whether the machine is woken from sleep for a backup.
public enum WakePolicy: Hashable, Sendable {
    case never, always
    /// Only on AC power.
    case ac
}

/// What the machine does after a run.
public enum AfterRun: String, Hashable, Sendable, CaseIterable {
    case nothing
    /// Back to sleep if, and only if, it was woken for this backup and nobody uses it.
    case `return`
    case suspend, hibernate, poweroff
}

/// What follows a sleep that somebody wanted, and that was refused because of lightsout's lock alone.
public enum AfterRefused: String, Hashable, Sendable, CaseIterable {
    /// The machine sleeps when the lock is gone, unless somebody uses it.
    case sleep
    case nothing
}

/// What happens when no lock is to be had.
public enum UnprotectedPolicy: String, Hashable, Sendable, CaseIterable {
    case run, fail
}

/// What a sleep of the machine during a run does to the result.
public enum SleptPolicy: String, Hashable, Sendable, CaseIterable {
    /// It is warnings at best.
    case warn
    /// Nothing; the reason tells of it.
    case ignore
}

/// What happens without AC power, at the start of a run and during it.
public enum BatteryPolicy: String, Hashable, Sendable, CaseIterable {
    case run, wait, abort
}

/// What becomes of processes that the script leaves behind when it ends.
public enum LeftoversPolicy: String, Hashable, Sendable, CaseIterable {
    /// The run goes on until they end, for `leftovers_timeout` at most.
    case wait
    /// They are ended at once.
    case kill
    /// The run ends with the script, and they live on outside of it.
    case detach
}

/// How often, and after what delay each, a run that did not succeed is tried again.
public struct RetryPolicy: Hashable, Sendable {
    /// Runs after the first; 0 means none.
    public var attempts = 0
    public var delay = TimeSpan.minutes(10)

    public init() {}
}
