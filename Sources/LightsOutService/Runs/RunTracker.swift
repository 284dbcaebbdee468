import Glibc
public import LightsOutCore
public import LightsOutRunner
public import Systemd

/// Sees every run of every backup begin and end, whoever started it: by the lock files in the runtime directory, which
/// the runners hold and write (``RunExclusion``), watched with one inotify watch. Nothing polls, nothing is lost when
/// the bus or the daemon was away: the files are still there.
public final class RunTracker {
    public enum Event {
        case began(BackupName, RunState)
        /// The run has come further, or its script has ended before it.
        case progressed(BackupName, RunState)
        /// The run's own last word; its outcome is nil where the runner died without one and nobody has settled it yet.
        case ended(BackupName, RunState)
    }

    /// Told of each event, in its order.
    public var onEvent: (Event) -> Void = { _ in }

    private let loop: EventLoop
    private let directories: Directories
    private let runtimeDirectory: String
    private let store: RunStateStore
    private let log: RunLog
    private var watch: EventSource?
    private var running: [BackupName: RunIdentifier] = [:]
    /// What was last told of each run that is under way.
    private var told: [BackupName: RunState] = [:]
    /// Runs whose runner died: given the time in which their unit records the end, then settled here.
    private var orphans: [BackupName: EventSource] = [:]

    /// Backups that are looked at once more: their files could not be opened, or their runs are on the point of ending.
    private var unseen: Set<BackupName> = []
    private var secondLook: EventSource?
    private static let secondLookDelay = TimeSpan.milliseconds(100)

    /// How long a unit has to record the end of a run whose runner was killed (`ExecStopPost=`).
    private static let patience = TimeSpan.seconds(10)

    public init(loop: EventLoop, directories: Directories, log: RunLog) {
        self.loop = loop
        self.log = log
        self.directories = directories
        runtimeDirectory = directories.runtime
        store = RunStateStore(directory: directories.state)
    }

    /// Begins to watch. What is found of the runs after that misses nothing: ``takeIn(_:)``.
    func start() throws(SystemError) {
        try watchDirectory()
        // Made now: when it is needed there may be no descriptor left for it.
        secondLook = try loop.after(Self.secondLookDelay.microseconds) { [unowned self] in
            let backups = unseen
            unseen = []
            for backup in backups { look(at: backup) }
        }
        secondLook?.disable()
    }

    private func watchDirectory() throws(SystemError) {
        _ = try AtomicFile.openDirectory(runtimeDirectory, mode: 0o755)
        watch = try loop.onChange(of: runtimeDirectory, UInt32(IN_MODIFY | IN_CLOSE_WRITE | IN_ONLYDIR)) {
            [unowned self] change in
            if change.mask & UInt32(IN_IGNORED) != 0 {
                // The directory was removed; another one is made.
                watch = nil
                do throws(SystemError) { try watchDirectory() } catch {
                    log.write(.notice("runs are no longer followed: \(error)", priority: .error))
                }
            }
            if change.mask & UInt32(IN_Q_OVERFLOW | IN_IGNORED) != 0 { lookAtAll() } else { look(change.name) }
        }
    }

    /// Takes in what there was when the watch had begun. A run that a reboot cut off, or whose end the journal does not
    /// have, is put in order before it counts.
    /// - Returns: the last run of each backup that has one.
    func takeIn(_ stock: RunStock) -> [BackupName: (state: RunState, isRunning: Bool)] {
        var stock = stock
        var found: [BackupName: (state: RunState, isRunning: Bool)] = [:]
        for backup in stock.entries.filter({ $0.value.underWay == nil && $0.value.state?.isSettled == false }).keys {
            settle(backup)
            stock.refresh(backup)
        }
        for backup in store.debtors().union(missed.backups) { owed.owe(backup) }
        found.reserveCapacity(stock.entries.count)
        for (backup, entry) in stock.entries {
            // A run without a runner whose processes live on has not ended.
            if let state = entry.underWay ?? entry.state.flatMap({ $0.isRunning ? $0 : nil }) {
                found[backup] = (state, true)
                running[backup] = state.run
            } else if let state = entry.state {
                found[backup] = (state, false)
                lastTold[backup] = state.run
            }
        }
        return found
    }

    /// Whether a run of `backup` is under way, as far as was seen.
    public func isRunning(_ backup: BackupName) -> Bool { running[backup] != nil }

    /// Looks now, ahead of the event: for those who know that something happened.
    /// - Returns: whether it can be seen how things stand; otherwise it is looked at again in a moment.
    @discardableResult
    public func look(at backup: BackupName) -> Bool {
        let look = RunExclusion.look(at: backup, runtimeDirectory: runtimeDirectory)
        guard let state = look.state else {
            if look.hasFailed { lookAgain(at: backup) }
            return !look.hasFailed
        }
        if look.isHeld, case .running = state.phase {
            orphans[backup] = nil
            guard running[backup] != state.run else {
                lookAtProgress(of: backup, state)
                return true
            }
            told[backup] = state
            if let before = running[backup] { tellEnd(backup, of: before, state: nil) }
            running[backup] = state.run
            onEvent(.began(backup, state))
        } else if !look.isHeld {
            switch state.phase {
            case .ended:
                orphans[backup] = nil
                tellEnd(backup, of: state.run, state: state)
            case .running:
                orphan(backup)
            }
        } else {
            // Its holder is on the point of giving it back. The kernel tells of the close before it takes the lock away,
            // so that this may have been the last event.
            lookAgain(at: backup)
            return false
        }
        return true
    }

