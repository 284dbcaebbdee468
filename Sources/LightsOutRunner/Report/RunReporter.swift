import Glibc
public import LightsOutCore
import Systemd

/// Reports from inside a run straight to its runner: with no bus and no daemon, and for a run that was begun by hand,
/// which is in no unit that would show what it is.
public nonisolated struct RunReporter {
    /// The backup that is run.
    public let backup: BackupName
    private let run: RunIdentifier
    private let runtimeDirectory: String

    /// The reporter of the run that `environment` speaks of (``ScriptEnvironment``); nil where it speaks of none. That
    /// proves nothing: the inbox decides who may report.
    public init?(environment: (String) -> String?, runtimeDirectory: String) {
        guard let backup = environment("LIGHTSOUT_BACKUP").flatMap({ try? BackupName($0) }),
            let run = environment("LIGHTSOUT_RUN").flatMap({ RunIdentifier($0) })
        else { return nil }
        self.backup = backup
        self.run = run
        self.runtimeDirectory = runtimeDirectory
    }

    /// Hands `report` to the runner. One that has its hands full is given two seconds.
    /// - Throws: ``ReportSocket/Failure``; `noRun` and `notAllowed` mean that the daemon is to be asked.
    public func send(_ report: ScriptReport) throws(ReportSocket.Failure) {
        var patience = 100
        while true {
            do throws(ReportSocket.Failure) {
                return try ReportSocket.send(report, about: run, of: backup, runtimeDirectory: runtimeDirectory)
            } catch {
                guard error == .busy, patience > 0 else { throw error }
                patience -= 1
                usleep(20_000)
            }
        }
    }
}
