import LightsOutCore
import Systemd

/// What the script of one run has reported: the last result, and how far it is, no more often than somebody can look.
final class RunReports {
    private var inbox: ReportInbox?
    private var throttle: ProgressThrottle?
    private var reportedResult: RunResult?
    private var news: UInt8?
    /// Percent; nil until the script reports it.
    private(set) var progress: UInt8?

    init(_ backup: BackupName, _ run: RunIdentifier, runtimeDirectory: String, user: User, loop: EventLoop) throws(SystemError) {
        throttle = ProgressThrottle(loop: loop) { [unowned self] percent in
            progress = percent
            news = percent
        }
        inbox = try ReportInbox(backup, run, runtimeDirectory: runtimeDirectory, user: user, loop: loop) {
            [unowned self] report in
            switch report {
            // The run has begun: that is what it is in.
            case .started: break
            case .progress(let percent): throttle?.report(percent)
            case .finished(let result): reportedResult = result
            }
        }
    }

    /// The progress, where it has changed since this was last asked.
    func takeNews() -> UInt8? {
        defer { news = nil }
        return news
    }

    /// The last result that was reported, up to the last datagram: a script may end before its report has been read.
    func result() -> RunResult? {
        inbox?.drain()
        return reportedResult
    }

    func close() { inbox?.close() }
}
