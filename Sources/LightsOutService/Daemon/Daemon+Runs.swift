import LightsOutCore
import LightsOutRunner
import Systemd

// Runs as they begin and end.

extension Daemon {
    func handle(_ event: RunTracker.Event) {
        let name = event.backup
        let wasShown = isShown(name)
        take(event)
        if isShown(name) != wasShown { bus?.backupsChanged(from: wasShown ? [name] : [], to: wasShown ? [] : [name]) }
        standingChanged(of: [name])
        switch event {
        case .began: sleep.runStarted(name)
        case .progressed: dueLocks.runChanged(name)
        case .ended: sleep.runEnded(name)
        }
    }

    private func take(_ event: RunTracker.Event) {
        guard counts(event.state, for: event.backup) else { return }
        switch event {
        case .began(let name, let state):
            startHasRun(name)
            if let before = runs[name], before.ended != nil { endedRuns[name] = before }
            runs[name] = state
            requirements.forget(name)
            carryOut(
                scheduler.runStarted(name, scheduledRun: state.scheduledRun, mark: state.notes.start, now: now))
            tellOfLeftovers(name, state)
        case .progressed(let name, let state):
            runs[name] = state
            tellOfLeftovers(name, state)
        case .ended(let name, let state):
            startHasRun(name)
            endedRuns[name] = nil
            runs[name] = state
            let outcome = state.outcome ?? Outcome(.unknown)
            let goesDown = outcome.endedWithMachine
            // systemd starts nothing any more; what is owed is for the daemon after the boot.
            if goesDown { carryOut(scheduler.sleepBegins(now: now)) }
            carryOut(
                scheduler.runEnded(
                    name, scheduledRun: state.scheduledRun, mark: state.notes.start, result: outcome.result,
                    stoppedOnRequest: outcome.wasStopped, wasCutOff: goesDown, now: now))
        }
    }

    /// The script has ended and the run goes on: what becomes due now follows the run.
    private func tellOfLeftovers(_ name: BackupName, _ state: RunState) {
        guard state.notes.scriptEnded != nil else { return }
        carryOut(scheduler.scriptEnded(name, now: now))
    }

    /// Whatever was asked of systemd has become a run.
    private func startHasRun(_ name: BackupName) {
        // A run that somebody else began at the same time has not read the note. The next one must not take it for its own.
        if starting.removeValue(forKey: name) != nil {
            TriggerNote(runtimeDirectory: directories.runtime).withdraw(for: name)
        }
        startingAgain.remove(name)
        bus?.startsForCallers.remove(name)
    }

    // MARK: What counts

    /// Whether a name is root's: the configuration has it, or a script has, also one that came after the last reload.
    func isConfigured(_ name: BackupName) -> Bool { backups[name] != nil || BackupCatalogue.hasScript(name, directories) }

    /// Whether a run says anything about the backup of this name.
    func counts(_ run: RunState, for name: BackupName) -> Bool { backups[name] == nil || run.countsForConfigured }

    /// Names that users other than root reported under, and that the configuration has now, are root's from here on.
    func takeNamesBack() {
        leases.endThoseOfOthers()
        for (name, run) in runs where !counts(run, for: name) {
            runs[name] = nil
            endedRuns[name] = nil
        }
    }

    // MARK: What is shown

    /// Whether `name` is there for others to see: a backup of the configuration, one that runs although the configuration
    /// has it no longer, and one that is, or was, reported.
    func isShown(_ name: BackupName) -> Bool {
        backups[name] != nil || runs[name].map(Self.isShown) ?? false
    }

    var shownBackups: Set<BackupName> { Set(backups.keys).union(runs.filter { Self.isShown($0.value) }.keys) }

    private static func isShown(_ run: RunState) -> Bool { run.isRunning || run.reporter != nil }

    /// Forgets a backup that was reported once.
    func forget(_ name: BackupName) {
        runs[name] = nil
        endedRuns[name] = nil
        tracker.forget(name)
        RunStateStore(directory: directories.state).forget(name)
        RunExclusion.forget(name, runtimeDirectory: directories.runtime)
        bus?.backupsChanged(from: [name], to: [])
    }
}

extension RunTracker.Event {
    var backup: BackupName {
        switch self {
        case .began(let backup, _), .progressed(let backup, _), .ended(let backup, _): backup
        }
    }

    fileprivate var state: RunState {
        switch self {
        case .began(_, let state), .progressed(_, let state), .ended(_, let state): state
        }
    }
}
