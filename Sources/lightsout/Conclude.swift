import ArgumentParser
import Glibc
import LightsOutCore
import LightsOutRunner
import Systemd

/// What the unit calls when it has ended (`ExecStopPost=`): it gives a run whose runner was killed the end that the
/// runner could not write. After an ordinary run there is nothing to do.
struct Conclude: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Record the end of a run whose runner was killed.", shouldDisplay: false)

    @Argument var name: String

    func run() throws { try Self.conclude(name) }

    /// Records the end of the run of the backup called `name`, where nobody else has.
    static func conclude(_ name: String) throws {
        try MainActor.assumeIsolated {
            ProcessStanding.take()
            let backup = try BackupName.argument(name)
            // Where another run is under way the state is that one's.
            let directories = Directories.ofThisProcess
            guard let exclusion = try? RunExclusion(backup, runtimeDirectory: directories.runtime) else { return }
            let settled = PreviousRun(
                backup, store: RunStateStore(directory: directories.state), noted: exclusion.previous,
                log: RunLog(isUnit: true)
            ).settle(because: reason())
            if let settled { exclusion.note(settled) }
        }
    }

    /// What systemd says of the unit's main process (systemd.exec(5), `$SERVICE_RESULT`).
    private static func reason() -> String? {
        guard let result = getenv("SERVICE_RESULT").map({ String(cString: $0) }) else { return nil }
        let status = getenv("EXIT_STATUS").map { String(cString: $0) } ?? "?"
        switch result {
        case "oom-kill": return "the kernel killed its runner: out of memory"
        case "timeout": return "systemd ended it at a timeout of its unit"
        case "signal", "core-dump": return "its runner was killed (SIG\(status))"
        case "watchdog": return "systemd ended it: its watchdog was not answered"
        default: return "its runner ended without a result (\(result), status \(status))"
        }
    }
}
