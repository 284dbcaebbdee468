import LightsOutCore
import LightsOutRunner
import Systemd

/// How one backup stands: what `status` and the bus show of it.
nonisolated struct BackupView: Hashable, Sendable {
    enum State: String, CaseIterable, Sendable { case idle, running, waiting, paused, reported }

    /// What the property Progress says where there is none.
    static let noProgress: UInt8 = 255

    var description: String
    var state: State
    /// Percent; nil where the run has reported none.
    var progress: UInt8?
    /// What the run under way was begun by; nil where none is.
    var trigger: Trigger?
    /// Since when it runs or waits.
    var since: Timestamp?
    var nextElapse: Timestamp?
    var lastElapse: Timestamp?
    var lastStarted: Timestamp?
    var lastFinished: Timestamp?
    var lastResult: RunResult?
    var wake: Bool
    var isStale: Bool
    /// Why it waits, or is late; nil where nothing is to be said.
    var problem: String?
    /// Since when standby is blocked for it because it is due, or soon will be; nil where it is not.
    var keptAwakeSince: Timestamp?

    static func problem(pausedUntil end: Timestamp) -> String {
        end == .never ? "paused" : "paused until \(LocalTime.short(end.microseconds))"
    }
}

extension Daemon {
    /// How `name` stands now; nil where there is no such backup.
    func view(of name: BackupName) -> BackupView? {
        let run = runs[name]
        let ended = run?.ended == nil ? endedRuns[name] : run
        guard let backup = backups[name], let standing = scheduler.standing(of: name, now: now) else {
            return isShown(name) ? run.map { Self.viewOfUnconfigured($0, ended: ended) } : nil
        }
        var view = BackupView(
            description: backup.settings.description, state: .idle, nextElapse: standing.nextDue,
            lastElapse: standing.lastElapse, lastStarted: run?.started, lastFinished: ended?.ended,
            lastResult: ended?.outcome?.result, wake: backup.settings.wake, isStale: standing.isStale)
        switch standing.state {
        case .idle: view.problem = ended?.notes.problem
        case .delayed(let until):
            view.state = .waiting
            view.problem = "starts at \(LocalTime.short(until.microseconds))"
        case .queued:
            view.state = .waiting
            view.problem = "waiting for its turn"
        case .waiting(let why):
            view.state = .waiting
            view.problem = why
        case .running(let since):
            view.state = leases.isOpen(name) ? .reported : .running
            // Until the run that systemd was asked for has begun, what is known is the one before.
            let begun = run?.ended == nil ? run : nil
            view.progress = begun?.progress
            view.since = begun?.started ?? since
            view.trigger = begun?.trigger
            view.problem = begun?.notes.problem
        case .paused(let until):
            view.state = .paused
            view.problem = BackupView.problem(pausedUntil: until)
        }
        view.keptAwakeSince = dueLocks.since(name)
        if view.isStale && view.problem == nil {
            view.problem =
                standing.lastSuccess.map { "no success since \(LocalTime.short($0.microseconds))" } ?? "no success yet"
        }
        return view
    }

    /// A backup that there is only by its runs.
    private static func viewOfUnconfigured(_ run: RunState, ended: RunState?) -> BackupView {
        let reporter = run.reporter.map { $0.uid == 0 ? "Reported by root" : "Reported by the user with id \($0.uid)" }
        var view = BackupView(
            description: reporter ?? "No longer in the configuration", state: .idle, lastStarted: run.started,
            lastFinished: ended?.ended, lastResult: ended?.outcome?.result, wake: false, isStale: false)
        if run.isRunning {
            view.problem = run.notes.problem
            view.state = run.reporter == nil ? .running : .reported
            view.progress = run.progress
            view.trigger = run.trigger
            view.since = run.started
        }
        return view
    }

    /// No scheduled runs of `name`, or of all where it is nil, until then; nil is until it is resumed.
    func pause(_ name: BackupName?, until: Timestamp?) {
        carryOut(scheduler.pause(name, until: until, now: now))
        log.write(
            .notice(
                "paused \(until.map { "until \(LocalTime.short($0.microseconds))" } ?? "until it is resumed"): no scheduled runs",
                backup: name, priority: .notice))
        standingChanged(of: name.map { [$0] } ?? Array(backups.keys))
    }

    func resume(_ name: BackupName?) {
        carryOut(scheduler.resume(name, now: now))
        log.write(.notice("resumed: the schedule holds again", backup: name, priority: .notice))
        standingChanged(of: name.map { [$0] } ?? Array(backups.keys))
    }
}
