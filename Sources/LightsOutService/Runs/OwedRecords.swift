import LightsOutCore
import LightsOutRunner
import Systemd

/// Runs that have ended and whose record has not been seen in the journal: journald was stopped or hung, its disk was full,
/// or it dropped what a unit wrote. The record is looked for, and sent again when it is known to have been dropped.
///
/// Nothing happens here while nothing is owed. An attempt that fails is repeated after a growing pause, for about an hour;
/// after that the backup's next run or the next start of the daemon takes over.
final class OwedRecords {
    private let loop: EventLoop
    private let unrecorded: (BackupName) -> Set<RunIdentifier>
    private let settle: (BackupName, Set<RunIdentifier>) -> Void
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

    /// - Parameters:
    ///   - unrecorded: the ended runs of a backup whose records nobody has seen, by the files.
    ///   - settle: looks for the records of a backup's runs, and sends again what is missing of the runs named: journald has
    ///     dealt with all that was sent since they ended.
    init(
        _ loop: EventLoop, unrecorded: @escaping (BackupName) -> Set<RunIdentifier>,
        settle: @escaping (BackupName, Set<RunIdentifier>) -> Void
    ) {
        self.loop = loop
        self.unrecorded = unrecorded
        self.settle = settle
    }

    /// The record of the backup's last run has not been seen.
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
        do throws(SystemError) {
            sync = try JournalSync(loop, timeout: Self.syncPatience) { [unowned self] isSynced in
                sync = nil
                // A run that has ended since then is not among these: its record may be on its way.
                if isSynced { for (backup, runs) in debts { settle(backup, runs) } }
                _ = findDebts()
                goOn()
            }
        } catch { goOn() }
    }

    /// The runs that are owed still; backups without any are owed no longer.
    private func findDebts() -> [BackupName: Set<RunIdentifier>] {
        var debts: [BackupName: Set<RunIdentifier>] = [:]
        for backup in owed {
            let runs = unrecorded(backup)
            if !runs.isEmpty { debts[backup] = runs }
        }
        owed = Set(debts.keys)
        return debts
    }

    private func goOn() {
        if attempts >= Self.attemptLimit { owed = [] }
        if !owed.isEmpty { wait() }
    }
}
