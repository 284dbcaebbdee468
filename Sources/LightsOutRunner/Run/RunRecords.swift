import Glibc
import LightsOutCore
import Systemd

/// What the journal has of one run: the records that this user's processes wrote.
struct RunRecords {
    private(set) var hasStart = false
    private(set) var isRefused = false
    /// The records of the lock.
    private(set) var locks: [JournalRecord.LockChange] = []
    /// How the run ended, and how long it took; nil if there is no finished record.
    private(set) var end: (outcome: Outcome, duration: TimeSpan)?

    /// - Returns: nil where the journal cannot be read: then nothing is known to be missing.
    init?(of run: RunIdentifier) {
        do throws(SystemError) {
            // A drop-in may have given the unit a journal of its own (LogNamespace=).
            let journal = try JournalReader(.allNamespaces)
            for id in Self.kinds { try journal.match("MESSAGE_ID", id) }
            try journal.match(JournalRecord.Field.run, run.description)
            try journal.match("_UID", String(geteuid()))
            try journal.seekToStart()
            let trust = RecordTrust(users: [geteuid()], program: Self.program)
            while try journal.next() {
                guard trust.believes({ journal.field($0) }) else { continue }
                read(journal)
            }
        } catch { return nil }
    }

    private static let kinds = [
        JournalRecord.MessageID.started, JournalRecord.MessageID.finished, JournalRecord.MessageID.refused,
        JournalRecord.MessageID.lock,
    ]

    private mutating func read(_ journal: JournalReader) {
        guard let id = journal.field("MESSAGE_ID") else { return }
        if id.hasSameBytes(as: JournalRecord.MessageID.started) {
            hasStart = true
        } else if id.hasSameBytes(as: JournalRecord.MessageID.refused) {
            isRefused = true
        } else if id.hasSameBytes(as: JournalRecord.MessageID.lock) {
            if let change = journal.field(JournalRecord.Field.lock).flatMap({ JournalRecord.LockChange(rawValue: $0) }) {
                locks.append(change)
            }
        } else {
            readEnd(journal)
        }
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

    /// Whether all records of the run are there.
    func areComplete(for state: RunState) -> Bool { missing(for: state).isEmpty }

    /// A record that the journal is to have of a run.
    enum Kind: Hashable {
        case started, finished, refused
        case lock(JournalRecord.LockChange)
    }

    /// The records of `state` that are not there, in their order. A run that never began has no started record.
    func missing(for state: RunState) -> [Kind] {
        var there = locks
        let locks: [Kind] = state.notes.locks.compactMap { change in
            guard let index = there.firstIndex(of: change) else { return .lock(change) }
            there.remove(at: index)
            return nil
        }
        if state.notes.refused { return isRefused ? [] : [.refused] }
        return locks + (state.notes.begun && !hasStart ? [.started] : []) + (end == nil ? [.finished] : [])
    }
}
