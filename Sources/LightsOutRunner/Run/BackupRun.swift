import Glibc
public import LightsOutCore
public import Systemd

/// One run of a backup, from the check of its script to its exit status: the walk of docs/architecture.md.
///
/// For exactly as long as the script or anything that it started lives, a logind inhibitor lock blocks standby.
public final class BackupRun {
    /// Why the run is being ended before its script has.
    private enum Stop {
        /// `byManager`: systemd has signalled the whole unit itself.
        case asked(String, byManager: Bool)
        case timeout
    }

    /// Why there is nothing to run, and whether there is such a backup at all.
    private struct Refusal: Error {
        let reason: String
        var isUnknown = false
    }

    private let name: BackupName
    /// What holds for the backup; the defaults until the configuration has been read.
    private var backup: BackupConfiguration
    private let directories: Directories
    private let configuration: () -> ConfigurationReading
    private let run: RunIdentifier
    private let trigger: Trigger
    private let store: RunStateStore
    private let log: RunLog
    private let isUnit: Bool

    private let loop: EventLoop
    private var sources: [EventSource] = []
    private var started = Timestamp(microseconds: 0)
    private var startedSinceBoot: UInt64 = 0
    private var stop: Stop?
    private var process: ScriptProcess?
    /// What the script leaves behind when it ends.
    private var leftovers: RunLeftovers?
    /// When the script's end was seen, by a clock that nobody sets.
    private var scriptEndedAt: UInt64?
    private var stopBegan: UInt64?
    private var sleepWatch: RunSleepWatch?
    private var slept = false
    private var lock: StandbyLock?
    private var power: RunPower?
    /// What keeps the result from being a plain success, such as a lock that logind refused.
    private var blemish: String?
    private var restartGuard: RestartGuard?
    /// What the script reports, and tells those who watch.
    private var reports: RunReports?

    /// - Parameter configuration: what to go by instead of the configuration's files as they are.
    public init(
        _ name: BackupName, trigger: Trigger, directories: Directories, configuration: (() -> ConfigurationReading)? = nil
    ) throws(SystemError) {
        self.name = name
        backup = BackupConfiguration(name: name, directories: directories)
        self.directories = directories
        self.configuration = configuration ?? { ConfigurationLoader.load(directories) }
        self.trigger = trigger
        isUnit = Identity.unit() == name.unit
        // In a shell of a desktop's unit `$INVOCATION_ID` is that unit's, and the same for every run.
        run = isUnit ? Identity.invocation.map(RunIdentifier.init) ?? .random() : .random()
        store = RunStateStore(directory: directories.state)
        log = RunLog(isUnit: isUnit)
        loop = try EventLoop()
    }

    /// Makes the run.
    /// - Returns: the exit status of `lightsout run`.
    public func perform() -> Int32 {
        started = Timestamp(microseconds: Clock.realtime)
        startedSinceBoot = Clock.boottime
        do throws(RunExclusion.Failure) {
            let exclusion = try RunExclusion(name, runtimeDirectory: directories.runtime)
            let previous = PreviousRun(name, store: store, noted: exclusion.previous, log: log)
            let (status, state) = performAlone(after: previous) { exclusion.note($0) }
            // Those who watch learn the result before they see the lock go.
            if let state { exclusion.note(state) }
            return status
        } catch {
            return notAlone(error)
        }
    }

