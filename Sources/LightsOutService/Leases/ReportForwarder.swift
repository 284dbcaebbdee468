import LightsOutCore
import LightsOutRunner
import Systemd

/// Passes reports from inside a run on to the run's runner. A runner whose queue is full is tried again; of progress only
/// the last value waits meanwhile.
final class ReportForwarder {
    private struct Waiting {
        let run: RunIdentifier
        var progress: UInt8?
        var results: [(result: RunResult, answer: (BusError?) -> Void)] = []
        var attempts = 0
    }

    private let loop: EventLoop
    private let runtimeDirectory: String
    private var waiting: [BackupName: Waiting] = [:]
    private var timer: EventSource?

    /// How often a runner whose queue is full is tried, and how many times.
    private static let interval: UInt64 = 50_000
    private static let mostAttempts = 100
    /// Results of one run that wait at a time.
    private static let mostResults = 16

    init(loop: EventLoop, runtimeDirectory: String) {
        self.loop = loop
        self.runtimeDirectory = runtimeDirectory
    }

    /// Passes on how far the run is; it arrives, if not at once.
    func progress(_ percent: UInt8, _ run: RunIdentifier, of backup: BackupName) throws(BusError) {
        if waiting[backup]?.run == run {
            waiting[backup]?.progress = percent
            return
        }
        do throws(ReportSocket.Failure) { try send(.progress(percent), run, backup) } catch {
            guard error == .busy else { throw Self.busError(error, backup) }
            waiting[backup] = Waiting(run: run, progress: percent)
            tryLater()
        }
    }

    /// Passes on the result; `answer` is told when the runner has it.
    func finish(
        _ result: RunResult, _ run: RunIdentifier, of backup: BackupName, answer: @escaping (BusError?) -> Void
    ) throws(BusError) {
        if waiting[backup]?.run != run {
            do throws(ReportSocket.Failure) {
                try send(.finished(result), run, backup)
                return answer(nil)
            } catch {
                guard error == .busy else { throw Self.busError(error, backup) }
                waiting[backup] = Waiting(run: run)
                tryLater()
            }
        }
        guard (waiting[backup]?.results.count ?? 0) < Self.mostResults else { throw Self.busError(.busy, backup) }
        waiting[backup]?.results.append((result, answer))
    }

    private func send(_ report: ScriptReport, _ run: RunIdentifier, _ backup: BackupName) throws(ReportSocket.Failure) {
        try ReportSocket.send(report, about: run, of: backup, runtimeDirectory: runtimeDirectory)
    }

    private func tryLater() {
        if timer == nil { timer = try? loop.after(Self.interval) { [unowned self] in tryAgain() } }
    }

    private func tryAgain() {
        timer = nil
        for backup in waiting.keys { tryAgain(backup) }
        if !waiting.isEmpty { tryLater() }
    }

    private func tryAgain(_ backup: BackupName) {
        guard var left = waiting.removeValue(forKey: backup) else { return }
        do throws(ReportSocket.Failure) {
            if let percent = left.progress { try send(.progress(percent), left.run, backup) }
            left.progress = nil
            while let first = left.results.first {
                try send(.finished(first.result), left.run, backup)
                left.results.removeFirst()
                first.answer(nil)
            }
        } catch {
            left.attempts += 1
            guard error == .busy, left.attempts < Self.mostAttempts else {
                for (_, answer) in left.results { answer(Self.busError(error, backup)) }
                return
            }
            waiting[backup] = left
        }
    }

    private static func busError(_ failure: ReportSocket.Failure, _ backup: BackupName) -> BusError {
        switch failure {
        case .noRun, .notAllowed:
            BusError(name: BusError.notRunning, message: "no run of \(backup) is under way that takes reports")
        case .busy:
            BusError(name: BusError.limitsExceeded, message: "the run of \(backup) has more reports than it can take. Try again")
        case .system(let error): BusError(error)
        }
    }
}
