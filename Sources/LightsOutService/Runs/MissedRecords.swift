import Glibc
import LightsOutCore
import LightsOutRunner
import Systemd

/// The records of missed elapses that have not been seen in the journal. They are kept in files too
/// (`/var/lib/lightsout/owed/NAME.TIME.missed`), for the next daemon.
final class MissedRecords {
    private let directory: String
    private let log: RunLog
    private var owed: [BackupName: [Timestamp: String]] = [:]
    private var fileCount = 0

    private static let suffix: StaticString = ".missed"
    /// More are kept in memory only: after weeks without power thousands of backups may be missed at once.
    private static let fileLimit = 500
    private static let longestMessage = 4096

    init(directory: String, log: RunLog) {
        self.directory = "\(directory)/owed"
        self.log = log
        read()
    }

    /// The backups that have any.
    var backups: Set<BackupName> { Set(owed.keys) }

    func owed(of backup: BackupName) -> Set<OwedRecord> { Set((owed[backup] ?? [:]).keys.map { .missed($0) }) }

    /// Writes the record; it is owed until it has been seen.
    func write(_ backup: BackupName, _ elapse: Timestamp, _ message: String) {
        owed[backup, default: [:]][elapse] = message
        keep(backup, elapse, message)
        log.write(.missed(backup, elapse: elapse, message: message))
    }

    /// Looks for the records named, and sends again those that the journal does not have.
    func settle(_ debts: [BackupName: Set<OwedRecord>]) {
        let wanted = debts.compactMapValues { records -> Set<Timestamp>? in
            let times = Set(records.compactMap { if case .missed(let time) = $0 { time } else { nil } })
            return times.isEmpty ? nil : times
        }
        guard !wanted.isEmpty, let seen = Self.seen(of: wanted) else { return }
        for (backup, times) in wanted {
            for time in times {
                if seen[backup]?.contains(time) == true {
                    pay(backup, time)
                } else if let message = owed[backup]?[time] {
                    log.write(.missed(backup, elapse: time, message: message))
                }
            }
        }
    }

    /// Which of the records the journal has.
    /// - Returns: nil where the journal cannot be read: then nothing is known to be missing.
    private static func seen(of wanted: [BackupName: Set<Timestamp>]) -> [BackupName: Set<Timestamp>]? {
        var seen: [BackupName: Set<Timestamp>] = [:]
        do throws(SystemError) {
            let journal = try JournalReader(.allNamespaces)
            try journal.match("MESSAGE_ID", JournalRecord.MessageID.missed)
            try journal.match("_UID", String(geteuid()))
            try journal.seekToEnd()
            var left = wanted.values.reduce(0) { $0 + $1.count }
            // The newest first: they are the ones that are wanted.
            while left > 0, try journal.previous() {
                guard let backup = journal.field(JournalRecord.Field.backup).flatMap({ try? BackupName($0) }),
                    let elapse = journal.field(JournalRecord.Field.elapse).flatMap({ Int64($0) }).map(Timestamp.init(microseconds:)),
                    wanted[backup]?.contains(elapse) == true, seen[backup, default: []].insert(elapse).inserted
                else { continue }
                left -= 1
            }
        } catch { return nil }
        return seen
    }

    // MARK: Files

    private func path(_ backup: BackupName, _ time: Timestamp) -> String { "\(backup).\(time.microseconds)\(Self.suffix)" }

    private func keep(_ backup: BackupName, _ time: Timestamp, _ message: String) {
        guard fileCount < Self.fileLimit, let folder = try? AtomicFile.openDirectory(directory, mode: 0o755) else { return }
        // Not durable: a loss of power in these seconds is one misfortune too many.
        let written: Void? = try? AtomicFile.write(message + "\n", to: path(backup, time), below: folder, mode: 0o644, durable: false)
        if written != nil { fileCount += 1 }
    }

    private func pay(_ backup: BackupName, _ time: Timestamp) {
        owed[backup]?[time] = nil
        if owed[backup]?.isEmpty == true { owed[backup] = nil }
        if unlink("\(directory)/\(path(backup, time))") == 0 { fileCount -= 1 }
    }

    private func read() {
        for stem in DirectoryEntries.stems(in: directory, endingIn: Self.suffix).prefix(Self.fileLimit) {
            let parts = stem.split(separator: ".")
            guard parts.count == 2, let backup = try? BackupName(String(parts[0])), let time = Int64(parts[1]),
                let text = try? AtomicFile.read("\(directory)/\(stem)\(Self.suffix)", limit: Self.longestMessage)
            else { continue }
            fileCount += 1
            owed[backup, default: [:]][Timestamp(microseconds: time)] = String(text.dropLast())
        }
    }
}