    /// - Parameter note: tells those who watch how this run stands.
    private func performAlone(
        after previous: PreviousRun, note: (RunState) -> Void
    ) -> (status: Int32, state: RunState?) {
        if let state = previous.read() {
            let survivors = PreviousRun.survivors(of: state)
            guard survivors.isEmpty else { return (busy(with: survivors, of: state), state) }
        }
        let last = previous.settle()
        if let obstacle = powerObstacle { return (later("\(obstacle). It is not run now"), last) }
        var state = runningState(last)
        note(state)
        if let stuck = last?.notes.stuckStill {
            var state = state
            state.notes.stuck = stuck.processes
            return finish(Outcome(.failed, reason: "not run: \(stuck.text)"), state)
        }

        do throws(SystemError) { try handleSignals() } catch {
            return finish(Outcome(.failed, reason: error.description), state)
        }
        let user: User
        do throws(Refusal) {
            backup = try readConfiguration()
            user = try checkScript()
        } catch { return refuse(error, last) }

        let lock = StandbyLock(
            loop: loop, what: backup.inhibit.logindText, why: "Backup '\(name)' is running", isUnit: isUnit)
        self.lock = lock
        if let outcome = takeLock(lock) { return finish(outcome, state) }

        previous.makeRoom(after: last)
        state.notes.begun = true
        previous.keep(state)
        log.write(.started(name, run, trigger))
        hearReports(of: user)
        defer { reports?.close() }

        do throws(ScriptProcess.StartFailure) {
            process = try ScriptProcess(
                ScriptProcess.Request(
                    path: backup.script, arguments: backup.args,
                    environment: ScriptEnvironment(
                        backup: name, run: run, trigger: trigger, script: backup.script, user: user),
                    user: user, unit: name.unit), loop: loop)
        } catch {
            let result: RunResult = error.isConfiguration ? .wrongConfig : .failed
            return finish(Outcome(result, reason: error.description), state)
        }
        tellStatus()
        watchSleep(lock)
        lock.watch()
        followPower(lock)

        let outcome: Outcome
        do throws(SystemError) { outcome = try waitForEnd(state, note: note) } catch {
            process?.killAll()
            outcome = Outcome(.aborted, reason: error.description)
        }
        return finish(outcome, state)
    }

    private func runningState(_ last: RunState?) -> RunState {
        RunState(
            run: run, trigger: trigger, started: started,
            phase: .running(boot: (try? Identity.boot()) ?? "unknown", pid: getpid())
        ).following(last)
    }

    // MARK: The steps

    private func readConfiguration() throws(Refusal) -> BackupConfiguration {
        switch configuration().lookUp(name) {
        case .named(let backup): return backup
        case .unnamed(let settings):
            let backup = BackupConfiguration(name: name, settings: settings, directories: directories)
            guard access(backup.script, F_OK) == 0 || errno != ENOENT else {
                throw Refusal(
                    reason:
                        "there is no such backup: no file in \(directories.configuration) names it, and there is no \(backup.script)",
                    isUnknown: true)
            }
            return backup
        case .refused(let problems):
            let first = problems.first?.summary ?? directories.configuration
            throw Refusal(reason: "\(first). See: lightsout check")
        }
    }

    private func checkScript() throws(Refusal) -> User {
        let user: User
        do throws(SystemError) {
            if let name = backup.user { user = try User(named: name) } else { user = try User(uid: geteuid()) }
        } catch {
            throw Refusal(
                reason:
                    "\(backup.script) is to run as the user \((backup.user ?? String(geteuid())).quotedForPeople), who is not known here. Mend \"user\" in the configuration, or make the account"
            )
        }
        do throws(ScriptRefusal) { try ScriptCheck(user: user).check(backup.script) } catch {
            throw Refusal(reason: error.description)
        }
        return user
    }

    /// Takes the lock, or goes by the policy `unprotected` where there is none.
    /// - Returns: nil to go on; the outcome where the run ends here.
    private func takeLock(_ lock: StandbyLock) -> Outcome? {
        lock.onWait = { [name, log] in
            ServiceManager.status("Waiting for the end of a sleep or resume that is under way")
            log.write(
                .notice(
                    "waiting: a sleep or resume is under way, and the backup starts when it is over", backup: name,
                    priority: .info))
        }
        lock.onChange = { [unowned self] change, message in
            log.write(.lock(change, name, run, message: message))
            tellStatus()
        }
        let attempt: StandbyLock.Attempt
        do throws(SystemError) { attempt = try lock.take(shouldStop: { [unowned self] in stop != nil }) } catch {
            attempt = .unavailable(error.description)
        }
        let missing: String
        switch attempt {
        case .taken:
            log.write(
                .lock(.taken, name, run, message: "standby is blocked (\(backup.inhibit.forPeople)) until the backup is over"))
            return nil
        case .stopped:
            return stopOutcome ?? Outcome(.aborted)
        case .unavailable(let reason):
            missing = "there is no logind to block standby with (\(reason))"
        case .refused(let reason):
            missing = "logind refused to block standby (\(reason))"
            // No logind is no laptop; a logind that says no leaves a machine that may sleep in the middle.
            blemish = missing
        }
        switch backup.unprotected {
        case .run:
            log.write(
                .lock(.refused, name, run, message: "\(missing). The backup runs all the same, and standby may interrupt it"))
            return nil
        case .fail:
            log.write(.lock(.refused, name, run, message: "\(missing). The backup is not run: unprotected is fail"))
            return Outcome(.failed, reason: missing)
        }
    }

