import Glibc
import LightsOutCore
import LightsOutRunner
import Systemd

/// The backups that are reported and not run by lightsout (`lightsout -r`, `-p`, `-f`): for each the daemon holds a
/// standby lock and follows the process that it is bound to.
///
/// Such a backup is a run like any other to everybody else: it has its ``RunExclusion``, its ``RunState``, its records.
/// The daemon stands in for the runner, and the service manager's descriptor store for the daemon when that is away, so
/// there is no instant at which a reported backup has no lock.
///
/// The order of the steps makes a crash between any two of them harmless: a backup is only told to be reported when lock
/// and process are in the store, and its end is durable before they leave it.
final class Leases {
    unowned let daemon: Daemon
    private let store: RunStateStore
    private var leases: [BackupName: Lease] = [:]
    private var bus: Bus?
    private var subscription: BusSlot?
    private var sleeps: LeaseSleeps?
    private var check: BusSlot?
    private var storeCheck: BusSlot?
    private var isStoreFull = false
    private var timer: EventSource?

    init(_ daemon: Daemon) {
        self.daemon = daemon
        store = RunStateStore(directory: daemon.directories.state)
    }

    var log: (JournalRecord) -> Void { { [unowned daemon] record in daemon.log.write(record) } }

    /// Whether `backup` is reported now.
    func isOpen(_ backup: BackupName) -> Bool {
        if case .open? = leases[backup]?.phase { true } else { false }
    }

    var count: Int { leases.count }

    /// The reports that are under way.
    var open: [Lease] { leases.values.filter { if case .open = $0.phase { true } else { false } } }

    // MARK: Reports

    /// Opens `backup` for the process; `answer` is told when the lock is held, or why there is no lease.
    func open(
        _ backup: BackupName, by uid: UInt32, _ process: consuming ReportingProcess,
        answer: @escaping (BusError?) -> Void
    ) throws(BusError) {
        if let holder = leases[backup] { throw held(backup, by: holder.state) }
        let forgotten: [BackupName]
        do throws(LeaseRules.Refusal) {
            forgotten = try LeaseRules.open(
                backup, by: uid, isConfigured: daemon.isConfigured(backup), known: standings())
        } catch { throw error.busError(backup) }
        guard let bus else {
            throw BusError(name: BusError.failed, message: "the connection to the system bus is being made anew. Try again")
        }

        let exclusion: RunExclusion
        do throws(RunExclusion.Failure) {
            exclusion = try RunExclusion(backup, runtimeDirectory: daemon.directories.runtime)
        } catch {
            switch error {
            case .held(let state): throw held(backup, by: state)
            case .system(let error): throw BusError(error)
            }
        }
        let previous = PreviousRun(backup, store: store, noted: exclusion.previous, log: daemon.log)
        let last = previous.settle(confirmation: .glance)
        previous.makeRoom(after: last)
        for name in forgotten { daemon.forget(name) }

        let reporter = RunState.Reporter(uid: uid, processStart: process.start)
        let state = RunState(
            run: .random(), trigger: .report, started: daemon.now,
            phase: .running(boot: (try? Identity.boot()) ?? "unknown", pid: process.pid),
            reporter: reporter
        ).following(last)
        let lease = try lease(backup, state, phase: .opening(answer), exclusion, process)
        leases[backup] = lease
        lease.lock.take(
            settings(of: backup).inhibit, bus: bus, loop: daemon.loop,
            onWait: { [log] in
                log(
                    .notice(
                        "waiting: a sleep or resume is under way, and the report is answered when it is over",
                        backup: backup, priority: .info))
            },
            done: { [unowned self, unowned lease] missing in opened(lease, without: missing) })
    }

    private func lease(
        _ backup: BackupName, _ state: RunState, phase: Lease.Phase, _ exclusion: consuming RunExclusion,
        _ process: consuming ReportingProcess
    ) throws(BusError) -> Lease {
        do throws(SystemError) {
            return try Lease(
                backup, state, phase: phase, exclusion: exclusion, process: process, loop: daemon.loop, log: log,
                died: { [unowned self] in died($0) })
        } catch { throw BusError(error) }
    }