    private func lookAgain(at backup: BackupName) {
        unseen.insert(backup)
        try? secondLook?.rearm(at: Clock.monotonic + Self.secondLookDelay.microseconds)
    }

    private func lookAtProgress(of backup: BackupName, _ state: RunState) {
        guard told[backup] != state else { return }
        told[backup] = state
        onEvent(.progressed(backup, state))
    }

    /// Forgets a backup of which nothing is remembered any more.
    func forget(_ backup: BackupName) { lastTold[backup] = nil }

    private var lastTold: [BackupName: RunIdentifier] = [:]

    private lazy var owed = OwedRecords(
        loop,
        unrecorded: { [unowned self] backup in
            Set(unrecordedRuns(of: backup).map { .run($0) }).union(missed.owed(of: backup))
        },
        hasWaiting: { [log] in log.hasWaiting }
    ) { [unowned self] debts in
        for (backup, records) in debts {
            let runs = Set(records.compactMap { if case .run(let run) = $0 { run } else { nil } })
            if !runs.isEmpty { settle(backup, .afterSync(of: runs)) }
        }
        missed.settle(debts)
    }

    /// The missed elapses whose records nobody has seen.
    private lazy var missed = MissedRecords(directory: store.directory, log: log)

    /// Records a missed elapse.
    func recordMissed(_ backup: BackupName, _ elapse: Timestamp, _ message: String) {
        missed.write(backup, elapse, message)
        owed.owe(backup)
    }

    /// The ended runs of `backup` whose records nobody has seen. A run that is under way has taken care of the one before.
    private func unrecordedRuns(of backup: BackupName) -> Set<RunIdentifier> {
        var runs = Set(store.owed(of: backup).map(\.run))
        let look = RunExclusion.look(at: backup, runtimeDirectory: runtimeDirectory)
        if look.underWay == nil, let state = PreviousRun(backup, store: store, noted: look.state, log: log).read(),
            case .ended(_, _, recorded: false) = state.phase {
            runs.insert(state.run)
        }
        return runs
    }

    /// Tells the end of a run once. A run so short that it was not seen to begin is told too.
    private func tellEnd(_ backup: BackupName, of run: RunIdentifier, state: RunState?) {
        guard lastTold[backup] != run else { return }
        lastTold[backup] = run
        running[backup] = nil
        told[backup] = nil
        if let state, !state.isSettled { owed.owe(backup) }
        if let state { onEvent(.ended(backup, state)) }
    }

    private func look(_ file: String) {
        guard let backup = RunExclusion.backup(ofFile: file) else { return }
        look(at: backup)
    }

    private func lookAtAll() {
        for backup in RunExclusion.backups(inRuntimeDirectory: runtimeDirectory) { look(at: backup) }
    }

    /// The runner is gone and left no result. Its unit's `ExecStopPost=` records the end within moments; a run that
    /// was started by hand has nobody but us.
    private func orphan(_ backup: BackupName) {
        guard orphans[backup] == nil else { return }
        if let exclusion = try? RunExclusion(backup, runtimeDirectory: runtimeDirectory),
            let state = PreviousRun(backup, store: store, noted: exclusion.previous, log: log).read(),
            keepSurvivors(RunSurvivors(of: state, backup), of: state, backup, exclusion)
        { return }
        settleLater(backup)
    }

    private func settleLater(_ backup: BackupName) {
        orphans[backup] = try? loop.after(Self.patience.microseconds) { [unowned self] in
            orphans[backup] = nil
            settle(backup)
        }
    }

    /// Gives a standby lock to processes of the run, where systemd is not about to end them.
    /// - Returns: whether somebody sees to them, and to the end of the run.
    private func keepSurvivors(
        _ survivors: RunSurvivors, of state: RunState, _ backup: BackupName, _ exclusion: borrowing RunExclusion
    ) -> Bool {
        guard directories.areInstalled, !survivors.isEmpty, !survivors.areInUnit else { return false }
        do throws(SystemError) {
            try LockKeeper.keepSurvivors(of: backup, exclusion, directories)
            return true
        } catch {
            log.write(
                .notice(
                    "standby may interrupt the processes that its run left behind: \(error)", backup: backup, run: state.run,
                    priority: .warning))
            return false
        }
    }

    private func settle(_ backup: BackupName, _ confirmation: PreviousRun.Confirmation = .glance) {
        do throws(RunExclusion.Failure) {
            let exclusion = try RunExclusion(backup, runtimeDirectory: runtimeDirectory)
            let previous = PreviousRun(backup, store: store, noted: exclusion.previous, log: log)
            if let state = previous.read() {
                let survivors = RunSurvivors(of: state, backup)
                if keepSurvivors(survivors, of: state, backup, exclusion) { return }
                // What the runner left behind still works on; the next look finds it ended.
                if !survivors.isEmpty { return settleLater(backup) }
            }
            guard let state = previous.settle(confirmation: confirmation) else { return }
            exclusion.note(state)
            if !state.isSettled { owed.owe(backup) }
        } catch {
            // Somebody runs it, or settles it: that one's events follow.
        }
    }
}

extension RunState {
    nonisolated var isRunning: Bool { if case .running = phase { true } else { false } }

    /// Whether it has ended, and the journal has the record of it.
    nonisolated var isSettled: Bool { if case .ended(_, _, recorded: true) = phase { true } else { false } }

    /// The outcome of a run that has ended.
    nonisolated var outcome: Outcome? { if case .ended(let outcome, _, _) = phase { outcome } else { nil } }

    /// When it ended.
    nonisolated var ended: Timestamp? { if case .ended(_, let time, _) = phase { time } else { nil } }
}
