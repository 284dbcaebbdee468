/// Everything that the configuration files say: `lightsout.yaml`, then `backups.d/*.yaml` in name order.
public struct Configuration: Hashable, Sendable {
    public var global = GlobalSettings()
    /// What holds for every backup that does not say otherwise: `defaults` of `lightsout.yaml`.
    public var defaults = BackupSettings()
    /// The backups that the files name. Those that only have a script come in with ``BackupCatalogue``.
    public var backups: [BackupName: BackupConfiguration] = [:]
    /// The files that were read, in their order.
    public var files: [String] = []

    public init() {}
}

/// What is said once for the machine, in `lightsout.yaml` only. A backup may have the five times for itself
/// (``BackupSettings``).
public struct GlobalSettings: Hashable, Sendable {
    /// The most backups that run at a time; 0 is no limit.
    public var maxParallel = 0
    /// How long before an elapse the machine is woken for it.
    public var wakeLead = TimeSpan.minutes(1)
    /// How long after a wake-up a due backup may wait for the network.
    public var wakeGrace = TimeSpan.seconds(10)
    /// How long the machine is kept awake for a due backup with `wake` that cannot begin yet.
    public var wakeWait = TimeSpan.minutes(15)
    /// A backup that is due this soon keeps the machine from going back to sleep.
    public var sleepGap = TimeSpan.minutes(10)
    /// How long before it sleeps (or powers off) after a backup the machine says so, for somebody to cancel it.
    public var afterDelay = TimeSpan.minutes(2)
    /// What follows a sleep that was refused because of a backup's lock.
    public var afterRefused = AfterRefused.sleep

    public init() {}
}
