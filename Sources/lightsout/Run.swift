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

    func run() throws { try Self.run(name) }

    /// Runs the backup called `name`.
    /// - Throws: `ExitCode`, the run's exit status, or a ``CommandFailure``.
    static func run(_ name: String) throws -> Never {
        try MainActor.assumeIsolated {
            ProcessStanding.take()
            let backup = try BackupName.argument(name)
            let directories = Directories.ofThisProcess
            // The note is for the unit that the daemon starts; who runs it by hand meanwhile is somebody else.
            let note = TriggerNote(runtimeDirectory: directories.runtime)
            let start = Identity.unit() == backup.unit ? note.take(for: backup) : nil
            // What is due runs by the configuration that made it due.
            let run = try BackupRun(backup, start: start ?? TriggerNote.Contents(.manual), directories: directories) {
                start.flatMap { _ in AcceptedConfiguration(directories).read() } ?? ConfigurationLoader.load(directories)
            }
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
