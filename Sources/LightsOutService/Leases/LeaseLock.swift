import LightsOutCore
import LightsOutRunner
import Systemd

/// A standby lock that the daemon holds for one backup: a reported one, or one that is due. A copy lies in the service manager's store, so it is held while the daemon
/// is away.
final class LeaseLock {
    /// Its words in `systemd-inhibit --list`; they name one lock, whoever took it.
    let why: String
    private let backup: BackupName
    private let part: LeaseStore.Part
    private let log: (JournalRecord) -> Void
    private var lock: Descriptor?
    private var storedAs: String?
    private var request: LockRequest?
    /// Whether this process took it. logind also judges a lock by the process that did: when that is gone, a logind
    /// after 252 that was restarted does not let the lock hold the lid any more.
    private(set) var isOwn = false

    init(_ backup: BackupName, reportedBy pid: Int32, log: @escaping (JournalRecord) -> Void) {
        self.backup = backup
        self.log = log
        part = .lock
        why = "Backup '\(backup)' is reported by pid \(pid)"
    }

    /// - Parameter due: when it is due, for people.
    init(_ backup: BackupName, due: String, log: @escaping (JournalRecord) -> Void) {
        self.backup = backup
        self.log = log
        part = .dueLock
        why = "Backup '\(backup)' is due at \(due)"
    }

    /// Takes over the lock that an earlier daemon left in the store.
    func adopt(_ stored: (name: String, number: Int32)) {
        lock = Descriptor(owning: stored.number)
        storedAs = stored.name
    }

    var isHeld: Bool { lock != nil }
    /// The descriptor, for a holder that outlives this process; nil where there is no lock.
    var number: Int32? { lock?.number }
    /// Whether it is being asked for.
    var isRequested: Bool { request != nil }

    /// Asks for the lock; for a new one where there is one, which is given up only when the new one is there.
    /// - Parameter done: told what kept it from being taken; nil where it was.
    func take(
        _ what: [InhibitedAction], bus: Bus, loop: EventLoop, onWait: @escaping () -> Void = {},
        done: @escaping (LockRequest.Missing?) -> Void
    ) {
        let wanted = LockRequest.Lock(what: what.logindText, who: StandbyLock.who, why: why)
        let request = LockRequest(wanted, bus: bus, loop: loop) { [unowned self] answer in
            self.request = nil
            switch consume answer {
            case .taken(let lock):
                keep(lock)
                done(nil)
            case .missing(let missing): done(missing)
            }
        }
        request.onWait = onWait
        self.request = request
        request.start()
    }

    private func keep(_ new: consuming Descriptor) {
        let name = LeaseStore.name(part, of: backup)
        // One under the same name is lost already: it was this process's, and is taken anew.
        if let storedAs, storedAs == name { LeaseStore.drop(name) }
        LeaseStore.keep(new.number, as: name, log: log)
        if let storedAs, storedAs != name { LeaseStore.drop(storedAs) }
        storedAs = name
        isOwn = true
        lock = consume new
    }

    /// Whether logind has it.
    func isListed(in inhibitors: [Logind.Inhibitor]) -> Bool {
        inhibitors.contains { $0.uid == 0 && $0.mode == "block" && $0.why.hasSameBytes(as: why) && $0.who.hasSameBytes(as: StandbyLock.who) }
    }

    /// The bus is gone, and with it what was asked.
    func cancelRequest() { request = nil }

    /// - Returns: whether there was one.
    @discardableResult
    func release() -> Bool {
        request = nil
        if let storedAs { LeaseStore.drop(storedAs) }
        storedAs = nil
        let wasHeld = isHeld
        lock = nil
        return wasHeld
    }
}
