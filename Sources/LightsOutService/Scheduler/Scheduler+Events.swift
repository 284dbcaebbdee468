public import LightsOutCore

// The events: what happens outside, told to the scheduler. Each returns what is to be done about it.

// MARK: - The configuration

nonisolated extension Scheduler {
    /// The daemon comes up: everything configured, everything remembered, everything found running or ended.
    /// - Parameters:
    ///   - memories: as `persist` last wrote them; none for a backup that is new.
    ///   - observed: the last run of each backup that has one.
    ///   - pausedUntil: as `persistPause` last wrote it.
    public mutating func load(
        _ plans: [SchedulePlan], memories: [BackupName: ScheduleMemory] = [:],
        observed: [BackupName: ObservedRun] = [:], pausedUntil: Timestamp? = nil, now: Timestamp
    ) -> [SchedulerEffect] {
        begin(now, lateness: .notRunning)
        self.pausedUntil = pausedUntil
        for plan in plans {
            takeIn(plan, memory: memories[plan.name], observed: observed[plan.name], now: now)
        }
        unclaimed = memories.filter { slots[$0.key] == nil }
        endCommonPauseIfOver(now)
        attendAll(now)
        return finish(now)
    }

    /// Another configuration. What is due by now is due by the old one. A backup whose schedule changed counts by
    /// the new one from now on; one that is gone is forgotten, once its run has ended.
    /// - Parameters:
    ///   - zoneChanged: the plans go by another time zone than before: their elapses of the past were not missed.
    ///   - observed: the last runs of backups that are new.
    public mutating func reload(
        _ plans: [SchedulePlan], settings: Settings, zoneChanged: Bool = false,
        observed: [BackupName: ObservedRun] = [:], now: Timestamp
    ) -> [SchedulerEffect] {
        begin(now)
        attendDue(now)
        self.settings = settings
        var configured: Set<BackupName> = []
        for plan in plans {
            configured.insert(plan.name)
            if let slot = slots[plan.name] {
                replacePlan(of: slot, by: plan, zoneChanged: zoneChanged, now: now)
            } else {
                let memory = unclaimed.removeValue(forKey: plan.name)
                takeIn(plan, memory: memory, observed: observed[plan.name], now: now)
            }
        }
        for slot in entries.indices where isLive(slot) && !configured.contains(entries[slot].plan.name) {
            remove(slot)
        }
        attendAll(now)
        return finish(now)
    }

    private mutating func takeIn(
        _ plan: SchedulePlan, memory: ScheduleMemory?, observed: ObservedRun?, now: Timestamp
    ) {
        let scheduleTime = now - plan.delay
        let slot = freeSlots.popLast() ?? entries.count
        var memoryOrNew = memory ?? ScheduleMemory(newAt: now, scheduleFingerprint: plan.scheduleFingerprint)
        var isChanged = memory == nil
        if memory == nil { memoryOrNew.handled.startOver(at: scheduleTime) }
        if memoryOrNew.scheduleFingerprint != plan.scheduleFingerprint {
            memoryOrNew.handled.startOver(at: scheduleTime)
            memoryOrNew.scheduleFingerprint = plan.scheduleFingerprint
            isChanged = true
        }
        let entry = Entry(plan: plan, memory: memoryOrNew)
        if slot == entries.count { entries.append(entry) } else { entries[slot] = entry }
        slots[plan.name] = slot
        if clockMayHaveGoneBack(slot, now: now) { isChanged = true }
        if takeUpGivenUp(slot, mark: observed?.mark) { isChanged = true }
        if takeUp(observed, slot: slot, now: now) { isChanged = true }
        takeUpOwed(slot, now: now)
        if isChanged { persist(slot) }
        markChanged(slot)
    }

    /// Joins what was remembered of a start with what is found of the runs.
    /// - Returns: whether the memory changed.
    private mutating func takeUp(_ observed: ObservedRun?, slot: Int, now: Timestamp) -> Bool {
        entries[slot].lastScheduledRun = observed?.scheduledRun
        let before = entries[slot].memory
        let began =
            before.underWay.map { underWay in
                guard let run = observed?.scheduledRun else { return false }
                return observed?.mark.map { $0 == underWay.attempt.mark } ?? (run != underWay.previousRun)
            } ?? false
        // What is found is not the run that was about to be asked for.
        if !began { entries[slot].memory.underWay = nil }
        switch observed?.outcome {
        case .running(let since, let scriptHasEnded):
            setPhase(of: slot, .running(since: since))
            entries[slot].hasScriptEnded = scriptHasEnded
        case .ended(let result, let end, let wasStopped):
            settle(slot, ended: RunEnd(result: result, at: end, wasStopped: wasStopped), now: now)
        case .cutOff(let end): settle(slot, ended: RunEnd(result: .aborted, at: end, wasCutOff: true), now: now)
        case nil: break
        }
        if let underWay = before.underWay, !began {
            // The daemon ended between writing down the start and seeing the run.
            if entries[slot].phase.runningSince == nil {
                entries[slot].memory.underWay = underWay
                setPhase(of: slot, .starting(at: now))
                effects.append(.findStart(entries[slot].plan.name))
            } else {
                // A start that was asked for has been refused by now, for the run that a person began.
                entries[slot].memory.owed = owed(slot, underWay.attempt, now: now)
            }
        }
        return entries[slot].memory != before
    }

    /// What is owed for a start that was to be asked for and was not.
    private func owed(_ slot: Int, _ asked: ScheduleMemory.Attempt, now: Timestamp) -> ScheduleMemory.Owed {
        var attempt = asked
        let due = attempt.elapse + entries[slot].plan.delay
        if attempt.trigger == .schedule, now.since(due) > settings.lateTolerance { attempt.trigger = .catchUp }
        return ScheduleMemory.Owed(attempt: attempt, at: min(due, now), cause: .notStarted("it had not been asked"))
    }

    /// Puts an owed start back in its place.
    private mutating func takeUpOwed(_ slot: Int, now: Timestamp) {
        guard let owed = entries[slot].memory.owed, entries[slot].pending == nil else { return }
        entries[slot].pending = Pending(attempt: owed.attempt, isOwed: true)
        guard entries[slot].phase == .idle, !giveUpIfLate(slot, due: owed.at, now: now) else { return }
        if owed.at <= now {
            lateSlots.insert(slot)
        } else {
            setPhase(of: slot, .delayed(until: min(owed.at, now + longestDelay(of: slot))))
        }
    }

    private mutating func replacePlan(of slot: Int, by plan: SchedulePlan, zoneChanged: Bool, now: Timestamp) {
        let isOther = plan.scheduleFingerprint != entries[slot].memory.scheduleFingerprint
        entries[slot].plan = plan
        entries[slot].isConfigured = true
        if isOther || zoneChanged {
            oweInsteadOfPending(slot, now: now)
            if isOther {
                entries[slot].memory.scheduleFingerprint = plan.scheduleFingerprint
                entries[slot].memory.handled.startOver(at: now - plan.delay)
            } else {
                entries[slot].memory.handled.handle(now - plan.delay, count: 1)
            }
            persist(slot)
        }
        // What it waited for may be another thing now.
        if case .waiting = entries[slot].phase { setPhase(of: slot, .queued) }
        markChanged(slot)
    }

    private mutating func remove(_ slot: Int) {
        entries[slot].isConfigured = false
        entries[slot].pending = nil
        if entries[slot].memory.owed != nil {
            entries[slot].memory.owed = nil
            persist(slot)
        }
        entries[slot].nextElapse = nil
        if entries[slot].phase.runningSince == nil {
            release(slot)
        } else {
            updateAttention(of: slot)
        }
    }

    /// Frees the slot of a backup that is no longer configured and no longer runs.
    private mutating func release(_ slot: Int) {
        setPhase(of: slot, .idle)
        entries[slot].isMarkedChanged = false
        attention.set(slot, to: nil)
        updateWake(of: slot)
        slots[entries[slot].plan.name] = nil
        freeSlots.append(slot)
        effects.append(.forget(entries[slot].plan.name))
    }
}

