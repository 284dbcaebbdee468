/// What may be said of a backup, in `defaults` or under its name; a value that is not said is the one here.
///
/// Every property is a key of the configuration file (lightsout.yaml(5)), listed with its words in `BackupKeys`.
public struct BackupSettings: Hashable, Sendable {
    /// One line for people.
    public var description = ""
    /// Absolute path; nil stands for the convention, `backup/NAME_backup` in the configuration's folder.
    public var script: String?
    /// Passed to the script as they are, never through a shell.
    public var args: [String] = []

    /// When the backup is due: at each elapse of any of these. Empty: only when asked for.
    public var schedule: [CalendarExpression] = []
    /// An elapse is put off by a time up to this, the same for each elapse of a backup on a machine.
    public var randomDelay = TimeSpan.zero
    /// Whether an elapse that was missed (off, asleep, clock jump) is made up for by one run, soon.
    public var catchUp = true

    /// Whether the machine is woken from sleep for it.
    public var wakePolicy = WakePolicy.never
    /// Whether it is woken at all.
    public var wake: Bool { wakePolicy != .never }
    public var after = AfterRun.nothing
    /// What the backup says of the five times of ``GlobalSettings`` for itself; nil: what holds for the machine.
    public var wakeLead: TimeSpan?
    public var wakeGrace: TimeSpan?
    public var wakeWait: TimeSpan?
    public var sleepGap: TimeSpan?
    public var afterDelay: TimeSpan?
    /// What the lock forbids while the backup runs.
    public var inhibit: [InhibitedAction] = [.sleep, .lidSwitch]
    public var unprotected = UnprotectedPolicy.run
    public var slept = SleptPolicy.warn
    public var battery = BatteryPolicy.run
    /// Whether the lock is held on battery power too.
    public var lockOnBattery = true

    /// The longest that a run may take; then SIGTERM, and SIGKILL after ``stopTimeout``.
    public var timeout = TimeSpan.infinity
    public var stopTimeout = TimeSpan.seconds(90)
    /// How long a restart of the machine that nobody sits and waits for waits for a run.
    public var rebootWait = TimeSpan.hours(12)
    public var leftovers = LeftoversPolicy.wait
    /// How long the run waits for processes that the script left behind.
    public var leftoversTimeout = TimeSpan.hours(1)
    public var retry = RetryPolicy()
    /// Whose rights the script has; nil is the user of the runner: root, but for an unprivileged trial.
    public var user: String?
    public var exitCodes = ExitCodes()

    /// Absolute paths that must be mount points before the script starts.
    public var requiresMounts: [String] = []
    public var requiresNetwork = false
    /// No success for so long is worth a warning, also where nothing ever failed; ``TimeSpan/infinity`` is never.
    public var staleAfter = TimeSpan.infinity

    public init() {}
}

/// One backup: its name, its settings, and where they were said.
///
/// The settings are read as its own: `backup.timeout`.
@dynamicMemberLookup
public struct BackupConfiguration: Hashable, Sendable {
    public let name: BackupName
    public var settings: BackupSettings
    /// The script's absolute path, said or by the convention.
    public let script: String
    /// Where the configuration names the backup; nil where only its script does.
    public let place: SourcePlace?

    /// - Parameter directories: where the script is by the convention.
    public init(
        name: BackupName, settings: BackupSettings = BackupSettings(), directories: Directories, place: SourcePlace? = nil
    ) {
        self.name = name
        self.settings = settings
        self.script = settings.script ?? directories.script(of: name)
        self.place = place
    }

    public subscript<Value>(dynamicMember setting: KeyPath<BackupSettings, Value>) -> Value { settings[keyPath: setting] }
}

/// A place in a file of the configuration.
public struct SourcePlace: Hashable, Sendable, CustomStringConvertible {
    public let file: String
    public let position: SourcePosition

    public init(file: String, position: SourcePosition) {
        self.file = file
        self.position = position
    }

    /// `file:line:column`, as compilers write it and editors find it.
    public var description: String { "\(file):\(position.line):\(position.column)" }
}
