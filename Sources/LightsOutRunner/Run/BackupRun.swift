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

    private let plan: RunPlan
    private let run: RunIdentifier
    private let trigger: Trigger
    private let store: RunStateStore
    private let runtimeDirectory: String
    private let log: RunLog
    private let isUnit: Bool

    private let loop: EventLoop
    private var sources: [EventSource] = []
    private var started = Timestamp(microseconds: 0)
    private var startedMonotonic: UInt64 = 0
    private var stop: Stop?
    private var process: ScriptProcess?
    private var lock: StandbyLock?
    /// What keeps the result from being a plain success, such as a lock that logind refused.
    private var blemish: String?

    /// - Parameters:
    ///   - stateDirectory: where the run's state is kept, durable.
    ///   - runtimeDirectory: where two runs are kept apart, until the next boot.
    public init(
        _ plan: RunPlan, trigger: Trigger, stateDirectory: String, runtimeDirectory: String
    ) throws(SystemError) {
        self.plan = plan
        self.trigger = trigger
        self.runtimeDirectory = runtimeDirectory
        isUnit = Identity.unit() == plan.unit
        // In a shell of a desktop's unit `$INVOCATION_ID` is that unit's, and the same for every run.
        run = isUnit ? Identity.invocation.map(RunIdentifier.init) ?? .random() : .random()
        store = RunStateStore(directory: stateDirectory)
        log = RunLog(isUnit: isUnit)
        loop = try EventLoop()
    }

    /// Makes the run.
    /// - Returns: the exit status of `lightsout run`.
    public func perform() -> Int32 {
        started = now
        startedMonotonic = Clock.monotonic
        do throws(RunExclusion.Failure) {
            let exclusion = try RunExclusion(plan.backup, runtimeDirectory: runtimeDirectory, for: runningState(nil))
            let (status, state) = performAlone()
            // Those who watch learn the result before they see the lock go.
            if let state { exclusion.note(state) }
            return status
        } catch {
            return notAlone(error)
        }
    }

    private func performAlone() -> (status: Int32, state: RunState?) {
        let previous = PreviousRun(plan.backup, store: store, log: log)
        if let state = previous.read() {
            let survivors = PreviousRun.survivors(of: state)
            guard survivors.isEmpty else { return (busy(with: survivors, of: state), state) }
        }
        let last = previous.settle()

        do throws(SystemError) { try handleSignals() } catch {
            return finish(Outcome(.failed, reason: error.description), last)
        }
        let user: User
        do throws(ScriptRefusal) { user = try checkScript() } catch { return refuse(error.description, last) }

        let lock = StandbyLock(loop: loop, what: plan.inhibit, why: "Backup '\(plan.backup)' is running")
        self.lock = lock
        if let outcome = takeLock(lock) { return finish(outcome, last) }

        let state = runningState(last)
        do throws(SystemError) { try store.write(state, of: plan.backup) } catch { previous.complain(error) }
        log.write(.started(plan.backup, run, trigger))

        do throws(ScriptProcess.StartFailure) {
            process = try ScriptProcess(
                ScriptProcess.Request(
                    path: plan.script, arguments: plan.arguments,
                    environment: ScriptEnvironment(
                        backup: plan.backup, run: run, trigger: trigger, script: plan.script, user: user),
                    user: user, unit: plan.unit), loop: loop)
        } catch {
            let result: RunResult = error.isConfiguration ? .wrongConfig : .failed
            return finish(Outcome(result, reason: error.description), state)
        }
        tellStatus()
        lock.watch()

        let outcome: Outcome
        do throws(SystemError) { outcome = try waitForEnd() } catch {
            process?.killAll()
            outcome = Outcome(.aborted, reason: error.description)
        }
        return finish(outcome, state)
    }

    private func runningState(_ last: RunState?) -> RunState {
        RunState(
            run: run, trigger: trigger, started: started,
            phase: .running(boot: (try? Identity.boot()) ?? "unknown", pid: getpid()), lastSuccess: last?.lastSuccess)
    }

    // MARK: The steps

    private func checkScript() throws(ScriptRefusal) -> User {
        let user: User
        do throws(SystemError) {
            if let name = plan.user { user = try User(named: name) } else { user = try User(uid: geteuid()) }
        } catch {
            throw ScriptRefusal(
                plan.script, "is to run as user \"\(plan.user ?? String(geteuid()))\", who is not known here",
                advice: "Mend `user` in the configuration or make the account.")
        }
        try ScriptCheck(user: user).check(plan.script)
        return user
    }

    /// Takes the lock, or goes by the policy `unprotected` where there is none.
    /// - Returns: nil to go on; the outcome where the run ends here.
    private func takeLock(_ lock: StandbyLock) -> Outcome? {
        lock.onWait = { [plan, log] in
            ServiceManager.status("Waiting for the end of a sleep or resume that is under way")
            log.write(
                .notice(
                    "waiting: a sleep or resume is under way, and the backup starts when it is over", backup: plan.backup,
                    priority: .info))
        }
        lock.onChange = { [plan, run, log] change, message in
            log.write(.lock(change, plan.backup, run, message: message))
        }
        let attempt: StandbyLock.Attempt
        do throws(SystemError) { attempt = try lock.take(shouldStop: { [unowned self] in stop != nil }) } catch {
            attempt = .unavailable(error.description)
        }
        let missing: String
        switch attempt {
        case .taken:
            log.write(
                .lock(.taken, plan.backup, run, message: "standby is blocked (\(plan.inhibitForPeople)) until the backup is over"))
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
        switch plan.unprotected {
        case .run:
            log.write(
                .lock(.refused, plan.backup, run, message: "\(missing). The backup runs all the same, and standby may interrupt it"))
            return nil
        case .fail:
            log.write(.lock(.refused, plan.backup, run, message: "\(missing). The backup is not run: unprotected is fail"))
            return Outcome(.failed, reason: missing)
        }
    }

    /// Waits until the script and all that it started have ended.
    private func waitForEnd() throws(SystemError) -> Outcome {
        guard let process else { return Outcome(.failed) }
        if !plan.timeout.isInfinite {
            sources.append(
                try loop.after(plan.timeout.microseconds) { [unowned self] in beginStop(.timeout) })
        }
        var saidThatItWaits = false
        while !process.isOver {
            if process.end != nil && stop == nil && !saidThatItWaits {
                saidThatItWaits = true
                tellStatus()
            }
            try loop.runOnce(timeout: .max)
        }
        if let outcome = stopOutcome { return outcome }
        let outcome = process.end.map { Outcome($0, exitCodes: plan.exitCodes) } ?? Outcome(.failed)
        return blemish.map { outcome.atBest(.warnings, because: $0) } ?? outcome
    }

    /// Makes the outcome durable, records it, lets the machine sleep again.
    private func finish(_ outcome: Outcome, _ state: RunState?) -> (status: Int32, state: RunState?) {
        let ended = runningState(state).ended(
            outcome, at: started + TimeSpan(microseconds: Clock.monotonic - startedMonotonic), recorded: false)
        let previous = PreviousRun(plan.backup, store: store, log: log)
        do throws(SystemError) { try store.write(ended, of: plan.backup) } catch { previous.complain(error) }
        previous.record(ended)
        let wasHeld = lock?.isHeld == true
        lock?.release()
        if wasHeld { log.write(.lock(.released, plan.backup, run, message: "standby is no longer blocked by it")) }
        lock?.close()
        ServiceManager.status(ended.summary)
        return (outcome.result.exitStatus, ended)
    }

    /// The configuration or the script does not permit the run.
    private func refuse(_ reason: String, _ last: RunState?) -> (status: Int32, state: RunState?) {
        let ended = runningState(last).ended(Outcome(.wrongConfig, reason: reason), at: started, recorded: true)
        do throws(SystemError) { try store.write(ended, of: plan.backup) } catch {
            PreviousRun(plan.backup, store: store, log: log).complain(error)
        }
        log.write(.refused(plan.backup, run, trigger, reason: reason))
        ServiceManager.status("Not run: \(reason)")
        return (RunResult.wrongConfig.exitStatus, ended)
    }

    // MARK: Ending it early

    private func handleSignals() throws(SystemError) {
        for (signal, cause) in [
            (SIGTERM, Outcome.Reason.stopped), (SIGINT, "interrupted from the keyboard"),
            (SIGHUP, "its terminal was closed"),
        ] {
            sources.append(
                try loop.onSignal(signal) { [unowned self] received in
                    beginStop(.asked(cause, byManager: isUnit && received.sender == 1))
                })
        }
        // Whoever reads our output may go; the run goes on.
        Glibc.signal(SIGPIPE, SIG_IGN)
    }

    private func beginStop(_ cause: Stop) {
        guard stop == nil else { return }
        stop = cause
        guard let process else { return }
        if case .asked(_, byManager: true) = cause {
            // systemd has sent SIGTERM to everything in the unit; once is enough.
        } else {
            process.signal(SIGTERM)
            process.signal(SIGCONT)
        }
        ServiceManager.extendTimeout((plan.stopTimeout + .seconds(30)).microseconds)
        ServiceManager.status("Stopping: \(stopReason ?? "")")
        if let source = try? loop.after(plan.stopTimeout.microseconds, { [unowned self] in kill() }) {
            sources.append(source)
        } else {
            process.killAll()
        }
    }

    private func kill() {
        log.write(
            .notice(
                "what still runs did not end within \(plan.stopTimeout.forPeople) of SIGTERM and is killed",
                backup: plan.backup, run: run, priority: .warning))
        process?.killAll()
    }

    private var stopReason: String? {
        switch stop {
        case .asked(let reason, _): reason
        case .timeout: "it ran longer than its timeout of \(plan.timeout.forPeople)"
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
            return finish(Outcome(.failed, reason: "two runs of it cannot be kept apart: \(error)"), nil).status
        }
    }

    private func busy(with survivors: [pid_t], of state: RunState) -> Int32 {
        later(
            "processes of a run whose runner is gone still live (pid \(survivors.map { String($0) }.joined(separator: ", ")), since \(LocalTime.short(state.started.microseconds))). This one is not run; end them first"
        )
    }

    private func later(_ reason: String) -> Int32 {
        StandardError.say("\(plan.backup): \(reason)")
        ServiceManager.status("Not run now: \(reason)")
        return ExitStatus.tryLater
    }

    // MARK: What people see

    private var now: Timestamp { Timestamp(microseconds: Clock.realtime) }

    private func tellStatus() {
        let since = LocalTime.short(started.microseconds)
        let standby =
            lock?.isHeld == true ? "standby blocked: \(plan.inhibitForPeople)" : "standby is NOT blocked"
        if process?.end != nil {
            ServiceManager.status("Script has ended, its background processes run on since \(since), \(standby)")
        } else {
            ServiceManager.status("Running since \(since), \(standby)")
        }
    }
}

extension RunState {
    /// The line that `systemctl status` keeps after the run.
    nonisolated var summary: String {
        guard case .ended(let outcome, let time, _) = phase else { return "" }
        let reason = outcome.reason.map { ": \($0)" } ?? ""
        return "Ended \(LocalTime.short(time.microseconds)), \(outcome.result.phrase)\(reason)"
    }
}