// MARK: - Time

nonisolated extension Scheduler {
    /// The armed time has come; at any other time it does no harm.
    public mutating func tick(now: Timestamp) -> [SchedulerEffect] {
        begin(now)
        attendDue(now)
        return finish(now)
    }

    /// CLOCK_REALTIME was set, ahead or back.
    public mutating func clockChanged(now: Timestamp) -> [SchedulerEffect] {
        begin(now, lateness: .clockSet)
        attendDue(now)
        return finish(now)
    }

    /// The machine boots: what is due waits for `booted`. To be said before `load`.
    public mutating func boots() { isBooting = true }

    /// The machine has booted: what is due is started.
    public mutating func booted(now: Timestamp) -> [SchedulerEffect] {
        begin(now)
        isBooting = false
        attendDue(now)
        return finish(now)
    }

    /// systemd cannot be asked for anything: what is due waits for `busFound`. To be said before `load`, too.
    public mutating func busLost() { isWithoutBus = true }

    /// systemd can be asked again: what is due is started.
    public mutating func busFound(now: Timestamp) -> [SchedulerEffect] {
        begin(now)
        isWithoutBus = false
        attendDue(now)
        return finish(now)
    }

    /// The machine is going to sleep: nothing more is started until `resumed`.
    public mutating func sleepBegins(now: Timestamp) -> [SchedulerEffect] {
        begin(now)
        heldUntil = .never
        asleepSince = asleepSince ?? now
        attendDue(now)
        return finish(now)
    }

    /// The machine is back, or did not fall asleep after all. What became due is due, but the first start waits for
    /// `grace`, in which the network and disks come back.
    public mutating func resumed(now: Timestamp, grace: TimeSpan = .zero) -> [SchedulerEffect] {
        begin(now, lateness: .asleep)
        heldUntil = now + grace
        addSleepToWaits(now)
        attendDue(now)
        return finish(now)
    }
}

