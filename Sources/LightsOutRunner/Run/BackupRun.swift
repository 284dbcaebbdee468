import Glibc
public import LightsOutCore
public import Systemd

/// One run of a backup, from the check of its script to its exit status: the walk of docs/architecture.md.
///
/// For exactly as long as the script or anything that it started lives, a logind inhibitor lock blocks standby.
public final class BackupRun {
    /// Why the run is being ended before its script has.
    enum Stop {
        /// `byManager`: the signal came from systemd, which may have sent it to the whole unit.
        case asked(String, byManager: Bool)
        case timeout
    }

    /// Why there is nothing to run, and whether there is such a backup at all.
    private struct Refusal: Error {
        let reason: String
        var isUnknown = false
    }

    let name: BackupName
    /// What holds for the backup; the defaults until the configuration has been read.
    var backup: BackupConfiguration
    let directories: Directories
    let configuration: () -> ConfigurationReading
    let run: RunIdentifier
    private let trigger: Trigger
    /// The number of the start, where the daemon asked for it.
    private let mark: UInt64?
    private let store: RunStateStore
    /// Where the script finds commands.
    private var searchPath = ScriptEnvironment.searchPath
    let log: RunLog
    let isUnit: Bool

    let loop: EventLoop
    var sources: [EventSource] = []
    var started = Timestamp(microseconds: 0)
    private var startedSinceBoot: UInt64 = 0
    var stop: Stop?
    var process: ScriptProcess?
    /// What the script leaves behind when it ends.
    var leftovers: RunLeftovers?
    /// When the script's end was seen, by a clock that nobody sets.
    private var scriptEndedAt: UInt64?
    var stopBegan: UInt64?
    var sleepWatch: RunSleepWatch?
    /// Whether there is something new of sleep or the lock to tell those who watch.
    var isNews = false
    /// When standby was not blocked although it should have been.
    private var gaps = LockGaps()
    private var lockChanges: [JournalRecord.LockChange] = []
    /// Tells those who watch how the run ended, before anything else does.
    private var noteEnd: (RunState) -> Void = { _ in }
    private var lock: StandbyLock?
    var power: RunPower?
    /// What keeps the result from being a plain success, such as a lock that logind refused.
    private var blemish: String?
    var restartGuard: RestartGuard?
    /// What the script reports, and tells those who watch.
    var reports: RunReports?

