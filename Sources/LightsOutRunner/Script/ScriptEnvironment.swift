public import LightsOutCore
public import Systemd

/// The environment of a script: what is listed here and nothing of the caller's.
public nonisolated struct ScriptEnvironment: Sendable {
    /// Where commands are found, whoever starts the backup.
    public static let searchPath = [
        "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin",
    ]

    public let backup: BackupName
    /// `NAME=value`, as execve(2) takes them.
    public let assignments: [String]

    /// - Parameter searchPath: the directories of `PATH`.
    public init(
        backup: BackupName, run: RunIdentifier, trigger: Trigger, script: String, user: User, searchPath: [String] = searchPath
    ) {
        self.backup = backup
        assignments = [
            "PATH=\(searchPath.joined(separator: ":"))", "HOME=\(user.home)", "USER=\(user.name)",
            "LOGNAME=\(user.name)", "SHELL=\(user.shell.isEmpty ? "/bin/sh" : user.shell)",
            "LIGHTSOUT_BACKUP=\(backup)", "LIGHTSOUT_RUN=\(run)", "LIGHTSOUT_TRIGGER=\(trigger.rawValue)",
            "LIGHTSOUT_SCRIPT=\(script)",
        ]
    }
}