// MARK: - Runs

nonisolated extension Scheduler {
    /// A run of `name` began: the one that was asked for, or one that somebody else started.
    /// - Parameters:
    ///   - scheduledRun: the last run that the schedule asked for: this one's id, or an earlier one's.
    ///   - mark: of the attempt that it was for, where its runner knew it.
    public mutating func runStarted(
        _ name: BackupName, scheduledRun: RunIdentifier?, mark: UInt64? = nil, now: Timestamp
    ) -> [SchedulerEffect] {
        begin(now)
        guard let slot = slots[name] else { return finish(now) }
        attend(slot, now: now)
        if takeUpGivenUp(slot, mark: mark) { persist(slot) }
        if let scheduledRun { entries[slot].lastScheduledRun = scheduledRun }
        switch entries[slot].phase {
        case .running: break
        case .starting, .idle, .delayed, .queued, .checking, .waiting: setPhase(of: slot, .running(since: now))
        }
        return finish(now)
    }

    /// The script of the run under way has ended, and the run goes on for the processes that it left behind.
    public mutating func scriptEnded(_ name: BackupName, now: Timestamp) -> [SchedulerEffect] {
        begin(now)
        guard let slot = slots[name], !entries[slot].hasScriptEnded else { return finish(now) }
        // What was due before has met the script itself.
        attend(slot, now: now)
        if case .running = entries[slot].phase { entries[slot].hasScriptEnded = true }
        return finish(now)
    }

    /// The run of `name` that was under way has ended, however it was started.
    /// - Parameters:
    ///   - scheduledRun, mark: as for `runStarted`; for a run so short that it ends before it is seen to begin.
    ///   - stoppedOnRequest: a person stopped it; it is not tried again.
    ///   - wasCutOff: it was ended because the machine goes down.
    public mutating func runEnded(
        _ name: BackupName, scheduledRun: RunIdentifier? = nil, mark: UInt64? = nil, result: RunResult,
        stoppedOnRequest: Bool = false, wasCutOff: Bool = false, now: Timestamp
    ) -> [SchedulerEffect] {
        begin(now)
        guard let slot = slots[name] else { return finish(now) }
        attend(slot, now: now)
        let before = entries[slot].memory
        _ = takeUpGivenUp(slot, mark: mark)
        if let scheduledRun { entries[slot].lastScheduledRun = scheduledRun }
        settle(slot, ended: RunEnd(result: result, at: now, wasStopped: stoppedOnRequest, wasCutOff: wasCutOff), now: now)
        if entries[slot].memory != before { persist(slot) }
        if entries[slot].isConfigured { updateNextElapse(of: slot, now: now) } else { release(slot) }
        return finish(now)
    }

    /// The start that was asked for became no run.
    public mutating func startRefused(_ name: BackupName, _ refusal: Refusal, now: Timestamp) -> [SchedulerEffect] {
        begin(now, lateness: refusal == .unheard ? .notRunning : .unexplained)
        guard let slot = slots[name], let underWay = entries[slot].memory.underWay else { return finish(now) }
        let attempt = underWay.attempt
        let since = entries[slot].phase.runningSince ?? now
        entries[slot].memory.underWay = nil
        if case .starting = entries[slot].phase { setPhase(of: slot, .idle) }
        switch refusal {
        case .alreadyRunning:
            if attempt.isFirst { record(slot, attempt.elapses, why: .duringRun(since: since)) }
        case .failed(let why):
            owe(slot, attempt, at: now + settings.startRetryDelay, cause: .notStarted(why))
        case .unheard:
            entries[slot].memory.owed = owed(slot, attempt, now: now)
            takeUpOwed(slot, now: now)
            if isPaused(slot) { withdraw(slot) }
        }
        persist(slot)
        if !entries[slot].isConfigured, entries[slot].phase == .idle { release(slot) }
        return finish(now)
    }

    /// What `name` requires is there.
    public mutating func requirementsMet(_ name: BackupName, now: Timestamp) -> [SchedulerEffect] {
        begin(now)
        attendDue(now)
        guard let slot = slots[name] else { return finish(now) }
        switch entries[slot].phase {
        case .checking where heldUntil == nil && !isBooting && !isWithoutBus: start(slot, now: now)
        // Asked again when its turn has come: the disk may be gone by then.
        case .waiting, .checking: setPhase(of: slot, .queued)
        case .idle, .delayed, .queued, .starting, .running: break
        }
        return finish(now)
    }

    /// What `name` requires is missing: `why` completes "waiting: …".
    public mutating func requirementsMissing(_ name: BackupName, why: String, now: Timestamp) -> [SchedulerEffect] {
        begin(now)
        attendDue(now)
        guard let slot = slots[name] else { return finish(now) }
        switch entries[slot].phase {
        case .checking, .waiting: setPhase(of: slot, .waiting(why: why))
        case .idle, .delayed, .queued, .starting, .running: break
        }
        return finish(now)
    }
}

