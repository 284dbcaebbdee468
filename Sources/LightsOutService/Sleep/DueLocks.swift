import Glibc
import LightsOutCore
import LightsOutRunner
import Systemd

/// The standby locks for backups with `wake` that are due, or soon will be, and have not begun: from `wake_lead` before
/// the elapse until the run holds a lock of its own, for `wake_wait` after it at most.
///
/// A laptop whose lid is closed is suspended by logind half a minute after it was woken, and a desktop suspends an idle
/// machine: without these locks it is asleep again before its backup begins. A copy of each lies in the service manager's
/// store, so that a restart of the daemon leaves no gap.
final class DueLocks {
    private unowned let daemon: Daemon
    private var held: [BackupName: Held] = [:]
    private var wanted: [BackupName: Scheduler.AwaitedStart] = [:]
    private var bus: Bus?
    private var subscription: BusSlot?
    private var check: BusSlot?
    private var timer: EventSource?
    private var retry: EventSource?

    private final class Held {
        let lock: LeaseLock
        /// When it was taken; nil where it was not, or not yet.
        var since: Timestamp?
        /// What kept it from being taken, as the journal was told.
        var missing: String?

        init(_ lock: LeaseLock) { self.lock = lock }
    }

    /// So many at a time, those due first; any one of them keeps the machine awake.
    private static let limit = 64
    private static let what: [InhibitedAction] = [.sleep, .lidSwitch]

    init(_ daemon: Daemon) { self.daemon = daemon }

    private var log: (JournalRecord) -> Void { { [unowned daemon] record in daemon.log.write(record) } }

    // MARK: What is known

    /// Whether the machine is to stay awake for a backup that has not begun.
    var keepsAwake: Bool { !wanted.isEmpty || held.keys.contains(where: isTakingItsLock) }

    /// Whether any lock is held.
    var holdsAny: Bool { held.values.contains { $0.since != nil } }

    /// Since when standby is blocked for `backup` because it is due; nil where it is not.
    func since(_ backup: BackupName) -> Timestamp? { held[backup]?.since }

    /// What is due and has not begun: what the machine is woken for again, if it sleeps all the same.
    var overdue: WakeAlarm.Wanted? {
        var due = wanted.values.filter(\.isDue).map { (backup: $0.backup, due: $0.due) }
        for name in held.keys where wanted[name] == nil && isTakingItsLock(name) {
            due.append((name, daemon.runs[name]?.started ?? daemon.now))
        }
        guard let first = due.map(\.due).min() else { return nil }
        return WakeAlarm.Wanted(due: first, backups: Set(due.map(\.backup)))
    }

    /// Whether a run of `backup` is under way and has not got as far as its own lock.
    private func isTakingItsLock(_ backup: BackupName) -> Bool {
        guard let run = daemon.runs[backup], run.isRunning else { return false }
        return run.reporter == nil && !run.notes.begun
    }

    // MARK: Taking and letting go

    /// Looks what the schedule wants now: takes the locks that are missing and lets go of those that are not needed.
    func look() {
        let now = daemon.now
        let (starts, next) = daemon.scheduler.awaitedStarts(at: now)
        wanted = Dictionary(uniqueKeysWithValues: starts.filter { daemon.power.mayWake($0.backup) }.map { ($0.backup, $0) })
        arm(next)
        for (name, entry) in held where wanted[name] == nil && !isTakingItsLock(name) {
            letGo(name, entry, now: now)
        }
        guard held.count < Self.limit else { return }
        let missing = wanted.values.filter { held[$0.backup] == nil }.sorted { ($0.due, $0.backup) < ($1.due, $1.backup) }
        for start in missing.prefix(Self.limit - held.count) {
            let entry = Held(LeaseLock(start.backup, due: LocalTime.short(start.due.microseconds), log: log))
            held[start.backup] = entry
            take(entry, for: start.backup)
        }
    }

    /// A run of `backup` has come further: it may have its own lock now.
    func runChanged(_ backup: BackupName) { if held[backup] != nil { daemon.sleep.scheduleChanged() } }

    private func arm(_ time: Timestamp?) {
        guard let time, time != .never else {
            timer?.disable()
            return
        }
        let microseconds = UInt64(max(0, time.microseconds))
        do throws(SystemError) {
            if let timer { return try timer.rearm(at: microseconds) }
            timer = try daemon.loop.at(microseconds, .realtime, accuracy: 1000) { [unowned self] in
                daemon.sleep.scheduleChanged()
            }
        } catch {
            log(.notice("the timer of the locks for backups that are due cannot be set: \(error)", priority: .error))
        }
    }

    private func take(_ entry: Held, for name: BackupName) {
        guard let bus else { return }
        entry.lock.take(Self.what, bus: bus, loop: daemon.loop) { [unowned self] missing in
            guard let entry = held[name] else { return }
            let wasMissing = entry.missing != nil
            entry.missing = missing?.description
            guard let missing else {
                if entry.since == nil {
                    taken(name, entry)
                } else if wasMissing {
                    log(.lock(.taken, name, nil, message: "standby is blocked again"))
                }
                return
            }
            if !wasMissing { tell(missing, name) }
            retry = try? daemon.loop.after(Self.retryDelay) { [unowned self] in checkLocks() }
        }
    }

