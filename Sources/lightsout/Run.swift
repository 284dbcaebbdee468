import ArgumentParser
import Glibc
import LightsOutCore
import LightsOutRunner
import Systemd

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a backup now, under a standby lock: what lightsout-backup@NAME.service calls.",
        discussion: """
            The exit status is the result: 0 success, 1 failed, 2 aborted, 3 warnings, 4 undefined, \
            75 another run is under way, 78 the script or the configuration is refused.
            """)

    @Argument(help: "The backup's name, as in NAME_backup.")
    var name: String

    func run() throws {
        try MainActor.assumeIsolated {
            let backup = try BackupName.argument(name)
            let plan = RunPlan(backup: backup, script: "/etc/lightsout/backup/\(backup)_backup")
            let trigger = TriggerNote(runtimeDirectory: "/run/lightsout").take(for: backup) ?? .manual
            let run = try BackupRun(
                plan, trigger: trigger, stateDirectory: "/var/lib/lightsout", runtimeDirectory: "/run/lightsout")
            throw ExitCode(run.perform())
        }
    }
}

extension BackupName {
    /// A name from the command line.
    static func argument(_ text: String) throws(CommandFailure) -> BackupName {
        do throws(InvalidBackupName) { return try BackupName(text) } catch {
            throw CommandFailure(message: error.description, status: ExitStatus.usage)
        }
    }
}
