public import LightsOutCore

/// What the configuration says of one run, with every default filled in.
public nonisolated struct RunPlan: Sendable {
    /// What happens where no standby lock is to be had.
    public enum Unprotected: Sendable { case run, fail }

    public var backup: BackupName
    /// Absolute path.
    public var script: String
    public var arguments: [String]
    /// What the lock inhibits, in logind's words.
    public var inhibit: [String]
    public var unprotected: Unprotected
    public var timeout: TimeSpan
    public var stopTimeout: TimeSpan
    /// The account that the script runs as; nil is our own.
    public var user: String?
    public var exitCodes: [Int32: RunResult]

    public init(
        backup: BackupName, script: String, arguments: [String] = [],
        inhibit: [String] = ["sleep", "handle-lid-switch"], unprotected: Unprotected = .run,
        timeout: TimeSpan = .infinity, stopTimeout: TimeSpan = .seconds(90), user: String? = nil,
        exitCodes: [Int32: RunResult] = [:]
    ) {
        self.backup = backup
        self.script = script
        self.arguments = arguments
        self.inhibit = inhibit
        self.unprotected = unprotected
        self.timeout = timeout
        self.stopTimeout = stopTimeout
        self.user = user
        self.exitCodes = exitCodes
    }

    /// The unit that runs the backup.
    public var unit: String { Self.unit(of: backup) }
    public static func unit(of backup: BackupName) -> String { "lightsout-backup@\(backup).service" }

    /// What the lock inhibits, as a status line says it: `sleep, lid switch`.
    public var inhibitForPeople: String {
        inhibit.map { what in
            let words = what.hasPrefix("handle-") ? what.dropFirst("handle-".count) : what[...]
            return words.split(separator: "-").joined(separator: " ")
        }.joined(separator: ", ")
    }
}
