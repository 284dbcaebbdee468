/// One result as the journal tells it: a run that finished, one that was refused, or an elapse that was missed.
///
/// Read back from the fields that ``JournalRecord`` writes. The journal is written by many and for long: a record that
/// is not ours, or is malformed where it matters, is no entry; a field that is malformed is not there.
public struct HistoryEntry: Hashable, Sendable {
    public let backup: BackupName
    /// The run; nil where none began.
    public let run: RunIdentifier?
    /// What made the run begin; nil where none did.
    public let trigger: Trigger?
    public let result: RunResult
    public let exitStatus: Int32?
    public let signal: Int32?
    /// When the run began; nil where none did.
    public let started: Timestamp?
    /// When the result came about: the end of the run, its refusal, or the elapse that was missed.
    public let finished: Timestamp
    /// Measured without the wall clock, which may have been set meanwhile.
    public let duration: TimeSpan?
    public let reason: String?
    /// The user who reported the run; nil for one that lightsout made.
    public let reporter: UInt32?
    /// The machine, as its journal calls it.
    public let host: String?

    /// The ids of the records that are entries.
    public static let messageIDs = [
        JournalRecord.MessageID.finished, JournalRecord.MessageID.missed, JournalRecord.MessageID.refused,
    ]

    /// Reads the record whose fields `field` looks up.
    /// - Parameter recorded: when journald took the record.
    /// - Returns: nil where the record is no result of a backup.
    public init?(recorded: Timestamp, field: (String) -> String?) {
        typealias Field = JournalRecord.Field
        guard let id = field("MESSAGE_ID"), Self.messageIDs.containsBytes(of: id),
            let name = field(Field.backup), let backup = try? BackupName(name),
            let word = field(Field.result), let result = RunResult(word: word)
        else { return nil }
        func time(_ name: String) -> Timestamp? { field(name).flatMap { Int64($0) }.flatMap(Self.plausible) }
        guard let recorded = Self.plausible(recorded.microseconds) else { return nil }

        self.backup = backup
        self.result = result
        run = field(Field.run).flatMap { RunIdentifier($0) }
        trigger = field(Field.trigger).flatMap { Trigger(word: $0) }
        exitStatus = field(Field.exitStatus).flatMap { Int32($0) }
        signal = field(Field.signal).flatMap { Int32($0) }
        reason = field(Field.reason)
        host = field("_HOSTNAME")
        reporter = field(Field.reporter).flatMap { UInt32($0) }
        guard id.hasSameBytes(as: JournalRecord.MessageID.finished) else {
            started = nil
            duration = nil
            finished = time(Field.elapse) ?? recorded
            return
        }
        let start = time(Field.started)
        let length = field(Field.duration).flatMap { UInt64($0) }.map(TimeSpan.init(microseconds:))
        started = start
        duration = length
        // A run may have been recorded late, after the next boot; its own times are right.
        let end = start.flatMap { start in length.map { start + $0 } }
        finished = end.flatMap { Self.plausible($0.microseconds) } ?? recorded
    }

    /// Times that a calendar can show: 1970 to 9999.
    private static func plausible(_ microseconds: Int64) -> Timestamp? {
        (0...253_402_214_400_000_000).contains(microseconds) ? Timestamp(microseconds: microseconds) : nil
    }
}
