/// What the machine must still know of a backup's runs after a crash or a loss of power: the run that is under way or
/// was the last, and the last success. One small text file a backup holds it (`/var/lib/lightsout/NAME.run`).
///
/// The journal is the record of results; this is what makes that record hold exactly one end for each run. ``recorded``
/// is false from the moment the outcome is durable until its record has been handed to the journal: whoever finds a
/// run that is under way without a runner, or ended and not recorded, writes the record that is missing.
public struct RunState: Hashable, Sendable {
    public enum Phase: Hashable, Sendable {
        /// The run goes on, in the boot and process named; `pid` alone proves nothing, pids are used again.
        case running(boot: String, pid: Int32)
        case ended(Outcome, at: Timestamp, recorded: Bool)
    }

    public var run: RunIdentifier
    public var trigger: Trigger
    public var started: Timestamp
    public var phase: Phase
    public var lastSuccess: Timestamp?
    /// The last run that the schedule asked for, where that is another one.
    public var lastScheduled: RunIdentifier?
    /// Who reported the run, where no runner of ours makes it.
    public var reporter: Reporter?
    /// How far the run is, percent, as its script reported; nil where it did not, or is over.
    public var progress: UInt8?

    /// What is known of it beyond its result: see ``RunNotes``.
    public var notes = RunNotes()

    /// Who reports a run: kept after its end too, for a name stays its reporter's.
    public struct Reporter: Hashable, Sendable {
        public var uid: UInt32
        /// When the process that the run is bound to began, in the kernel's ticks since boot (proc_pid_stat(5)): with the
        /// pid it names one process of a boot.
        public var processStart: UInt64

        public init(uid: UInt32, processStart: UInt64) {
            self.uid = uid
            self.processStart = processStart
        }
    }

    public init(
        run: RunIdentifier, trigger: Trigger, started: Timestamp, phase: Phase, lastSuccess: Timestamp? = nil,
        reporter: Reporter? = nil, progress: UInt8? = nil
    ) {
        self.run = run
        self.trigger = trigger
        self.started = started
        self.phase = phase
        self.lastSuccess = lastSuccess
        self.reporter = reporter
        self.progress = progress
    }

    /// Whether it says anything about a backup of the configuration. What users who are not root report does not: they could
    /// report under a name before root gives it to a backup.
    public var countsForConfigured: Bool { reporter.map { $0.uid == 0 } ?? true }

    /// Whether a person or another program began it, not the schedule.
    public var isManual: Bool { trigger == .manual || trigger == .report }

    /// The run, or else the last one before it, that the schedule asked for.
    public var scheduledRun: RunIdentifier? { isManual ? lastScheduled : run }

    /// The same run, with what of the one before it has to be known on.
    public func following(_ last: RunState?) -> RunState {
        var state = self
        let last = last.flatMap { $0.countsForConfigured || $0.reporter?.uid == reporter?.uid ? $0 : nil }
        state.lastSuccess = last?.lastSuccess
        state.lastScheduled = isManual ? last?.scheduledRun : nil
        if isManual { state.notes.start = last?.notes.start }
        return state
    }

    /// The same run, ended; a success becomes the last one.
    public func ended(_ outcome: Outcome, at time: Timestamp, recorded: Bool) -> RunState {
        var state = self
        state.phase = .ended(outcome, at: time, recorded: recorded)
        state.progress = nil
        state.notes.script = nil
        if state.notes.scriptEnded != nil {
            // What was left running is gone now.
            state.notes.problem = nil
            state.notes.scriptEnded = nil
        }
        // A backup with warnings is a backup: what could be saved is saved.
        if outcome.result == .success || outcome.result == .warnings { state.lastSuccess = time }
        return state
    }
}

extension RunState {
    private static let header = "# lightsout: the last run of this backup. Written by lightsout; not to be edited."
    /// `recorded=` is the last line and its value one character, so that it can be set in place, in one write of one byte.
    private static let recordedKey = "recorded"

    /// The file's whole text; its last two bytes are the value of `recorded` and the newline.
    public var text: String {
        var lines = [
            Self.header, "version=1", "run=\(run)", "trigger=\(trigger.rawValue)", "started=\(started.microseconds)",
        ]
        if let lastSuccess { lines.append("last_success=\(lastSuccess.microseconds)") }
        if let lastScheduled { lines.append("last_scheduled=\(lastScheduled)") }
        if let reporter { lines += ["reporter=\(reporter.uid)", "process_start=\(reporter.processStart)"] }
        lines += notes.lines
        if let progress { lines.append("progress=\(Self.threeDigits(progress))") }
        switch phase {
        case .running(let boot, let pid):
            lines += ["boot=\(boot)", "pid=\(pid)", "\(Self.recordedKey)=0"]
        case .ended(let outcome, let time, let recorded):
            lines += ["ended=\(time.microseconds)", "result=\(outcome.result.rawValue)"]
            if let status = outcome.exitStatus { lines.append("exit_status=\(status)") }
            if let signal = outcome.signal { lines.append("signal=\(signal)") }
            if let reason = outcome.reason {
                lines.append("reason=\(String(reason.map { $0.isNewline ? " " : $0 }))")
            }
            lines.append("\(Self.recordedKey)=\(recorded ? 1 : 0)")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Reads what ``text`` wrote.
    /// - Throws: ``DamagedState`` for anything else: a state that is half right is not believed by half.
    public init(text: String) throws(DamagedState) {
        var values = try StateLines(text)
        try values.expectVersion("1")
        let run = try values.required("run") { RunIdentifier($0) }
        let trigger = try values.required("trigger") { Trigger(rawValue: String($0)) }
        let started = try values.required("started") { Int64($0).map(Timestamp.init(microseconds:)) }
        let lastSuccess = try values.optional("last_success") { Int64($0).map(Timestamp.init(microseconds:)) }
        let lastScheduled = try values.optional("last_scheduled") { RunIdentifier($0) }
        var reporter: Reporter?
        if let uid = try values.optional("reporter", { UInt32($0) }) {
            reporter = Reporter(uid: uid, processStart: try values.required("process_start") { UInt64($0) })
        }
        let progress = try values.optional("progress") { UInt8($0).flatMap { $0 <= 100 ? $0 : nil } }
        let recorded = try values.required(Self.recordedKey) { $0 == "1" ? true : $0 == "0" ? false : nil }
        let phase: Phase
        if let boot = try values.optional("boot", { String($0) }) {
            phase = .running(boot: boot, pid: try values.required("pid") { Int32($0) })
        } else {
            let outcome = Outcome(
                try values.required("result") { RunResult(rawValue: String($0)) },
                exitStatus: try values.optional("exit_status") { Int32($0) },
                signal: try values.optional("signal") { Int32($0) },
                reason: try values.optional("reason") { String($0) })
            let ended = try values.required("ended") { Int64($0).map(Timestamp.init(microseconds:)) }
            phase = .ended(outcome, at: ended, recorded: recorded)
        }
        try values.expectNothingMore()
        self.init(
            run: run, trigger: trigger, started: started, phase: phase, lastSuccess: lastSuccess, reporter: reporter,
            progress: progress)
        self.lastScheduled = lastScheduled
        notes = RunNotes(text: text)
    }

    /// Of one length whatever the number: a text that is written over one that said less is whole at every instant.
    private static func threeDigits(_ number: UInt8) -> String {
        let digits = String(number)
        return String(repeating: "0", count: 3 - digits.count) + digits
    }
}
