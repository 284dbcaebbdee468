import LightsOutCore
import LightsOutRunner
import Systemd

// What the scheduler wants done.

extension Daemon {
    /// Carries out what the scheduler decided, in its order. Answers that are known at once are given when the whole
    /// list is done: the scheduler is not told of something while it is being obeyed.
    func carryOut(_ effects: [SchedulerEffect]) {
        var waiting = effects[...]
        var answers: [() -> [SchedulerEffect]] = []
        var memories: [(backup: BackupName, memory: ScheduleMemory)] = []
        var changed: [BackupName] = []

        while true {
            while let effect = waiting.popFirst() {
                if case .persist(let name, let memory) = effect {
                    memories.append((name, memory))
                    continue
                }
                // Whatever follows finds the memory on the disk.
                if !memories.isEmpty, effect.needsMemory {
                    writer.write(memories)
                    memories = []
                }
                switch effect {
                case .persist: break
                case .persistPause(let until): writer.writePause(until: until)
                case .forget(let name):
                    memories.removeAll { $0.backup == name }
                    writer.forget(name)
                case .start(let name, let attempt):
                    if let refusal = start(name, attempt) {
                        answers.append { [unowned self] in scheduler.startRefused(name, refusal, now: now) }
                    }
                case .findStart(let name): findStart(of: name)
                case .checkRequirements(let name):
                    answers.append { [unowned self] in checkRequirements(of: name) }
                case .recordMissed(let name, let elapses, let why): recordMissed(name, elapses, why)
                case .tellFollows(let name, let elapses): tellFollows(name, elapses)
                case .warnStale(let name, let since, let never): warnStale(name, since: since, neverSucceeded: never)
                case .stateChanged(let name): changed.append(name)
                case .arm(let time): arm(time)
                case .armWake(let time): armWake(time)
                }
            }
            guard !answers.isEmpty else { break }
            waiting = answers.removeFirst()()[...]
        }
        if !memories.isEmpty {
            writer.writeInTime(memories) { [unowned self] in scheduler.standing(of: $0, now: now)?.nextDue }
        }
        if !changed.isEmpty { standingChanged(of: changed) }
        sleep.scheduleChanged()
    }

    func complainOfDisk(_ error: SystemError) {
        log.write(
            .notice(
                "the schedule's memory cannot be kept in \(directories.state): \(error). Backups run, but after a crash one may run twice. Make room there, or make it writable",
                priority: .error))
    }

    func tellOfDisk() {
        log.write(.notice("the schedule's memory is kept in \(directories.state) again", priority: .notice))
    }

    // MARK: Starting

    /// Asks systemd to start the unit of `name`.
    /// - Returns: why that is no use; nil where it was asked.
    private func start(_ name: BackupName, _ attempt: ScheduleMemory.Attempt) -> Scheduler.Refusal? {
        guard !tracker.isRunning(name) else { return .alreadyRunning }
        guard let units = bus?.units else { return .failed("the system bus cannot be reached") }
        let note = TriggerNote(runtimeDirectory: directories.runtime)
        do throws(SystemError) { try note.leave(TriggerNote.Contents(attempt.trigger, mark: attempt.mark), for: name) } catch {
            // The run is the same without it; only its record says that it was started by hand.
            log.write(.notice("why it runs cannot be passed on: \(error)", backup: name, priority: .warning))
        }
        ask(units, toStart: name, beginStart(name))
        return nil
    }

    private func ask(_ units: BackupUnits, toStart name: BackupName, _ number: UInt64) {
        units.start(name) { [unowned self] end in startIsOver(name, number, end) }
    }

    /// Finds out what became of a start that systemd may have been asked for; without the bus, when it is back.
    private func findStart(of name: BackupName) {
        let number = beginStart(name)
        bus?.units.findStart(of: name) { [unowned self] end in startIsOver(name, number, end) }
    }