    // MARK: Power

    /// Why the run is not begun without AC power; nil where it may. The daemon asks before it starts a run; this is
    /// for those that a person starts. A configuration that cannot be read is dealt with later.
    private var powerObstacle: String? {
        guard !PowerSupplies.isOnAC() else { return nil }
        let settings: BackupSettings
        switch configuration().lookUp(name) {
        case .named(let backup): settings = backup.settings
        case .unnamed(let defaults): settings = defaults
        case .refused: return nil
        }
        var policy = PowerPolicy(rules: [name: PowerPolicy.Rule(settings)], isOnAC: false)
        switch policy.verdict(for: name) {
        case .start: return nil
        case .wait(let why): return "\(why), and \"battery\" is \"wait\""
        case .refuse(let why): return why
        }
    }

    /// Sees to what the run does when AC power goes away and comes back, where that is anything.
    private func followPower(_ lock: StandbyLock) {
        let rule = PowerPolicy.Rule(backup.settings)
        guard rule.battery == .abort || rule.battery == .run && !rule.lockOnBattery else { return }
        do throws(SystemError) {
            power = try RunPower(name, rule, loop: loop, lock: lock, log: log) { [unowned self] why in
                beginStop(.asked(why, byManager: false))
            }
        } catch {
            log.write(
                .notice(
                    "loss of AC power is not seen: \(error). The run goes on without regard to it", backup: name,
                    run: run, priority: .warning))
        }
    }

    /// Sees what the lock could not prevent.
    private func watchSleep(_ lock: StandbyLock) {
        sleepWatch = RunSleepWatch(lock, loop: loop) { [unowned self] text in
            slept = true
            log.write(.notice(text, backup: name, run: run, priority: .warning))
        }
    }

    /// Opens the way for the script's reports. Without one the run is the same, and what it reports is not heard.
    private func hearReports(of user: User) {
        do throws(SystemError) {
            reports = try RunReports(name, run, runtimeDirectory: directories.runtime, user: user, loop: loop)
        } catch {
            log.write(.notice("what its script reports cannot be heard: \(error)", backup: name, run: run, priority: .warning))
        }
    }

    /// Waits until the script and all that it started have ended.
    private func waitForEnd(_ state: RunState, note: (RunState) -> Void) throws(SystemError) -> Outcome {
        guard let process else { return Outcome(.failed) }
        if !backup.timeout.isInfinite {
            sources.append(
                try loop.after(backup.timeout.microseconds) { [unowned self] in beginStop(.timeout) })
        }
        let leftovers = RunLeftovers(backup, run, process, loop: loop, log: log)
        self.leftovers = leftovers
        var known = state
        while !process.isOver {
            if scriptEndedAt == nil, process.end != nil { scriptEndedAt = Clock.monotonic }
            if leftovers.look(isStopping: stop != nil) || slept {
                slept = false
                known.notes = leftovers.notes
                known.notes.problem = [leftovers.notes.problem, sleepWatch?.text].compactMap { $0 }.joinedOrNil
                note(known)
                tellStatus()
            }
            if process.isOver { break }
            if let progress = reports?.takeNews() {
                known.progress = progress
                note(known)
                tellStatus()
            }
            try loop.runOnce(timeout: .max)
        }
        if process.lostOutput > 0 {
            log.write(
                .notice(
                    "\(process.lostOutput) bytes of its output are lost: the journal did not take them", backup: name,
                    run: run, priority: .warning))
        }
        sleepWatch?.finish()
        let outcome = outcome(of: process).noting(leftovers.reason)
        return sleepWatch.map { outcome.during($0.times, backup.slept, text: $0.text) } ?? outcome
    }

