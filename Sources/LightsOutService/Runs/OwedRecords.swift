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
    private let isSettled: (BackupName) -> Bool
    private let settle: (BackupName) -> Bool
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
    ///   - isSettled: whether somebody else has seen the records meanwhile, by the files.
    ///   - settle: looks for the record of the backup's last run after journald has dealt with all that was sent to
    ///     it, sends it again where it is missing, and says whether the journal has it.
    init(_ loop: EventLoop, isSettled: @escaping (BackupName) -> Bool, settle: @escaping (BackupName) -> Bool) {
        self.loop = loop
        self.isSettled = isSettled
        self.settle = settle
    }

    /// The record of the backup's last run has not been seen.
    func owe(_ backup: BackupName) {
        guard owed.insert(backup).inserted else { return }
        attempts = 0
        delay = Self.firstDelay
        if sync == nil { wait() }
    }

    /// It has been seen.
    func isPaid(_ backup: BackupName) {
        guard owed.remove(backup) != nil, owed.isEmpty else { return }
        timer = nil
        sync = nil
    }

    private func wait() {
        timer = try? loop.after(delay) { [unowned self] in attempt() }
        delay = min(delay * 2, Self.longestDelay)
    }

    private func attempt() {
        timer = nil
        // Usually `ExecStopPost=` has seen to it.
        owed = owed.filter { !isSettled($0) }
        guard !owed.isEmpty else { return }
        attempts += 1
        do throws(SystemError) {
            sync = try JournalSync(loop, timeout: Self.syncPatience) { [unowned self] isSynced in
                sync = nil
                if isSynced { for backup in owed where settle(backup) { owed.remove(backup) } }
                goOn()
            }
        } catch { goOn() }
    }

    private func goOn() {
        if attempts >= Self.attemptLimit { owed = [] }
        if !owed.isEmpty { wait() }
    }
}