    private static let retryDelay: UInt64 = 10_000_000

    private func taken(_ name: BackupName, _ entry: Held) {
        entry.since = daemon.now
        log(
            .lock(
                .taken, name, nil,
                message: "standby is blocked (\(Self.what.forPeople)) until its run has a lock of its own: \(phrase(name))"))
        daemon.sleep.scheduleChanged()
        daemon.standingChanged(of: [name])
    }

    private func tell(_ missing: LockRequest.Missing, _ name: BackupName) {
        let message = "\(missing). The machine may sleep before the backup begins"
        switch missing {
        case .refused: log(.lock(.refused, name, nil, message: message))
        // No logind is no laptop.
        case .unavailable: log(.notice(message, backup: name, priority: .info))
        }
    }

    private func phrase(_ name: BackupName) -> String {
        guard let start = wanted[name] else { return "it is due" }
        return "it is due at \(LocalTime.short(start.due.microseconds))"
    }

    private func letGo(_ name: BackupName, _ entry: Held, now: Timestamp) {
        held[name] = nil
        guard entry.lock.release() else { return }
        log(
            .lock(
                .released, name, nil,
                message: "standby is no longer blocked for its start: \(reason(name, since: entry.since, now: now))"))
        daemon.standingChanged(of: [name])
    }

    /// Why the machine is not kept awake for `name` any more.
    private func reason(_ name: BackupName, since: Timestamp?, now: Timestamp) -> String {
        guard let backup = daemon.backups[name] else { return "it is no longer in the configuration" }
        guard backup.settings.wake else { return "it has no \"wake\" any more" }
        if let run = daemon.runs[name], run.isRunning { return "its run has begun" }
        if !daemon.power.mayWake(name) { return "the machine runs on battery power" }
        let limit = (backup.settings.wakeWait ?? daemon.settings.wakeWait).forPeople
        guard let standing = daemon.scheduler.standing(of: name, now: now) else { return "it is not due any more" }
        return Self.reason(standing.state, limit: limit) ?? (hasEnded(name, since: since ?? now) ? "its run is over" : "it is not due any more")
    }

    private func hasEnded(_ name: BackupName, since: Timestamp) -> Bool {
        guard let ended = daemon.runs[name]?.ended else { return false }
        return ended >= since
    }

    /// Why a backup that has not begun is not waited for.
    private static func reason(_ state: Scheduler.State, limit: String) -> String? {
        switch state {
        case .paused: "it is paused"
        case .waiting(let why): "it has waited for \(limit) (wake_wait): \(why)"
        case .queued, .delayed: "it has waited for \(limit) (wake_wait)"
        case .running, .idle: nil
        }
    }

    // MARK: The daemon comes back, and logind

    /// Takes over what an earlier daemon held. What of it is needed says the schedule, when it is known.
    func adopt(_ remains: LeaseStore.Remains) {
        for name in remains.backups(with: .dueLock) {
            while let stored = remains.take(.dueLock, of: name) {
                guard held[name] == nil else {
                    close(stored.number)
                    LeaseStore.drop(stored.name)
                    continue
                }
                let entry = Held(LeaseLock(name, due: LocalTime.short(daemon.now.microseconds), log: log))
                entry.lock.adopt(stored)
                entry.since = daemon.now
                held[name] = entry
            }
        }
    }

    /// The bus is there, for the first time or again.
    func connected(to bus: Bus) {
        self.bus = bus
        subscription = try? bus.matchAsync(Logind.ownerChangedRule) { [unowned self] message in
            guard (try? message.readString()) != nil, (try? message.readString()) != nil,
                let owner = try? message.readString(), !owner.isEmpty
            else { return }
            checkLocks()
        }
        checkLocks()
    }

    func disconnected() {
        bus = nil
        subscription = nil
        check = nil
        for entry in held.values { entry.lock.cancelRequest() }
    }

    /// Looks which locks logind has, and takes anew what is missing, or what a daemon took that is gone.
    private func checkLocks() {
        retry = nil
        guard let bus, !held.isEmpty else { return }
        do throws(BusError) {
            check = try Logind(bus).inhibitorsAsync(timeout: 5_000_000) { [unowned self] reply in
                switch reply {
                case .success(let inhibitors): compare(with: inhibitors)
                // Not ready yet: it owns its name before it answers.
                case .failure: retry = try? daemon.loop.after(2_000_000) { [unowned self] in checkLocks() }
                }
            }
        } catch { retry = try? daemon.loop.after(2_000_000) { [unowned self] in checkLocks() } }
    }

    private func compare(with inhibitors: [Logind.Inhibitor]) {
        for (name, entry) in held where !entry.lock.isRequested {
            let isListed = entry.lock.isListed(in: inhibitors)
            guard !isListed || !entry.lock.isOwn else { continue }
            if !isListed, entry.lock.isOwn, entry.missing == nil {
                entry.missing = "logind does not have it any more"
                log(.lock(.lost, name, nil, message: "the standby lock for its start was lost: logind does not have it any more"))
            }
            take(entry, for: name)
        }
    }
}
