/// What a run's state tells beyond the run itself: that the script has ended while its processes live on, what people
/// should know of the run, and the processes that no signal could end.
///
/// In the state file these are comment lines that begin with `#:`. Version 0.1 takes any other unknown line for damage and
/// skips comments, so both versions read each other's files. An unknown note, or a wrong one, is ignored.
public struct RunNotes: Hashable, Sendable {
    /// When the script ended, while the run goes on for what it left behind.
    public var scriptEnded: Timestamp?
    /// Whether the run has begun, so that the journal is to have a started record of it.
    public var begun = false
    /// Which of the daemon's starts the run, or else the last one before it that the schedule asked for, came of: the number
    /// that the daemon left for it. A daemon that did not live to see the run knows by it that its start became one.
    public var start: UInt64?
    /// The script's process, while the run goes on.
    public var script: Script?
    /// Whether the configuration or the script did not permit the run, so that the journal is to have a refused record of it.
    public var refused = false
    /// What became of its lock: the journal is to have a record of each.
    public var locks: [JournalRecord.LockChange] = []
    /// What people should know of the run, in one line.
    public var problem: String?
    /// Processes that were still there when the run ended, although SIGKILL was sent to them.
    public var stuck: [StuckProcess] = []

    public init() {}

    /// The script's process, which leads a session of its own. Its pid and its start together name one process of a boot.
    public struct Script: Hashable, Sendable {
        public var pid: Int32
        /// In the kernel's ticks since boot (proc_pid_stat(5)).
        public var start: UInt64
        /// The user that it runs as.
        public var uid: UInt32

        public init(pid: Int32, start: UInt64, uid: UInt32) {
            self.pid = pid
            self.start = start
            self.uid = uid
        }
    }

    /// Takes over what is known of what the script left behind.
    public mutating func take(_ leftovers: RunNotes) {
        scriptEnded = leftovers.scriptEnded
        problem = leftovers.problem
        stuck = leftovers.stuck
    }

    /// A process that SIGKILL did not end. Its pid and its start together name one process of a boot.
    public struct StuckProcess: Hashable, Sendable {
        public var pid: Int32
        /// In the kernel's ticks since boot (proc_pid_stat(5)).
        public var start: UInt64
        /// Since when it was seen not to react.
        public var since: Timestamp

        public init(pid: Int32, start: UInt64, since: Timestamp) {
            self.pid = pid
            self.start = start
            self.since = since
        }
    }

    /// The most stuck processes that are kept.
    public static let stuckLimit = 8
    /// The most changes of a lock that are kept.
    public static let lockLimit = 32
    /// The longest problem that is kept, in bytes: a state file has its limit.
    static let problemLimit = 2048

    private static let mark = "#:"

    var lines: [String] {
        var lines: [String] = begun ? ["\(Self.mark)begun=1"] : []
        if let start { lines.append("\(Self.mark)start=\(String(start, radix: 16))") }
        if let script { lines.append("\(Self.mark)script=\(script.pid) \(script.start) \(script.uid)") }
        if refused { lines.append("\(Self.mark)refused=1") }
        if !locks.isEmpty {
            lines.append("\(Self.mark)locks=\(locks.prefix(Self.lockLimit).map(\.rawValue).joined(separator: ","))")
        }
        if let scriptEnded { lines.append("\(Self.mark)script_ended=\(scriptEnded.microseconds)") }
        if let problem {
            let line = String(problem.unicodeScalars.map { $0.isUnprintable ? " " : Character($0) })
            lines.append("\(Self.mark)problem=\(line.cut(toBytes: Self.problemLimit))")
        }
        for process in stuck.prefix(Self.stuckLimit) {
            lines.append("\(Self.mark)stuck=\(process.pid) \(process.start) \(process.since.microseconds)")
        }
        return lines
    }

    /// Reads the notes among the lines of a state file.
    init(text: String) {
        guard text.utf8.contains(UInt8(ascii: ":")) else { return }
        for line in text.split(separator: "\n") where line.hasPrefix(Self.mark) {
            let parts = line.dropFirst(Self.mark.count).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { continue }
            switch parts[0] {
            case "begun": begun = parts[1] == "1"
            case "start": start = UInt64(parts[1], radix: 16)
            case "script": script = Self.script(parts[1])
            case "refused": refused = parts[1] == "1"
            case "locks":
                locks = parts[1].split(separator: ",").prefix(Self.lockLimit).compactMap { .init(rawValue: String($0)) }
            case "script_ended": scriptEnded = Int64(parts[1]).map(Timestamp.init(microseconds:))
            case "problem": problem = String(parts[1])
            case "stuck": if stuck.count < Self.stuckLimit, let process = Self.stuck(parts[1]) { stuck.append(process) }
            default: break
            }
        }
    }

    private static func script(_ text: Substring) -> Script? {
        let words = text.split(separator: " ")
        guard words.count == 3, let pid = Int32(words[0]), pid > 0, let start = UInt64(words[1]), let uid = UInt32(words[2]) else {
            return nil
        }
        return Script(pid: pid, start: start, uid: uid)
    }

    private static func stuck(_ text: Substring) -> StuckProcess? {
        let words = text.split(separator: " ")
        guard words.count == 3, let pid = Int32(words[0]), let start = UInt64(words[1]), let since = Int64(words[2]) else {
            return nil
        }
        return StuckProcess(pid: pid, start: start, since: Timestamp(microseconds: since))
    }
}

extension String {
    /// The text, cut before the first character that would end beyond `limit` bytes.
    func cut(toBytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        var text = ""
        for character in self {
            guard text.utf8.count + character.utf8.count + 3 <= limit else { break }
            text.append(character)
        }
        return text + "…"
    }
}