    /// - Parameter configuration: what to go by instead of the configuration's files as they are.
    public init(
        _ name: BackupName, start: TriggerNote.Contents, directories: Directories, configuration: (() -> ConfigurationReading)? = nil
    ) throws(SystemError) {
        self.name = name
        backup = BackupConfiguration(name: name, directories: directories)
        self.directories = directories
        self.configuration = configuration ?? { ConfigurationLoader.load(directories) }
        trigger = start.trigger
        mark = start.mark
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
            let exclusion = try takeExclusion()
            let previous = PreviousRun(name, store: store, noted: exclusion.previous, log: log)
            if let status = survivorsRefusal(previous, exclusion) { return status }
            let number = exclusion.number
            noteEnd = { RunExclusion.note($0, in: number) }
            defer { noteEnd = { _ in } }
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
        state.notes.locks = lockChanges
        previous.keep(state)
        // The daemon's lock for a backup that is due lasts until it sees this.
        note(state)
        log.write(.started(name, run, trigger))
        hearReports(of: user)
        defer { reports?.close() }

        do throws(ScriptProcess.StartFailure) {
            process = try ScriptProcess(
                ScriptProcess.Request(
                    path: backup.script, arguments: backup.args,
                    environment: ScriptEnvironment(
                        backup: name, run: run, trigger: trigger, script: backup.script, user: user,
                        searchPath: searchPath),
                    user: user, unit: name.unit), loop: loop)
        } catch {
            let result: RunResult = error.isConfiguration ? .wrongConfig : .failed
            return finish(Outcome(result, reason: error.description), state)
        }
        state.notes.script = process?.identity
        note(state)
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

    func runningState(_ last: RunState?) -> RunState {
        var state = RunState(
            run: run, trigger: trigger, started: started,
            phase: .running(boot: (try? Identity.boot()) ?? "unknown", pid: getpid())
        ).following(last)
        if let mark { state.notes.start = mark }
        return state
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
        let check = ScriptCheck(user: user)
        do throws(ScriptRefusal) { try check.check(backup.script) } catch {
            throw Refusal(reason: error.description)
        }
        searchPath = check.searchPath
        for refusal in check.leftOut {
            log.write(
                .notice(
                    "its PATH leaves out a directory in which somebody else could put a program: \(refusal)", backup: name, run: run,
                    priority: .warning))
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
            gaps.see(change, at: Timestamp(microseconds: Clock.realtime))
            isNews = isNews || change == .lost || change == .taken
            tell(change, message)
            tellStatus()
        }
        let attempt: StandbyLock.Attempt
        do throws(SystemError) { attempt = try lock.take(shouldStop: { [unowned self] in stop != nil }) } catch {
            attempt = .unavailable(error.description)
        }
        let missing: String
        switch attempt {
        case .taken:
            tell(.taken, "standby is blocked (\(backup.inhibit.forPeople)) until the backup is over")
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
            tell(.refused, "\(missing). The backup runs all the same, and standby may interrupt it")
            return nil
        case .fail:
            tell(.refused, "\(missing). The backup is not run: unprotected is fail")
            return Outcome(.failed, reason: missing)
        }
    }

    /// Records what became of the lock.
    private func tell(_ change: JournalRecord.LockChange, _ message: String) {
        if lockChanges.count < RunNotes.lockLimit { lockChanges.append(change) }
        log.write(.lock(change, name, run, message: message))
    }

    // MARK: The end

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
            if leftovers.look(isStopping: stop != nil) || isNews {
                isNews = false
                known.notes.take(leftovers.notes)
                known.notes.locks = lockChanges
                known.notes.problem = [leftovers.notes.problem, standbyText].compactMap { $0 }.joinedOrNil
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
        let outcome = outcome(of: process).noting(leftovers.reason).noting(gapText)
        return sleepWatch.map { outcome.during($0.times, backup.slept, text: $0.text) } ?? outcome
    }

    private var gapText: String? { gaps.text { LocalTime.short($0.microseconds) } }

    /// What the lock could not prevent, as one line.
    private var standbyText: String? { [gapText, sleepWatch?.text].compactMap { $0 }.joinedOrNil }

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
    func finish(_ outcome: Outcome, _ state: RunState) -> (status: Int32, state: RunState?) {
        let previous = PreviousRun(name, store: store, noted: nil, log: log)
        let duration = TimeSpan(microseconds: Clock.boottime - startedSinceBoot)
        var state = state
        if let leftovers { state.notes.stuck = leftovers.notes.stuck }
        state.notes.problem = standbyText
        let wasHeld = lock?.isHeld == true
        state.notes.locks = lockChanges + (wasHeld ? [.released] : [])
        var ended = state.ended(outcome, at: started + duration, recorded: false)
        // First where there is always room: whoever finds this run when the runner is killed now adds no second end.
        noteEnd(ended)
        previous.keep(ended)
        previous.send(ended)
        power = nil
        restartGuard?.close()
        lock?.release()
        if wasHeld { tell(.released, "standby is no longer blocked by it") }
        lock?.close()
        // In the unit, `ExecStopPost=` does this when the runner has ended.
        if !isUnit { ended = previous.confirm(ended, .waiting) }
        ServiceManager.status(ended.summary)
        return (outcome.result.exitStatus, ended)
    }

    /// The configuration or the script does not permit the run.
    private func refuse(_ refusal: Refusal, _ last: RunState?) -> (status: Int32, state: RunState?) {
        // A name that is no backup's leaves nothing behind.
        let isKept = !refusal.isUnknown || last != nil
        var state = runningState(last).ended(Outcome(.wrongConfig, reason: refusal.reason), at: started, recorded: !isKept)
        state.notes.refused = true
        let previous = PreviousRun(name, store: store, noted: nil, log: log)
        if isKept { previous.keep(state) }
        previous.send(state)
        if isKept, !isUnit { state = previous.confirm(state, .waiting) }
        ServiceManager.status("Not run: \(refusal.reason)")
        return (RunResult.wrongConfig.exitStatus, state)
    }

    // MARK: What people see

    func tellStatus() {
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
