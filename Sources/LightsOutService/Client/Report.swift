import CLinux
import Glibc
public import LightsOutCore
import Systemd

/// Sends a report to the daemon: what a script says of the backup that it makes.
public struct Report {
    private let arguments: ReportArguments
    /// The name that is used where nothing tells another.
    private static let defaultName = "client"

    public init(_ arguments: ReportArguments) { self.arguments = arguments }

    /// Sends it, in the order in which things happen: started, progress, finished. When this returns after a start,
    /// standby is blocked.
    public func send() throws(CommandFailure) {
        let name = arguments.name?.text ?? Self.nameOfCaller
        do throws(BusError) {
            let client = try ServiceClient()
            if arguments.started {
                let caller = try Self.caller()
                try client.call("ReportStarted") { (message) throws(BusError) in
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
