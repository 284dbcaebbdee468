import LightsOutCore

// From a start that is due to a run, and from a run's end to the next start.

nonisolated extension Scheduler {
    /// How a run ended, as far as it matters for what follows.
    struct RunEnd {
        var result: RunResult
        var at: Timestamp
        /// A person stopped it.
        var wasStopped = false
        /// The machine went down under it.
        var wasCutOff = false

        var isSuccess: Bool { result == .success || result == .warnings }
        var isWorthARetry: Bool { !wasStopped && (result == .failed || result == .aborted) }
    }

    /// Starts those whose turn it is, as many as may run.
    mutating func dispatch(_ now: Timestamp) {
        if let heldUntil, heldUntil > now { return }
        heldUntil = nil
        if isBooting || isWithoutBus { return }
        while settings.maxParallel == 0 || busy < settings.maxParallel, let slot = queue.popFirst() {
            if entries[slot].plan.hasRequirements {
                setPhase(of: slot, .checking)
                effects.append(.checkRequirements(entries[slot].plan.name))
            } else {
                start(slot, now: now)
            }
        }
    }

    /// Asks for the pending start, having written down that it is asked for.
    mutating func start(_ slot: Int, now: Timestamp) {
        guard let pending = entries[slot].pending else { return setPhase(of: slot, .idle) }
        let attempt = pending.attempt
        entries[slot].pending = nil
        if !pending.isOwed { entries[slot].memory.handled.handle(attempt.elapse, count: attempt.covers) }
        entries[slot].memory.owed = nil
        entries[slot].memory.underWay = ScheduleMemory.UnderWay(attempt: attempt, previousRun: entries[slot].lastScheduledRun)
        setPhase(of: slot, .starting(at: now))
        persist(slot)
        starts.append(.start(entries[slot].plan.name, attempt))
    }

    /// A start that was given up, for systemd's answer was lost or late, has become a run after all: it is not owed any more.
    /// - Returns: whether the memory changed.
    mutating func takeUpGivenUp(_ slot: Int, mark: UInt64?) -> Bool {
        let memory = entries[slot].memory
        guard let mark, let owed = memory.owed, owed.attempt.mark == mark, memory.underWay == nil else { return false }
        entries[slot].memory.owed = nil
        entries[slot].memory.underWay = ScheduleMemory.UnderWay(
            attempt: owed.attempt, previousRun: entries[slot].lastScheduledRun)
        if entries[slot].pending?.isOwed == true {
            entries[slot].pending = nil
            if entries[slot].phase.runningSince == nil { setPhase(of: slot, .idle) }
        }
        return true
    }

    /// Draws the consequences of a run's end: success, what is owed, what waited beside it.
    mutating func settle(_ slot: Int, ended end: RunEnd, now: Timestamp) {
        let attempt = entries[slot].memory.underWay?.attempt
        entries[slot].memory.underWay = nil
        if entries[slot].phase.runningSince != nil { setPhase(of: slot, .idle) }
        if end.isSuccess {
            entries[slot].memory.lastSuccess = max(entries[slot].memory.lastSuccess ?? end.at, end.at)
        }
        resumePending(slot, after: end, now: now)
        if let attempt, entries[slot].isConfigured, !isPaused(slot) {
            oweAfter(attempt, ended: end, slot: slot, now: now)
        }
    }

    /// What was due before, or beside, a manual run that is over now.
    private mutating func resumePending(_ slot: Int, after end: RunEnd, now: Timestamp) {
        guard entries[slot].pending != nil, entries[slot].phase == .idle else { return }
        guard let owed = entries[slot].memory.owed else { return setPhase(of: slot, .queued) }
        if owed.cause == .retry && end.isSuccess {
            // What was to be tried again has been done by hand.
            entries[slot].pending = nil
            entries[slot].memory.owed = nil
        } else if owed.at > now {
            setPhase(of: slot, .delayed(until: owed.at))
        } else {
            setPhase(of: slot, .queued)
        }
    }

    private mutating func oweAfter(
        _ attempt: ScheduleMemory.Attempt, ended end: RunEnd, slot: Int, now: Timestamp
    ) {
        let plan = entries[slot].plan
        var next = attempt
        if end.wasCutOff && plan.catchUp {
            guard attempt.timesCutOff == 0 else { return }
            next.timesCutOff += 1
            next.trigger = .catchUp
            owe(slot, next, at: now, cause: .cutOff)
        } else if end.isWorthARetry && attempt.number <= plan.retryAttempts {
            next.number += 1
            next.trigger = .retry
            owe(slot, next, at: now + plan.retryDelay, cause: .retry)
        }
    }

    /// Puts down a start that is to come although its elapse is handled.
    mutating func owe(
        _ slot: Int, _ attempt: ScheduleMemory.Attempt, at time: Timestamp, cause: ScheduleMemory.Owed.Cause
    ) {
        guard entries[slot].isConfigured, entries[slot].pending == nil else { return }
        entries[slot].memory.owed = ScheduleMemory.Owed(attempt: attempt, at: time, cause: cause)
        entries[slot].pending = Pending(attempt: attempt, isOwed: true)
        if entries[slot].phase == .idle {
            if time <= latestNow { lateSlots.insert(slot) } else { setPhase(of: slot, .delayed(until: time)) }
        }
    }

    /// The one place where a phase changes: what follows from it is kept in step here.
    mutating func setPhase(of slot: Int, _ phase: Phase) {
        let old = entries[slot].phase
        queue.set(slot, to: phase == .queued ? turn(of: slot) : nil)
        guard phase != old else { return }
        entries[slot].phase = phase
        countWait(of: slot, from: old, to: phase)
        if phase.runningSince == nil { entries[slot].hasScriptEnded = false }
        busy += (phase.isBusy ? 1 : 0) - (old.isBusy ? 1 : 0)
        markChanged(slot)
        updateAttention(of: slot)
    }

    /// A backup's place among those that wait.
    func turn(of slot: Int) -> Turn {
        Turn(elapse: entries[slot].pending?.attempt.elapse ?? .never, name: entries[slot].plan.name)
    }

    func isLive(_ slot: Int) -> Bool { slots[entries[slot].plan.name] == slot }

    mutating func markChanged(_ slot: Int) {
        guard !entries[slot].isMarkedChanged else { return }
        entries[slot].isMarkedChanged = true
        changedSlots.append(slot)
    }

    mutating func persist(_ slot: Int) {
        effects.append(.persist(entries[slot].plan.name, entries[slot].memory))
    }
}
