/// What a script reports of its own backup: `lightsout -r`, `-p N`, `-f R`.
public enum ScriptReport: Hashable, Sendable {
    case started
    /// Percent, 0…100.
    case progress(UInt8)
    case finished(RunResult)
}

/// A report about one run as it goes to the run's runner: one datagram of `key=value` lines.
public struct ReportDatagram: Hashable, Sendable {
    /// A longer datagram is no report.
    public static let maximumLength = 256

    /// The run that the report is about: one that comes late is not taken for the next run's.
    public var run: RunIdentifier
    public var report: ScriptReport

    public init(run: RunIdentifier, report: ScriptReport) {
        self.run = run
        self.report = report
    }

    public var text: String {
        switch report {
        case .started: "run=\(run)\nstarted=1\n"
        case .progress(let percent): "run=\(run)\nprogress=\(percent)\n"
        case .finished(let result): "run=\(run)\nfinished=\(result.rawValue)\n"
        }
    }

    /// Reads what ``text`` wrote; nil for anything else.
    public init?(text: String) {
        guard text.utf8.count <= Self.maximumLength, var values = try? StateLines(text),
            let run = try? values.required("run", { RunIdentifier($0) })
        else { return nil }
        self.run = run
        if let percent = try? values.optional("progress", { UInt8($0) }) {
            guard percent <= 100 else { return nil }
            report = .progress(percent)
        } else if let result = try? values.optional("finished", { RunResult(word: $0) }) {
            report = .finished(result)
        } else if (try? values.required("started") { $0 == "1" ? true : nil }) != nil {
            report = .started
        } else {
            return nil
        }
        guard (try? values.expectNothingMore()) != nil else { return nil }
    }
}

extension Outcome {
    /// The outcome of a run whose script has also reported a result: that result where the script exited with success,
    /// for it is the more precise; the worse of the two where it did not. A run that was stopped stays so.
    public func reported(_ report: RunResult) -> Outcome {
        let result = self.result == .success ? report : self.result.worse(than: report)
        guard result != self.result else { return self }
        var outcome = self
        outcome.result = result
        let exit = exitStatus.map { $0 == 0 ? "" : ", and exited with status \($0)" } ?? ""
        outcome.reason = "the script reported \"\(report.rawValue)\"\(exit)"
        return outcome
    }
}
