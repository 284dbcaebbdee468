import CLinux
import Glibc
public import LightsOutCore
public import Systemd

/// Where a runner hears what its script reports: a datagram socket in the runtime directory
/// (`/run/lightsout/NAME.report`) that the script's user can write to, and root. It needs neither bus nor daemon.
///
/// The file's mode is the whole of the permission: what may write to it may as well be the script.
public final class ReportInbox {
    private let directory: Descriptor
    private let socket: Descriptor
    private let fileName: String
    private let run: RunIdentifier
    private let handler: (ScriptReport) -> Void
    private var source: EventSource?

    /// Opens the inbox of `run`, which holds the ``RunExclusion`` of `backup`.
    /// - Parameters:
    ///   - user: whom the script runs as.
    ///   - handler: told of each report about `run`; anything else that arrives is passed by.
    public init(
        _ backup: BackupName, _ run: RunIdentifier, runtimeDirectory: String, user: User, loop: EventLoop,
        handler: @escaping (ScriptReport) -> Void
    ) throws(SystemError) {
        let directory = try AtomicFile.openDirectory(runtimeDirectory, mode: 0o755)
        let name = ReportSocket.fileName(backup)
        // Only a runner that was killed has left one behind.
        unlinkat(directory.number, name, 0)
        let number = directory.number
        let socket = Descriptor(
            owning: try retryingInterrupts("make \(runtimeDirectory)/\(name)") {
                // By the directory's descriptor: a path of any length fits into a socket's address.
                lo_datagram_inbox("/proc/self/fd/\(number)/\(name)", 0o600)
            })
        if user.uid != geteuid() {
            try retryingInterrupts("give \(runtimeDirectory)/\(name) to \(user.name)") {
                fchownat(number, name, user.uid, user.gid, AT_SYMLINK_NOFOLLOW)
            }
        }
        self.directory = directory
        self.socket = socket
        self.run = run
        self.handler = handler
        fileName = name
        source = try loop.onEvents(Linux.canBeRead, of: self.socket.number) { [unowned self] _ in drain() }
    }

    /// Hears what has arrived; the event loop does so too.
    public func drain() {
        var buffer = [UInt8](repeating: 0, count: ReportDatagram.maximumLength + 1)
        // No more in one go than a queue holds: who sends without end does not keep the runner from its work.
        for _ in 0..<Self.mostAtOnce {
            let count = recv(socket.number, &buffer, buffer.count, 0)
            guard count >= 0 else { return }
            guard let text = String(validating: buffer[..<count], as: UTF8.self), let datagram = ReportDatagram(text: text),
                datagram.run == run
            else { continue }
            handler(datagram.report)
        }
    }

    private static let mostAtOnce = 512

    /// Takes the inbox away. It must come before the ``RunExclusion`` is given back: the next run has one of its own.
    public func close() {
        source = nil
        unlinkat(directory.number, fileName, 0)
    }
}

/// The other side of ``ReportInbox``.
public nonisolated enum ReportSocket {
    /// Why a report did not arrive.
    public enum Failure: Error, Equatable {
        /// No run of the backup is under way.
        case noRun
        /// The runner has more waiting than it can take: try again in a moment.
        case busy
        /// The run is another user's.
        case notAllowed
        case system(SystemError)
    }

    /// Hands `report` about `run` to the runner of `backup`; it is in the runner's queue when this returns.
    public static func send(
        _ report: ScriptReport, about run: RunIdentifier, of backup: BackupName, runtimeDirectory: String
    ) throws(Failure) {
        do throws(SystemError) {
            let directory = try Descriptor.open(runtimeDirectory, O_RDONLY | O_DIRECTORY)
            let bytes = Array(ReportDatagram(run: run, report: report).text.utf8)
            let path = "/proc/self/fd/\(directory.number)/\(fileName(backup))"
            try retryingInterrupts("report to the run of \(backup)") { lo_send_datagram(path, bytes, bytes.count) }
        } catch {
            switch error.code {
            case ENOENT, ECONNREFUSED: throw .noRun
            case EAGAIN, ENOBUFS: throw .busy
            case EACCES, EPERM: throw .notAllowed
            default: throw .system(error)
            }
        }
    }

    /// Whom the script of the run under way runs as; nil where no run takes reports.
    public static func owner(of backup: BackupName, runtimeDirectory: String) -> UInt32? {
        var status = stat()
        guard lstat("\(runtimeDirectory)/\(fileName(backup))", &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return nil }
        return status.st_uid
    }

    static func fileName(_ backup: BackupName) -> String { "\(backup).report" }
}