    /// The result of the script: its own, or that of the stop that cut it off. A stop that comes when the script has ended
    /// ends what it left behind, and not its result.
    private func outcome(of process: ScriptProcess) -> Outcome {
        if let outcome = stopOutcome, !hadEndedBeforeStop { return outcome }
        let exit = process.end.map { Outcome($0, exitCodes: backup.exitCodes) } ?? Outcome(.failed)
        let reported = reports?.result().map { exit.reported($0) } ?? exit
        let outcome = blemish.map { reported.atBest(.warnings, because: $0) } ?? reported
        return outcome.noting(stopReason.map { "what the script left running was ended: \($0)" })
    }

    /// Whether the script ended by itself. systemd sends SIGTERM to the script too, and its end may be seen before our signal.
    private var hadEndedBeforeStop: Bool {
        guard let scriptEndedAt, let stopBegan else { return false }
        return scriptEndedAt + 1_000_000 <= stopBegan
    }

    /// Makes the outcome durable, records it, lets the machine sleep again.
    private func finish(_ outcome: Outcome, _ state: RunState) -> (status: Int32, state: RunState?) {
        let previous = PreviousRun(name, store: store, noted: nil, log: log)
        let duration = TimeSpan(microseconds: Clock.boottime - startedSinceBoot)
        var state = state
        if let leftovers { state.notes.stuck = leftovers.notes.stuck }
        state.notes.problem = sleepWatch?.text
        var ended = state.ended(outcome, at: started + duration, recorded: false)
        previous.keep(ended)
        previous.send(ended)
        power = nil
        restartGuard?.close()
        let wasHeld = lock?.isHeld == true
        lock?.release()
        if wasHeld { log.write(.lock(.released, name, run, message: "standby is no longer blocked by it")) }
        lock?.close()
        // In the unit, `ExecStopPost=` does this when the runner has ended.
        if !isUnit { ended = previous.confirm(ended, .waiting) }
        ServiceManager.status(ended.summary)
        return (outcome.result.exitStatus, ended)
    }

    /// The configuration or the script does not permit the run.
    private func refuse(_ refusal: Refusal, _ last: RunState?) -> (status: Int32, state: RunState?) {
        let state = runningState(last).ended(Outcome(.wrongConfig, reason: refusal.reason), at: started, recorded: true)
        log.write(.refused(name, run, trigger, reason: refusal.reason))
        // A name that is no backup's leaves nothing behind.
        if !refusal.isUnknown || last != nil { PreviousRun(name, store: store, noted: nil, log: log).keep(state) }
        ServiceManager.status("Not run: \(refusal.reason)")
        return (RunResult.wrongConfig.exitStatus, state)
    }

    // MARK: Ending it early

    private func handleSignals() throws(SystemError) {
        for (signal, cause) in [
            (SIGTERM, Outcome.Reason.stopped), (SIGINT, "interrupted from the keyboard"),
            (SIGHUP, "its terminal was closed"),
        ] {
            sources.append(
                try loop.onSignal(signal) { [unowned self] received in
                    let byManager = isUnit && received.sender == 1
                    // systemd ends its units because somebody wants it to, or because the machine goes down.
                    let goesDown = byManager && stop == nil && SystemState.isStopping
                    beginStop(.asked(goesDown ? Outcome.Reason.machineWentDown : cause, byManager: byManager))
                })
        }
        if isUnit { try refuseRestarts() }
        // Whoever reads what we print may go; the run goes on.
        Glibc.signal(SIGPIPE, SIG_IGN)
    }

