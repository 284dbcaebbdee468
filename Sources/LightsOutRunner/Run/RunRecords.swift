import Glibc
import LightsOutCore
import Systemd

/// What the journal has of one run: the records that this user's processes wrote.
struct RunRecords {
    private(set) var hasStart = false
    /// How the run ended, and how long it took; nil if there is no finished record.
    private(set) var end: (outcome: Outcome, duration: TimeSpan)?

    /// - Returns: nil where the journal cannot be read: then nothing is known to be missing.
    init?(of run: RunIdentifier) {
        do throws(SystemError) {
            // A drop-in may have given the unit a journal of its own (LogNamespace=).
            let journal = try JournalReader(.allNamespaces)
            try journal.match("MESSAGE_ID", JournalRecord.MessageID.started)
            try journal.match("MESSAGE_ID", JournalRecord.MessageID.finished)
            try journal.match(JournalRecord.Field.run, run.description)
            try journal.match("_UID", String(geteuid()))
            try journal.seekToStart()
            let trust = RecordTrust(users: [geteuid()], program: Self.program)
            while try journal.next() {
                guard trust.believes({ journal.field($0) }) else { continue }
                if journal.field("MESSAGE_ID")?.hasSameBytes(as: JournalRecord.MessageID.started) == true { hasStart = true } else { readEnd(journal) }
            }
        } catch { return nil }
    }

    private mutating func readEnd(_ journal: JournalReader) {
        guard let result = journal.field(JournalRecord.Field.result).flatMap({ RunResult(word: $0) }),
            let duration = journal.field(JournalRecord.Field.duration).flatMap(UInt64.init),
            duration <= Self.longestRun
        else { return }
        let outcome = Outcome(
            result, exitStatus: journal.field(JournalRecord.Field.exitStatus).flatMap(Int32.init),
            signal: journal.field(JournalRecord.Field.signal).flatMap(Int32.init),
            reason: journal.field(JournalRecord.Field.reason))
        end = (outcome, TimeSpan(microseconds: duration))
    }

    /// Ten years: what says more is not believed.
    private static let longestRun: UInt64 = 10 * 366 * 86_400 * 1_000_000

    /// This program, which is believed wherever it is installed.
    private static let program: String? = {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink("/proc/self/exe", &buffer, buffer.count)
        guard length > 0 else { return nil }
        return String(decoding: buffer[..<length].lazy.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }()

    /// Whether all records of the run are there. A run that never began has no started record.
    func areComplete(for state: RunState) -> Bool { end != nil && (hasStart || !state.notes.begun) }
}