    /// The lock is there, or will not be: the policy `unprotected` says what follows.
    private func opened(_ lease: Lease, without missing: LockRequest.Missing?) {
        guard case .opening(let answer) = lease.phase else { return }
        let backup = lease.backup
        let run = lease.state.run
        let settings = settings(of: backup)
        if let missing {
            if settings.unprotected == .fail {
                log(.lock(.refused, backup, run, message: "\(missing). Its report is not taken: unprotected is fail"))
                close(lease, nil)
                return answer(BusError(name: BusError.failed, message: "\(missing), and \"unprotected\" is \"fail\""))
            }
            // No logind is no laptop; a logind that says no leaves a machine that may sleep in the middle.
            if case .refused = missing { lease.blemish = missing.description }
            lease.missing = missing.description
            tell(.refused, lease, "\(missing). Standby may interrupt the backup")
        } else {
            let reporter = lease.reporter == 0 ? "root" : "user id \(lease.reporter)"
            tell(
                .taken, lease,
                "standby is blocked (\(settings.inhibit.forPeople)) until process \(lease.pid) of \(reporter), which reports it, says that it is over, or ends"
            )
        }
        lease.phase = .open
        lease.store(log: log)
        checkStore()
        lease.begin()
        PreviousRun(backup, store: store, noted: nil, log: daemon.log).keep(lease.state)
        lease.note()
        log(.started(backup, run, .report))
        daemon.tracker.look(at: backup)
        answer(nil)
    }

    func progress(_ backup: BackupName, by uid: UInt32, _ percent: UInt8) throws(BusError) {
        try open(backup, of: uid).report(progress: percent)
    }

    func finish(_ backup: BackupName, by uid: UInt32, _ result: RunResult) throws(BusError) {
        let lease = try open(backup, of: uid)
        let outcome = Outcome(result)
        end(lease, lease.blemish.map { outcome.atBest(.warnings, because: $0) } ?? outcome)
    }

    private func open(_ backup: BackupName, of uid: UInt32) throws(BusError) -> Lease {
        if uid != 0 && daemon.backups[backup] != nil { throw LeaseRules.Refusal.configured.busError(backup) }
        guard let lease = leases[backup], case .open = lease.phase else {
            throw BusError(
                name: BusError.notRunning,
                message: "no backup \(backup) is reported as under way. Begin with: lightsout -r --name \(backup)")
        }
        guard uid == 0 || uid == lease.reporter else {
            throw BusError(
                name: BusError.accessDenied,
                message: "\(backup) is reported by another user. Report under a name of your own, with --name")
        }
        return lease
    }

    // MARK: Ends

    private func died(_ lease: Lease) {
        switch lease.phase {
        case .opening(let answer):
            close(lease, nil)
            answer(ReportingProcess.Refusal.gone.busError)
        case .open:
            end(
                lease, Outcome(.unknown, reason: "process \(lease.pid) that reported it ended without reporting a result"))
        }
    }

    /// Ends what users other than root report under names that the configuration has now.
    func endThoseOfOthers() {
        for (backup, lease) in leases where lease.reporter != 0 && daemon.backups[backup] != nil {
            switch lease.phase {
            case .opening(let answer):
                close(lease, nil)
                answer(LeaseRules.Refusal.configured.busError(backup))
            case .open:
                end(
                    lease,
                    Outcome(.unknown, reason: "the configuration has a backup of this name now, so reports of other users than root no longer count"))
            }
        }
    }

    private func end(_ lease: Lease, _ outcome: Outcome) {
        let backup = lease.backup
        let previous = PreviousRun(backup, store: store, noted: nil, log: daemon.log)
        let wasHeld = lease.lock.isHeld
        if wasHeld { lease.keep(.released) }
        let outcome = lease.outcome(outcome, settings(of: backup).slept)
        let ended = lease.state.ended(outcome, at: lease.state.started + lease.duration, recorded: false)
        previous.keep(ended)
        previous.send(ended)
        lease.lock.release()
        if wasHeld {
            log(.lock(.released, backup, lease.state.run, message: "standby is no longer blocked by it"))
        }
        close(lease, ended)
        daemon.tracker.look(at: backup)
    }