    private func refuseRestarts() throws(SystemError) {
        let restarts = RestartGuard(
            unit: name.unit, loop: loop,
            onRefusal: { [name, run, log] jobType in
                log.write(
                    .notice(
                        "a \(jobType) of its unit is refused because the backup is running. The run goes on",
                        backup: name, run: run, priority: .info))
            },
            onStop: { [unowned self] in
                // systemd sends no second signal, so the runner signals the script itself.
                let reason = SystemState.isStopping ? Outcome.Reason.machineWentDown : Outcome.Reason.stopped
                beginStop(.asked(reason, byManager: false))
            },
            onProblem: { [name, run, log] problem in
                log.write(
                    .notice(
                        "could not ask systemd about a restart of its unit: \(problem). The run goes on, and a restart may follow it",
                        backup: name, run: run, priority: .warning))
            })
        restartGuard = restarts
        sources.append(
            try loop.onSignal(RestartGuard.signal) { received in
                if received.sender == 1 { restarts.refuseRestart() }
            })
    }

    private func beginStop(_ cause: Stop) {
        guard stop == nil else { return }
        stop = cause
        stopBegan = Clock.monotonic
        leftovers?.stopBegan()
        guard let process else { return }
        if case .asked(_, byManager: true) = cause {
            // systemd has sent SIGTERM to everything in the unit; once is enough.
            process.signal(SIGTERM, to: .outsideUnit)
        } else {
            process.signal(SIGTERM)
            process.signal(SIGCONT)
        }
        ServiceManager.extendTimeout((backup.stopTimeout + .seconds(30)).microseconds)
        ServiceManager.status("Stopping: \(stopReason ?? "")")
        if let source = try? loop.after(backup.stopTimeout.microseconds, { [unowned self] in kill() }) {
            sources.append(source)
        } else {
            process.killAll()
            leftovers?.killed()
        }
    }

    private func kill() {
        log.write(
            .notice(
                "what still runs did not end within \(backup.stopTimeout.forPeople) of SIGTERM and is killed",
                backup: name, run: run, priority: .warning))
        process?.killAll()
        leftovers?.killed()
    }

    private var stopReason: String? {
        switch stop {
        case .asked(let reason, _): reason
        case .timeout: "it ran longer than its timeout of \(backup.timeout.forPeople)"
        case nil: nil
        }
    }

    private var stopOutcome: Outcome? {
        guard let reason = stopReason else { return nil }
        switch process?.end {
        case .exited(let status): return Outcome(.aborted, exitStatus: status, reason: reason)
        case .killed(let signal): return Outcome(.aborted, signal: signal, reason: reason)
        case nil: return Outcome(.aborted, reason: reason)
        }
    }

    // MARK: Another run is under way

    private func notAlone(_ failure: RunExclusion.Failure) -> Int32 {
        switch failure {
        case .held(let holder):
            var who = ""
            if let holder, case .running(_, let pid) = holder.phase {
                who = " (pid \(pid), since \(LocalTime.short(holder.started.microseconds)))"
            }
            return later("another run of it is under way\(who). This one is not run")
        case .system(let error):
            if error.code == EACCES || error.code == EPERM {
                StandardError.say("\(error). Run it as root, or set LIGHTSOUT_RUNTIME_DIR for a trial")
                return ExitStatus.notAllowed
            }
            return finish(Outcome(.failed, reason: "two runs of it cannot be kept apart: \(error)"), runningState(nil)).status
        }
    }

    private func busy(with survivors: [pid_t], of state: RunState) -> Int32 {
        later(
            "processes of a run whose runner is gone still live (pid \(survivors.map { String($0) }.joined(separator: ", ")), since \(LocalTime.short(state.started.microseconds))). This one is not run; end them first"
        )
    }

    private func later(_ reason: String) -> Int32 {
        StandardError.say("\(name): \(reason)")
        ServiceManager.status("Not run now: \(reason)")
        return ExitStatus.tryLater
    }

    // MARK: What people see

    private func tellStatus() {
        let since = LocalTime.short(started.microseconds)
        let standby =
            lock?.isHeld == true ? "standby blocked: \(backup.inhibit.forPeople)" : "standby is NOT blocked"
        if process?.end != nil {
            let problem = leftovers?.notes.problem.map { ": \($0)" } ?? ""
            ServiceManager.status("Script has ended, its background processes run on since \(since), \(standby)\(problem)")
        } else {
            let progress = reports?.progress.map { ", \($0) %" } ?? ""
            ServiceManager.status("Running since \(since)\(progress), \(standby)")
        }
    }
}