nonisolated extension Scheduler {
    /// What was asked about by `checkRequirements` is not to start at all for this elapse, which is recorded as missed
    /// for that reason; a retry just does not take place.
    public mutating func startWithheld(_ name: BackupName, why: String, now: Timestamp) -> [SchedulerEffect] {
        begin(now)
        attendDue(now)
        guard let slot = slots[name], let pending = entries[slot].pending else { return finish(now) }
        switch entries[slot].phase {
        case .checking, .waiting:
            entries[slot].pending = nil
            entries[slot].memory.owed = nil
            if pending.attempt.isFirst { pass(slot, pending.attempt.elapses, why: .withheld(why)) }
            setPhase(of: slot, .idle)
            persist(slot)
        case .idle, .delayed, .queued, .starting, .running: break
        }
        return finish(now)
    }
}

// MARK: - Pauses

nonisolated extension Scheduler {
    /// No scheduled runs of `name`, or of any backup, until then, or until `resume`; runs under way go on. What was
    /// due and had not begun counts as elapsed during the pause.
    public mutating func pause(_ name: BackupName?, until: Timestamp? = nil, now: Timestamp) -> [SchedulerEffect] {
        begin(now)
        if let name {
            guard let slot = slots[name] else { return finish(now) }
            entries[slot].memory.pausedUntil = until ?? .never
            withdraw(slot)
            persist(slot)
            markChanged(slot)
            attend(slot, now: now)
        } else {
            pausedUntil = until ?? .never
            effects.append(.persistPause(until: pausedUntil))
            for slot in entries.indices where isLive(slot) {
                if withdraw(slot) { persist(slot) }
                markChanged(slot)
            }
            attendAll(now)
        }
        return finish(now)
    }

    /// The end of the pause of `name`, or of the pause of all. A backup paused by itself stays so when the pause of
    /// all ends.
    public mutating func resume(_ name: BackupName?, now: Timestamp) -> [SchedulerEffect] {
        begin(now)
        if let name {
            guard let slot = slots[name], entries[slot].memory.pausedUntil != nil else { return finish(now) }
            entries[slot].memory.pausedUntil = now
            attend(slot, now: now)
        } else if pausedUntil != nil {
            pausedUntil = now
            endCommonPauseIfOver(now)
            attendAll(now)
        }
        return finish(now)
    }
}
