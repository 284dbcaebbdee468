import Glibc
public import LightsOutCore
public import Systemd

/// Holds a standby lock for the processes of a run that outlived its runner, until the last of them has ended; then it gives
/// the run its end. It holds the ``RunExclusion`` meanwhile, so no other run of the backup begins.
public final class SurvivorLock {
    private let backup: BackupName
    private let exclusion: RunExclusion
    private let state: RunState
    private let store: RunStateStore
    private let loop: EventLoop
    private let log: RunLog
    private let lock: StandbyLock
    private let onEnd: () -> Void
    private var watches: [Int32: (process: ProcessHandle, source: EventSource)] = [:]
    private var wasHeld = false
    private var hadSurvivors = false

    /// - Parameter onEnd: told when it is over.
    /// - Returns: nil where no run is under way by the files.
    public init?(
        _ backup: BackupName, _ exclusion: consuming RunExclusion, directories: Directories, loop: EventLoop, log: RunLog,
        onEnd: @escaping () -> Void
    ) {
        store = RunStateStore(directory: directories.state)
        guard let state = PreviousRun(backup, store: store, noted: exclusion.previous, log: log).read(),
            case .running = state.phase
        else { return nil }
        self.backup = backup
        self.exclusion = exclusion
        self.state = state
        self.loop = loop
        self.log = log
        self.onEnd = onEnd
        var what: [InhibitedAction] = BackupSettings().inhibit
        switch ConfigurationLoader.load(directories).lookUp(backup) {
        case .named(let found): what = found.settings.inhibit
        case .unnamed(let settings): what = settings.inhibit
        case .refused: break
        }
        lock = StandbyLock(loop: loop, what: what.logindText, why: "Backup '\(backup)' has lost its runner, and processes of it run on")
    }

    /// Takes the lock and begins to watch. It may wait, so no event of the loop may be under way.
    public func begin() {
        let survivors = RunSurvivors(of: state, backup)
        guard !survivors.isEmpty else { return end() }
        hadSurvivors = true
        lock.onChange = { [unowned self] change, message in log.write(.lock(change, backup, state.run, message: message)) }
        let attempt: StandbyLock.Attempt
        do throws(SystemError) { attempt = try lock.take { false } } catch { attempt = .unavailable(error.description) }
        switch attempt {
        case .taken, .stopped:
            wasHeld = true
            lock.watch()
            log.write(
                .lock(
                    .taken, backup, state.run,
                    message:
                        "its runner is gone, and standby is blocked until the processes of the run have ended: \(survivors.processes.forPeople)"
                ))
        case .unavailable(let reason), .refused(let reason):
            log.write(
                .lock(
                    .refused, backup, state.run,
                    message: "its runner is gone, and standby may interrupt the processes of the run: \(reason)"))
        }
        look()
    }

    /// Watches all that is there now; who ends may have started others.
    private func look() {
        let pids = RunSurvivors(of: state, backup).pids
        for pid in pids where watches[pid] == nil { watch(pid) }
        guard pids.isEmpty || watches.isEmpty else { return }
        end()
    }

    private func watch(_ pid: Int32) {
        guard let process = ProcessHandle(of: pid),
            let source = try? loop.onEvents(
                Linux.canBeRead, of: process.number,
                { [unowned self] _ in
                    watches[pid] = nil
                    look()
                })
        else { return }
        watches[pid] = (process, source)
    }

    private func end() {
        watches = [:]
        let previous = PreviousRun(backup, store: store, noted: exclusion.previous, log: log)
        let reason = hadSurvivors ? "its runner was killed, and what its script had started ran on without it" : nil
        if let settled = previous.settle(because: reason) {
            exclusion.note(settled)
        }
        lock.close()
        if wasHeld { log.write(.lock(.released, backup, state.run, message: "standby is no longer blocked by it")) }
        exclusion.release()
        onEnd()
    }
}
