/// How a run ended, with what led to it: a result, and the exit status or signal of its script where it had one.
public struct Outcome: Hashable, Sendable {
    public var result: RunResult
    /// The script's exit status; nil where it did not exit by itself.
    public var exitStatus: Int32?
    /// The signal that ended the script; nil where none did.
    public var signal: Int32?
    /// One sentence for people that says more than the result; nil where there is no more.
    public var reason: String?

    public init(_ result: RunResult, exitStatus: Int32? = nil, signal: Int32? = nil, reason: String? = nil) {
        self.result = result
        self.exitStatus = exitStatus
        self.signal = signal
        self.reason = reason
    }
}

extension Outcome {
    /// Reasons that the schedule goes by, beside the result; they are stored and compared as they are.
    public enum Reason {
        /// A person asked for the end: nothing to be tried again.
        public static let stopped = "stopped on request"
        /// The run ended with the machine: to be made up for, once.
        public static let machineWentDown = "the machine went down during the run (reboot, or loss of power)"
    }
}

extension Outcome {
    /// Whether a person asked for the end.
    public var wasStopped: Bool { begins(with: Reason.stopped) }
    /// Whether the run ended with the machine.
    public var endedWithMachine: Bool { begins(with: Reason.machineWentDown) }

    /// Notes may follow a reason: ``noting(_:)``.
    private func begins(with word: String) -> Bool { reason == word || reason?.hasPrefix("\(word); ") == true }
}

/// How a script's process ended, as waitid(2) tells it.
public enum ScriptEnd: Hashable, Sendable {
    case exited(Int32)
    case killed(signal: Int32)
}

extension Outcome {
    /// The outcome that a script's end means, where nothing but the script decided it.
    /// - Parameter exitCodes: what the configuration says of exit statuses; the others mean what they do everywhere.
    public init(_ end: ScriptEnd, exitCodes: ExitCodes) {
        switch end {
        case .exited(let status):
            let result = exitCodes.result(ofStatus: status)
            self.init(
                result, exitStatus: status,
                reason: result == .success && status == 0 ? nil : "the script exited with status \(status)")
        case .killed(let signal):
            self.init(.aborted, signal: signal, reason: "the script was ended by \(SignalName.of(signal))")
        }
    }

    /// The same run held to be no better than `result`, and why; a worse outcome stays as it is.
    public func atBest(_ result: RunResult, because reason: String) -> Outcome {
        guard self.result.worse(than: result) != self.result else { return self }
        var outcome = self
        outcome.result = result
        outcome.reason = reason
        return outcome
    }
}

extension Outcome {
    /// The same result, with `note` after the reason; nil changes nothing.
    public func noting(_ note: String?) -> Outcome {
        guard let note else { return self }
        var outcome = self
        outcome.reason = reason.map { "\($0); \(note)" } ?? note
        return outcome
    }
}

extension ScriptEnd {
    /// The end as the rest of a sentence: `with exit status 0`, `by SIGTERM`.
    public var phrase: String {
        switch self {
        case .exited(let status): "with exit status \(status)"
        case .killed(let signal): "by \(SignalName.of(signal))"
        }
    }
}

/// The names of signals, as in signal(7).
public enum SignalName {
    private static let names: [Int32: String] = [
        1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
        9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
        24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
    ]

    /// `SIGTERM` for 15; `signal 40` where it has no name.
    public static func of(_ signal: Int32) -> String { names[signal] ?? "signal \(signal)" }
}
