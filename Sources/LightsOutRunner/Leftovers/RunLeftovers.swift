import Glibc
import LightsOutCore
import Systemd

/// Follows the processes that the script of one run leaves behind, and carries out the ``LeftoverPolicy`` for them.
final class RunLeftovers {
    /// What others should know: the script has ended, who is left, who does not end.
    private(set) var notes = RunNotes()
    /// What the record of the run says of them; nil where there is nothing to say.
    private(set) var reason: String?

    private let name: BackupName
    private let run: RunIdentifier
    private let settings: BackupSettings
    private let process: ScriptProcess
    private let loop: EventLoop
    private let log: RunLog
    private var policy: LeftoverPolicy
    private var timer: EventSource?
    private var hasNews = false
    private var hasToldOfStuck = false
    private var stuckSince: Timestamp?

    init(
        _ backup: BackupConfiguration, _ run: RunIdentifier, _ process: ScriptProcess, loop: EventLoop, log: RunLog
    ) {
        name = backup.name
        settings = backup.settings
        self.run = run
        self.process = process
        self.loop = loop
        self.log = log
        policy = LeftoverPolicy(
            rule: settings.leftovers, timeout: settings.leftoversTimeout, stopTimeout: settings.stopTimeout)
    }

    /// Sees whether the script has ended and left something behind; to be called after each event.
    /// - Parameter isStopping: whether the run is being ended already.
    /// - Returns: whether ``notes`` have changed.
    func look(isStopping: Bool) -> Bool {
        if let end = process.end, !process.isOver, !isStopping, scriptEnd == nil {
            scriptEnd = end
            carryOut(policy.scriptEnded(now: Clock.monotonic))
        }
        defer { hasNews = false }
        return hasNews
    }

    private var scriptEnd: ScriptEnd?

    /// The run is stopped: the signals come from there.
    func stopBegan() { policy.stopBegan() }

    /// SIGKILL was sent to all that is left.
    func killed() { carryOut(policy.killed(now: Clock.monotonic)) }

    /// The processes that are left, by their pids.
    private var left: [ProcessSight] { process.left.sorted().compactMap { ProcessSight($0) } }

    private func carryOut(_ effects: [LeftoverPolicy.Effect]) {
        for effect in effects {
            switch effect {
            case .note:
                notes.scriptEnded = Timestamp(microseconds: Clock.realtime)
                hasNews = true
            case .tell: tell()
            case .detach: detach()
            case .terminate: terminate()
            case .kill:
                write("\(left.forPeople) did not end within \(settings.stopTimeout.forPeople) of SIGTERM; the run kills what is left", .warning)
                process.killAll()
                carryOut(policy.killed(now: Clock.monotonic))
            case .look: lookAtStuck()
            case .abandon: process.abandon()
            case .arm(let time):
                timer = try? loop.after(time > Clock.monotonic ? time - Clock.monotonic : 0) { [unowned self] in
                    carryOut(policy.tick(now: Clock.monotonic))
                }
            }
        }
    }

    private func tell() {
        let processes = left
        guard !processes.isEmpty else { return }
        let end = scriptEnd.map { "the script ended \($0.phrase)" } ?? "the script ended"
        let limit =
            settings.leftoversTimeout.isInfinite ? "" : ", for \(settings.leftoversTimeout.forPeople) at most"
        notes.problem = "\(end), but it left processes running: \(processes.forPeople)"
        hasNews = true
        write("\(notes.problem ?? end). The run waits for them\(limit) (leftovers)", .notice)
    }

    private func terminate() {
        let processes = left
        guard !processes.isEmpty else { return }
        reason =
            settings.leftovers == .kill
            ? "the run ended what the script left running: \(processes.forPeople)"
            : "the run ended what the script left running for \(settings.leftoversTimeout.forPeople): \(processes.forPeople)"
        write(reason ?? "", settings.leftovers == .kill ? .info : .warning)
        process.signal(SIGTERM)
        process.signal(SIGCONT)
    }

    private func detach() {
        let processes = left
        do throws(BusError) {
            try LeftoverScope.adopt(of: name, run: run) { [process] in process.leftInUnit }
            if !processes.isEmpty {
                reason = "the script left processes running: \(processes.forPeople)"
                write("\(reason ?? ""). The run ends without them (leftovers: detach)", .info)
            }
            carryOut(policy.detached())
        } catch {
            write("what the script left running cannot leave the unit: \(error). The run waits for it", .warning)
            carryOut(policy.detachFailed(now: Clock.monotonic))
        }
    }

    /// Tells of processes that SIGKILL does not end: a disk that does not answer, usually.
    private func lookAtStuck() {
        let processes = left
        let stuck = processes.filter(\.isStuck)
        if !stuck.isEmpty {
            let since = stuckSince ?? Timestamp(microseconds: Clock.realtime - Int64(LeftoverPolicy.firstLook))
            stuckSince = since
            let text =
                "SIGKILL does not end \(stuck.stuckForPeople): in uninterruptible sleep since \(LocalTime.short(since.microseconds)) or longer. A disk or network file system does not answer"
            if !hasToldOfStuck { write(text, .error) }
            hasToldOfStuck = true
            notes.problem = text
            notes.stuck = stuck.prefix(RunNotes.stuckLimit).map {
                RunNotes.StuckProcess(pid: $0.pid, start: $0.start, since: since)
            }
            hasNews = true
            if reason == nil { reason = "SIGKILL did not end \(stuck.stuckForPeople)" }
        } else {
            notes.stuck = []
        }
        carryOut(policy.seen(areAllStuck: !stuck.isEmpty && stuck.count == processes.count, now: Clock.monotonic))
    }

    private func write(_ message: String, _ priority: JournalPriority) {
        log.write(.notice(message, backup: name, run: run, priority: priority))
    }
}

extension RunNotes {
    /// The processes that were stuck at the end of a run and are there still, as the rest of a record's reason.
    nonisolated var stuckStill: (processes: [StuckProcess], text: String)? {
        let still = stuck.compactMap { process in
            ProcessSight(process.pid).flatMap { $0.start == process.start ? (process, $0) : nil }
        }
        guard let since = still.map(\.0.since).min() else { return nil }
        let text =
            "processes of the run before are still there: \(still.map(\.1).stuckForPeople), in uninterruptible sleep since \(LocalTime.short(since.microseconds))"
        return (still.map(\.0), text)
    }
}
