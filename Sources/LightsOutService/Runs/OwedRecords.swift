import LightsOutCore
import LightsOutRunner
import Systemd

/// A record that nobody has seen in the journal: of an ended run, or of an elapse that was missed.
nonisolated enum OwedRecord: Hashable, Sendable {
    case run(RunIdentifier)
    case missed(Timestamp)
}

/// Records that have not been seen in the journal: journald was stopped or hung, its disk was full,
/// or it dropped what a unit wrote. The record is looked for, and sent again when it is known to have been dropped.
///
/// Nothing happens here while nothing is owed. An attempt that fails is repeated after a growing pause, for about an hour;
/// after that the backup's next run or the next start of the daemon takes over.
final class OwedRecords {
    private let loop: EventLoop
    private let unrecorded: (BackupName) -> Set<OwedRecord>
    private let hasWaiting: () -> Bool
    private let settle: ([BackupName: Set<OwedRecord>]) -> Void
    private var owed: Set<BackupName> = []
    private var timer: EventSource?
    private var sync: JournalSync?
    private var delay = firstDelay

    /// What `ExecStopPost=` of the unit takes at most, and a while more.
    private static let firstDelay: UInt64 = 2_000_000
    private static let longestDelay: UInt64 = 600_000_000
    private static let syncPatience: UInt64 = 30_000_000
    /// The pauses double: this many make an hour.
    private static let attemptLimit = 14
    private var attempts = 0
    /// How many records were owed at the last attempt.
    private var lastCount = 0

    /// - Parameters:
    ///   - unrecorded: what of a backup nobody has seen the records of.
    ///   - hasWaiting: whether records have not been handed to journald yet.
    ///   - settle: looks for the records, and sends again what is missing of them: journald has dealt with all that was sent
    ///     since they were owed.
    init(
        _ loop: EventLoop, unrecorded: @escaping (BackupName) -> Set<OwedRecord>, hasWaiting: @escaping () -> Bool,
        settle: @escaping ([BackupName: Set<OwedRecord>]) -> Void
    ) {
        self.loop = loop
        self.unrecorded = unrecorded
        self.hasWaiting = hasWaiting
        self.settle = settle
    }

    /// A record of the backup has not been seen.
    func owe(_ backup: BackupName) {
        guard owed.insert(backup).inserted else { return }
        attempts = 0
        delay = Self.firstDelay
        if sync == nil { wait() }
    }

    private func wait() {
        timer = try? loop.after(delay) { [unowned self] in attempt() }
        delay = min(delay * 2, Self.longestDelay)
    }

    private func attempt() {
        timer = nil
        // Usually `ExecStopPost=` has seen to it.
        let debts = findDebts()
        guard !debts.isEmpty else { return }
        attempts += 1
        let count = debts.values.reduce(0) { $0 + $1.count }
        // journald takes some of them each time.
        if count < lastCount { (attempts, delay) = (1, Self.firstDelay) }
        lastCount = count
        // What has not been handed over yet has not been dropped.
        guard !hasWaiting() else { return goOn() }
        do throws(SystemError) {
            sync = try JournalSync(loop, timeout: Self.syncPatience) { [unowned self] isSynced in
                sync = nil
                // A run that has ended since then is not among these: its record may be on its way.
                if isSynced { settle(debts) }
                _ = findDebts()
                goOn()
            }
        } catch { goOn() }
    }

    /// The records that are owed still; backups without any are owed no longer.
    private func findDebts() -> [BackupName: Set<OwedRecord>] {
        var debts: [BackupName: Set<OwedRecord>] = [:]
        for backup in owed {
            let records = unrecorded(backup)
            if !records.isEmpty { debts[backup] = records }
        }
        owed = Set(debts.keys)
        return debts
    }

    private func goOn() {
        if attempts >= Self.attemptLimit { owed = [] }
        if !owed.isEmpty { wait() }
    }
}
