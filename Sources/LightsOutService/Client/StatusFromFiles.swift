import Glibc
import LightsOutCore
import LightsOutRunner
import Systemd

/// How the backups stand as far as files and journal tell: for the time when the daemon is down.
struct StatusFromFiles {
    let directories: Directories
    let trust: RecordTrust
    let now: Timestamp

    /// All backups that the configuration, a script or a run makes known, by name.
    func statuses() -> [BackupStatus] {
        let reading = ConfigurationLoader.load(directories)
        // Where the configuration is at fault the scripts and the runs of the past still are there.
        let catalogue = BackupCatalogue(reading.configuration ?? Configuration(), directories: directories)
        let store = RunStateStore(directory: directories.state)
        let memories = ScheduleMemoryStore(directory: directories.state)
        let commonPause = memories.peekPause()
        return Set(catalogue.backups.keys).union(store.backups()).sorted().compactMap { name in
            let backup = catalogue.backups[name]
            var status = status(of: name, backup, store)
            // As with the daemon: of those that are no longer named, those that run or are reported.
            if reading.configuration != nil, backup == nil, status.view.state != .running, store.peek(name)?.reporter == nil {
                return nil
            }
            var memory = memories.peek(name)
            // The run's state knows of a success that the daemon was not there to see.
            if memory?.lastSuccess == nil, let run = store.peek(name), run.countsForConfigured {
                memory?.lastSuccess = run.lastSuccess
            }
            addSchedule(memory, pausedUntil: commonPause, backup, to: &status.view)
            return status
        }
    }

    /// What the schedule's memory tells of a backup.
    private func addSchedule(
        _ memory: ScheduleMemory?, pausedUntil: Timestamp?, _ backup: BackupConfiguration?, to view: inout BackupView
    ) {
        let pause = [memory?.pausedUntil, pausedUntil].compactMap { $0 }.filter { $0 > now }.max()
        if view.state == .idle, let pause {
            view.state = .paused
            view.problem = BackupView.problem(pausedUntil: pause)
        }
        if let limit = backup?.settings.staleAfter, !limit.isInfinite, !view.isStale, let memory, memory.lastSuccess == nil,
            now.since(memory.firstSeen) > limit
        {
            view.isStale = true
            view.problem = view.problem ?? "no success yet"
        }
    }

    private func status(of name: BackupName, _ backup: BackupConfiguration?, _ store: RunStateStore) -> BackupStatus {
        var view = BackupView(
            description: backup?.settings.description ?? "", state: .idle, wake: backup?.settings.wake ?? false,
            isStale: false)
        // What holds the lock is newer than what is on the disk, but only root may look at it.
        let look = RunExclusion.look(at: name, runtimeDirectory: directories.runtime)
        let state = (look.state ?? store.peek(name)).flatMap { backup == nil || $0.countsForConfigured ? $0 : nil }
        switch state?.phase {
        case .ended(let outcome, let time, _)?:
            view.lastResult = outcome.result
            view.lastFinished = time
            view.problem = state?.notes.problem
        case .running(let boot, let pid)?:
            if look.isHeld || isAlive(pid, boot: boot) {
                fillFromJournal(name, backup, &view)
                view.state = .running
                view.progress = state?.progress
                view.lastStarted = state?.started
                view.since = state?.started
                view.trigger = state?.trigger
                view.problem = state?.notes.problem
            } else {
                view.lastResult = .aborted
                view.problem = "its last run was cut off"
            }
        case nil:
            fillFromJournal(name, backup, &view)
        }
        if view.lastStarted == nil { view.lastStarted = state?.started }
        if let limit = backup?.settings.staleAfter, !limit.isInfinite, let success = state?.lastSuccess,
            now.since(success) > limit
        {
            view.isStale = true
            view.problem = view.problem ?? "no success for \(now.since(success).forPeople)"
        }
        return BackupStatus(name: name, view: view)
    }

    /// A pid alone proves nothing; a process of that number that is one of ours, in the boot named, is the runner.
    private func isAlive(_ pid: Int32, boot: String) -> Bool {
        guard boot == (try? Identity.boot()), let file = try? Descriptor.open("/proc/\(pid)/comm", O_RDONLY),
            let name = try? file.readAll(limit: 64)
        else { return false }
        return name.elementsEqual("lightsout\n".utf8)
    }

    private func fillFromJournal(_ name: BackupName, _ backup: BackupConfiguration?, _ view: inout BackupView) {
        let reader = HistoryReader(trust: trust)
        var query = HistoryReader.Query(backup: name, limit: 1)
        query.isOfConfiguration = backup != nil
        guard let entry = try? reader.entries(query).first else { return }
        view.lastResult = entry.result
        view.lastStarted = entry.started
        view.lastFinished = entry.finished
    }
}
