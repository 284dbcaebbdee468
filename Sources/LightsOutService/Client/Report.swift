import CLinux
import Glibc
public import LightsOutCore
import LightsOutRunner
import Systemd

/// Sends a report: what a script says of the backup that it makes. From inside a run it goes to the run's runner, from
/// elsewhere to the daemon.
public struct Report {
    private let arguments: ReportArguments
    /// The name that is used where nothing tells another.
    private static let defaultName = "client"

    public init(_ arguments: ReportArguments) { self.arguments = arguments }

    /// Sends it, in the order in which things happen: started, progress, finished. When this returns after a start,
    /// standby is blocked.
    public func send() throws(CommandFailure) {
        if try sendToRunner() { return }
        let name = arguments.name?.text ?? Self.nameOfCaller
        do throws(BusError) {
            let client = try ServiceClient()
            if arguments.started {
                let caller = try Self.caller()
                // It is answered when standby is blocked: after a resume that takes its time, not before.
                try client.call(
                    "ReportStarted", patience: ServiceClient.patienceWithPeople, interactive: ServiceClient.mayAsk
                ) { (message) throws(BusError) in
                    try message.append(name)
                    try message.append(descriptor: caller.number)
                }
            }
            if let progress = arguments.progress {
                try client.call("ReportProgress") { (message) throws(BusError) in
                    try message.append(name)
                    try message.append(progress)
                }
            }
            if let finished = arguments.finished {
                try client.call("ReportFinished") { (message) throws(BusError) in
                    try message.append(name)
                    try message.append(finished)
                }
            }
        } catch { throw error.commandFailure }
    }

    /// Tells the runner of the run that we are in.
    /// - Returns: false where there is none that hears us; the daemon is to be told then.
    private func sendToRunner() throws(CommandFailure) -> Bool {
        let directories = Directories.ofThisProcess
        guard
            let reporter = RunReporter(
                environment: { name in getenv(name).map { String(cString: $0) } }, runtimeDirectory: directories.runtime)
        else { return false }
        // Without effect, as the run has begun; it shows whether somebody hears us.
        guard try heard(reporter, .started) else { return false }
        if let name = arguments.name, name != reporter.backup {
            throw CommandFailure(
                message: "this is a run of \(reporter.backup), and its reports are about itself and not about \(name)",
                status: ExitStatus.notAllowed)
        }
        if let progress = arguments.progress, try !heard(reporter, .progress(progress)) { return false }
        if let result = arguments.finished.flatMap({ RunResult(reportCode: $0) }) {
            return try heard(reporter, .finished(result))
        }
        return true
    }

    private func heard(_ reporter: RunReporter, _ report: ScriptReport) throws(CommandFailure) -> Bool {
        do throws(ReportSocket.Failure) {
            try reporter.send(report)
            return true
        } catch {
            guard error == .busy else { return false }
            throw CommandFailure(
                message: "the run of \(reporter.backup) does not take reports in time. Report again later",
                status: ExitStatus.tryLater)
        }
    }

    /// The backup whose run we are in, by our unit, or by what the runner told a script that runs in no unit.
    private static var nameOfCaller: String {
        if let name = Identity.unit().flatMap({ BackupName(unit: $0) }) { return name.text }
        let told = getenv("LIGHTSOUT_BACKUP").flatMap { try? BackupName(String(cString: $0)) }
        return told?.text ?? defaultName
    }

    /// The process that called us, whose end is the end of its report.
    private static func caller() throws(BusError) -> Descriptor {
        do throws(SystemError) {
            return Descriptor(
                owning: try retryingInterrupts("look at the process that called lightsout") {
                    lo_pidfd_open(getppid())
                })
        } catch { throw BusError(error) }
    }
}
