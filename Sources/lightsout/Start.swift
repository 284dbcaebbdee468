import ArgumentParser
import LightsOutCore
import LightsOutService

struct Start: Command {
    static let configuration = CommandConfiguration(
        abstract: "Start a backup now, and wait for its result.",
        discussion: """
            The exit status is the result: 0 success, 1 failed, 2 aborted, 3 warnings, 4 undefined, 75 it is running \
            already, 78 the script or the configuration is refused. Ctrl-C ends the waiting, never the backup.
            """)

    @Argument(help: "The backup.", completion: .backupNames)
    var name: String

    @Flag(help: "Do not wait for the result.")
    var noWait = false

    func run(in surroundings: Surroundings) throws {
        let start = try StartCommand(try BackupName.argument(name), surroundings)
        if noWait { return try start.runWithoutWaiting() }
        throw ExitCode(try start.run())
    }
}