    private func close(_ lease: Lease, _ ended: RunState?) {
        lease.close(ended)
        leases[lease.backup] = nil
    }

    // MARK: The daemon comes back

    /// Takes up what an earlier daemon left: before anybody else looks at what runs, who would take the runs for lost.
    /// - Parameter stock: what there is; what becomes of it here is read again.
    /// - Parameter others: takes what else is in the store.
    func restore(_ stock: inout RunStock, others: (LeaseStore.Remains) -> Void) {
        let remains: LeaseStore.Remains
        do throws(SystemError) { remains = LeaseStore.Remains(try ServiceManager.takeStored()) } catch {
            return log(.notice("reported backups cannot be taken up again: \(error)", priority: .error))
        }
        let keeper = takeBack(into: remains, stock)
        let boot = try? Identity.boot()
        for (backup, entry) in stock.entries {
            if let state = entry.state, let reporter = state.reporter, case .running(boot, let pid) = state.phase {
                restore(backup, state, reporter, pid, remains)
                stock.refresh(backup)
            } else if !remains.isEmpty, let stored = remains.take(.exclusion, of: backup) {
                // It had not begun yet, or had ended already.
                settle(backup, RunExclusion(adopting: Descriptor(owning: stored.number)))
                stock.refresh(backup)
            }
        }
        others(remains)
        remains.dropRest()
        // Until now the keeper has held it as well: there is no instant without a lock.
        try? keeper?.send(.taken)
    }

    private func settle(_ backup: BackupName, _ exclusion: consuming RunExclusion, as outcome: Outcome = Outcome(.unknown)) {
        let previous = PreviousRun(backup, store: store, noted: exclusion.previous, log: daemon.log)
        if let state = previous.settle(as: outcome) { exclusion.note(state) }
        exclusion.release()
        for part in LeaseStore.Part.allCases { LeaseStore.drop(LeaseStore.name(part, of: backup)) }
    }

    private func restore(
        _ backup: BackupName, _ state: RunState, _ reporter: RunState.Reporter, _ pid: Int32,
        _ remains: LeaseStore.Remains
    ) {
        let exclusion: RunExclusion
        if let stored = remains.take(.exclusion, of: backup) {
            exclusion = RunExclusion(adopting: Descriptor(owning: stored.number))
        } else {
            // Neither the service manager nor the keeper has it.
            guard let anew = try? RunExclusion(backup, runtimeDirectory: daemon.directories.runtime) else { return }
            exclusion = anew
        }
        let pidfd = remains.take(.process, of: backup).map { $0.number }
        let lock = remains.take(.lock, of: backup)
        guard
            let process = ReportingProcess(
                again: pid, start: reporter.processStart, stored: pidfd.map { Descriptor(owning: $0) })
        else {
            settle(
                backup, exclusion,
                as: Outcome(
                    .unknown,
                    reason: "process \(pid) that reported it ended without reporting a result while the daemon was away"))
            if let lock {
                Glibc.close(lock.number)
                LeaseStore.drop(lock.name)
            }
            return
        }
        do throws(BusError) {
            let lease = try lease(backup, state, phase: .open, exclusion, process)
            leases[backup] = lease
            lease.note()
            if let lock { lease.lock.adopt(lock) }
            // What the manager has already it does not keep twice.
            lease.store(log: log)
        } catch {
            log(.notice("what reports it cannot be followed any more: \(error)", backup: backup, priority: .error))
        }
    }

    // MARK: The locks

    /// The bus is there, for the first time or again.
    func connected(to bus: Bus) {
        self.bus = bus
        subscription = try? bus.matchAsync(Logind.ownerChangedRule) { [unowned self] message in
            if message.readOwnerChange()?.isEmpty == false { checkLocks() }
        }
        sleeps = LeaseSleeps(bus, daemon.loop) { [unowned self] event in see(event) }
        checkLocks()
    }