    private func startIsOver(_ name: BackupName, _ number: UInt64, _ end: BackupUnits.StartEnd) {
        guard starting[name] == number else { return }
        guard tracker.look(at: name) else {
            // Whether it ran cannot be seen now, and who is believed not to have run would run twice.
            undecidedStarts[name] = try? loop.after(Self.secondLook.microseconds) { [unowned self] in
                undecidedStarts[name] = nil
                startIsOver(name, number, end)
            }
            return
        }
        guard starting[name] == number else { return }
        // A run ends a moment before its job does, and who starts the unit in between has only joined the old job.
        if case .over = end, let units = bus?.units, startingAgain.insert(name).inserted {
            return ask(units, toStart: name, number)
        }
        starting[name] = nil
        startingAgain.remove(name)
        TriggerNote(runtimeDirectory: directories.runtime).withdraw(for: name)
        let why: String
        switch end {
        case .unheard: return carryOut(scheduler.startRefused(name, .unheard, now: now))
        case .refused(let reason): why = reason
        case .over: why = "its unit ended before it ran, see: systemctl status \(name.unit)"
        }
        log.write(.notice("it could not be started: \(why)", backup: name, priority: .error))
        carryOut(scheduler.startRefused(name, .failed(why), now: now))
    }

    private static let secondLook = TimeSpan.seconds(2)

    /// The bus was lost, and with it the answers to what was asked on it.
    func findStarts() { for name in starting.keys { findStart(of: name) } }

    // MARK: Requirements

    private func checkRequirements(of name: BackupName) -> [SchedulerEffect] {
        guard let backup = backups[name] else { return [] }
        if case .refuse(let why) = power.verdict(for: name) {
            return scheduler.startWithheld(name, why: why, now: now)
        }
        guard let obstacle = requirements.obstacle(for: backup) else {
            return scheduler.requirementsMet(name, now: now)
        }
        log.write(.notice("waiting: \(obstacle)", backup: name, priority: .notice))
        return scheduler.requirementsMissing(name, why: obstacle, now: now)
    }

    /// Something changed that a waiting backup may have waited for.
    func recheckWaiting() {
        for (name, backup) in backups {
            guard let standing = scheduler.standing(of: name, now: now), case .waiting(let before) = standing.state else {
                continue
            }
            guard let obstacle = requirements.obstacle(for: backup) else {
                carryOut(scheduler.requirementsMet(name, now: now))
                continue
            }
            if obstacle != before { carryOut(scheduler.requirementsMissing(name, why: obstacle, now: now)) }
        }
    }

    // MARK: Records

    private func recordMissed(_ name: BackupName, _ elapses: Elapses, _ why: MissedCause) {
        let time = elapses.latest.text(in: localZone)
        let message =
            elapses.count == 1
            ? "the backup of \(time) was missed: \(why)"
            : "\(elapses.count)\(elapses.count == Elapses.countingLimit ? " or more" : "") backups up to \(time) were missed: \(why)"
        tracker.recordMissed(name, elapses.latest, message)
    }

    private func tellFollows(_ name: BackupName, _ elapses: Elapses) {
        let why = runs[name]?.notes.problem ?? "its script has ended, but processes that it left behind still run"
        log.write(
            .notice(
                "the backup of \(elapses.latest.text(in: localZone)) starts when the run before has ended: \(why)",
                backup: name, priority: .notice))
    }

    private func warnStale(_ name: BackupName, since: Timestamp, neverSucceeded: Bool) {
        let time = since.text(in: localZone)
        let limit = backups[name].map { $0.settings.staleAfter.forPeople } ?? ""
        log.write(
            .notice(
                neverSucceeded
                    ? "there has been no successful backup since it was set up on \(time) (stale_after: \(limit)). See: lightsout history \(name)"
                    : "the last successful backup is of \(time), longer ago than stale_after: \(limit). See: lightsout history \(name)",
                backup: name, priority: .warning))
    }

    // MARK: What others see

    /// Tells the bus and the service manager.
    func standingChanged(of names: [BackupName]) {
        for name in names { bus?.standingChanged(of: name) }
        // Once for all changes of this turn of the loop.
        guard statusTeller == nil else { return }
        statusTeller = try? loop.soon { [unowned self] in
            statusTeller = nil
            if isReady { ServiceManager.status(statusLine) }
        }
    }

    /// The earliest elapse that the machine has to be awake for.
    func armWake(_ time: Timestamp?) {
        wakeTime = time
    }
}

extension SchedulerEffect {
    /// Whether it must not come about before the memory that was to be written ahead of it is on the disk.
    nonisolated fileprivate var needsMemory: Bool { if case .start = self { true } else { false } }
}