    func disconnected() {
        bus = nil
        subscription = nil
        sleeps = nil
        check = nil
        storeCheck = nil
        for lease in leases.values { lease.lock.cancelRequest() }
    }

    /// Looks which locks logind has, and takes anew what is missing, or what a daemon took that is gone.
    private func checkLocks() {
        timer = nil
        guard let bus, leases.values.contains(where: { if case .open = $0.phase { true } else { false } }) else { return }
        do throws(BusError) {
            check = try Logind(bus).inhibitorsAsync(timeout: 5_000_000) { [unowned self] reply in
                switch reply {
                case .success(let inhibitors): compare(with: inhibitors)
                // Not ready yet: it owns its name before it answers.
                case .failure: checkLocksLater()
                }
            }
        } catch { checkLocksLater() }
    }

    private func checkLocksLater() {
        timer = try? daemon.loop.after(2_000_000) { [unowned self] in checkLocks() }
    }

    /// Finds out whether the service manager kept what a restart of the daemon needs; that it does not is said once.
    private func checkStore() {
        guard let bus, storeCheck == nil else { return }
        storeCheck = try? DescriptorStore.count(bus) { [unowned self] count in
            storeCheck = nil
            let wanted = open.reduce(0) { $0 + ($1.lock.isHeld ? 3 : 2) }
            guard let count, (count < wanted) != isStoreFull else { return }
            isStoreFull.toggle()
            guard isStoreFull else { return }
            log(
                .notice(
                    "the service manager keeps \(count) of \(wanted) descriptors of reported backups. If lightsoutd is killed, some of them do not block standby until it is back. Raise FileDescriptorStoreMax= of lightsoutd.service",
                    priority: .warning))
        }
    }

    private func compare(with inhibitors: [Logind.Inhibitor]) {
        for lease in leases.values where !lease.lock.isRequested {
            guard case .open = lease.phase else { continue }
            let isListed = lease.lock.isListed(in: inhibitors)
            if !isListed || !lease.lock.isOwn { takeLockAnew(lease, isLost: !isListed) }
        }
    }

    private func takeLockAnew(_ lease: Lease, isLost: Bool) {
        guard let bus else { return }
        if isLost && lease.missing == nil {
            let why = lease.lock.isHeld ? "logind does not have it any more" : "neither the service manager nor the keeper has kept it while the daemon was away"
            tell(.lost, lease, "the standby lock was lost: \(why)")
            lease.missing = why
            see(.lost, lease)
        }
        lease.lock.take(settings(of: lease.backup).inhibit, bus: bus, loop: daemon.loop) { [unowned self, unowned lease] missing in
            guard let missing else {
                if lease.missing != nil {
                    tell(.taken, lease, "standby is blocked again")
                    see(.taken, lease)
                }
                lease.missing = nil
                return
            }
            // The lock that an earlier daemon took holds, even if no new one is to be had.
            if isLost && lease.missing != missing.description {
                lease.missing = missing.description
                tell(.refused, lease, "\(missing). Standby may interrupt the backup; asking again")
            }
            checkLocksLater()
        }
    }

    // MARK: What is known

    private func settings(of backup: BackupName) -> BackupSettings { daemon.backups[backup]?.settings ?? daemon.defaults }

    private func standings() -> [BackupName: LeaseRules.Standing] {
        var standings = daemon.runs.mapValues { state in
            LeaseRules.Standing(owner: state.reporter?.uid ?? 0, ended: state.ended ?? state.started)
        }
        for (name, state) in daemon.runs where daemon.backups[name] == nil && state.reporter != nil {
            standings[name]?.isForgettable = true
        }
        for (name, lease) in leases {
            standings[name] = LeaseRules.Standing(owner: lease.reporter, isOpen: true, ended: lease.state.started)
        }
        return standings
    }

    private func held(_ backup: BackupName, by state: RunState?) -> BusError {
        var who = ""
        if let state, case .running(_, let pid) = state.phase {
            who = " (pid \(pid), since \(LocalTime.short(state.started.microseconds)))"
        }
        return BusError(
            name: BusError.alreadyRunning,
            message: "\(backup) is under way already\(who). Report another one under another name, with --name")
    }
}
