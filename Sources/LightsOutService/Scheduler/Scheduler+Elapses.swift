import LightsOutCore

// What becomes of an elapse, and all else that comes with time.

// MARK: - One event, from beginning to end

nonisolated extension Scheduler {
    mutating func begin(_ now: Timestamp, lateness: Lateness = .unexplained) {
        // A sleep that nobody has ended yet explains all that comes late in it.
        self.lateness = heldUntil == .never ? .asleep : lateness
        if now < latestNow { clockWentBack(to: now) }
        latestNow = now
        endCommonPauseIfOver(now)
    }

    mutating func finish(_ now: Timestamp) -> [SchedulerEffect] {
        spreadLate(now)
        dispatch(now)
        effects += starts
        starts.removeAll(keepingCapacity: true)
        for slot in changedSlots where entries[slot].isMarkedChanged {
            entries[slot].isMarkedChanged = false
            effects.append(.stateChanged(entries[slot].plan.name))
        }
        changedSlots.removeAll(keepingCapacity: true)
        tellTimers(now)
        defer { effects = [] }
        return effects
    }

    private mutating func tellTimers(_ now: Timestamp) {
        var times = [attention.first?.priority, pausedUntil].compactMap { $0 }
        if queue.count > 0, let heldUntil, heldUntil > now { times.append(heldUntil) }
        let time = times.min().flatMap { $0 == .never ? nil : $0 }
        if armed != .some(time) {
            armed = .some(time)
            effects.append(.arm(time))
        }
        let wake = wakes.first?.priority
        if armedWake != .some(wake) {
            armedWake = .some(wake)
            effects.append(.armWake(wake))
        }
    }

    /// Looks at every backup whose time has come, once each: one that is due again at once has its turn in the next
    /// event.
    mutating func attendDue(_ now: Timestamp) {
        var due: [Int] = []
        while let first = attention.first, first.priority <= now {
            attention.set(first.slot, to: nil)
            due.append(first.slot)
        }
        for slot in due { attend(slot, now: now) }
    }

    mutating func attendAll(_ now: Timestamp) {
        for slot in entries.indices where isLive(slot) { attend(slot, now: now) }
    }

    /// Does what time demands of one backup.
    mutating func attend(_ slot: Int, now: Timestamp) {
        guard entries[slot].isConfigured else { return }
        endPauseIfOver(slot, now: now)
        // One look into the calendar, where nothing is due.
        updateNextElapse(of: slot, now: now)
        if !isPaused(slot) {
            if let next = entries[slot].nextElapse, next <= entries[slot].scheduleTime(at: now) {
                noteElapses(slot, now: now)
                updateNextElapse(of: slot, now: now)
            }
            if case .delayed(let until) = entries[slot].phase, until <= now, !giveUpIfLate(slot, due: until, now: now) {
                setPhase(of: slot, .queued)
            }
        } else if withdraw(slot) {
            persist(slot)
        }
        warnIfStale(slot, now: now)
        updateAttention(of: slot)
    }
}

// MARK: - Elapses

nonisolated extension Scheduler {
    /// Finds the elapses that have become due, and makes a start of them or records why not.
    private mutating func noteElapses(_ slot: Int, now: Timestamp) {
        let entry = entries[slot]
        let plan = entry.plan
        let cursor = entry.cursor(at: now)
        guard let due = plan.elapses(after: cursor, through: entry.scheduleTime(at: now)) else { return }

        if let since = entry.phase.runningSince {
            if entry.hasScriptEnded, plan.catchUp { return follow(slot, due) }
            oweInsteadOfPending(slot, now: now)
            pass(slot, due, why: entry.hasScriptEnded ? .duringLeftovers : .duringRun(since: since))
            return persist(slot)
        }
        let isLate = now.since(due.latest + plan.delay) > settings.lateTolerance
        let merged = supersede(slot)
        if isLate && !plan.catchUp {
            pass(slot, due, why: .late(lateness))
            return persist(slot)
        }
        if !plan.catchUp, due.count > 1 {
            // The latest is on time, those before it are not.
            let latest = due.latest - TimeSpan(microseconds: 1)
            if let earlier = plan.elapses(after: cursor, through: latest) {
                pass(slot, earlier, why: .late(lateness))
                persist(slot)
            }
        }
        entries[slot].pending = Pending(
            attempt: ScheduleMemory.Attempt(
                elapse: due.latest, covers: plan.catchUp ? min(merged + due.count, Elapses.countingLimit) : 1,
                trigger: isLate ? .catchUp : .schedule),
            isOwed: false)
        if isLate {
            lateSlots.insert(slot)
            setPhase(of: slot, .idle)
        } else {
            setPhase(of: slot, .queued)
        }
    }

    /// Lets a start follow the run under way, whose script has ended. It takes the place of any that was to follow already,
    /// and its elapse counts as handled when it begins.
    private mutating func follow(_ slot: Int, _ due: Elapses) {
        var covers = due.count
        if let pending = entries[slot].pending, pending.attempt.isFirst { covers += pending.attempt.covers }
        if entries[slot].memory.owed != nil {
            entries[slot].memory.owed = nil
            persist(slot)
        }
        entries[slot].pending = Pending(
            attempt: ScheduleMemory.Attempt(
                elapse: due.latest, covers: min(covers, Elapses.countingLimit), trigger: .catchUp),
            isOwed: false)
        effects.append(.tellFollows(entries[slot].plan.name, due))
    }

    /// Takes away a start that had not begun when the next elapse became due.
    /// - Returns: how many elapses the start that takes its place stands for besides its own.
    private mutating func supersede(_ slot: Int) -> Int {
        guard let pending = entries[slot].pending else { return 0 }
        let elapses = pending.attempt.elapses
        let phase = entries[slot].phase
        entries[slot].pending = nil
        setPhase(of: slot, .idle)
        if pending.isOwed {
            let owed = entries[slot].memory.owed
            entries[slot].memory.owed = nil
            if let owed, owed.attempt.isFirst {
                if case .notStarted(let why) = owed.cause {
                    record(slot, elapses, why: .notStarted(why))
                } else if case .waiting(let why) = phase {
                    record(slot, elapses, why: .requirement(why))
                } else {
                    record(slot, elapses, why: .noTurn)
                }
            }
            persist(slot)
            return 0
        }
        if case .waiting(let why) = phase {
            pass(slot, elapses, why: .requirement(why))
        } else if entries[slot].plan.catchUp {
            return elapses.count
        } else {
            pass(slot, elapses, why: .noTurn)
        }
        persist(slot)
        return 0
    }

    /// Turns a start whose elapse is about to be counted as handled into one that is owed, so that it outlives a
    /// crash all the same.
    mutating func oweInsteadOfPending(_ slot: Int, now: Timestamp) {
        guard let pending = entries[slot].pending, !pending.isOwed else { return }
        entries[slot].pending?.isOwed = true
        entries[slot].memory.owed = ScheduleMemory.Owed(attempt: pending.attempt, at: now, cause: .heldBack)
    }

    /// Without `catch_up`, a start that is owed is given up like any other when it is late.
    /// - Returns: whether it was.
    mutating func giveUpIfLate(_ slot: Int, due: Timestamp, now: Timestamp) -> Bool {
        guard !entries[slot].plan.catchUp, now.since(due) > settings.lateTolerance,
            entries[slot].pending?.isOwed == true, let owed = entries[slot].memory.owed
        else { return false }
        entries[slot].pending = nil
        entries[slot].memory.owed = nil
        setPhase(of: slot, .idle)
        if owed.attempt.isFirst { record(slot, owed.attempt.elapses, why: .late(lateness)) }
        persist(slot)
        return true
    }

    /// Records that no run follows `elapses`, and takes them as handled.
    mutating func pass(_ slot: Int, _ elapses: Elapses, why: MissedCause) {
        record(slot, elapses, why: why)
        entries[slot].memory.handled.handle(elapses.latest, count: elapses.count)
    }

    mutating func record(_ slot: Int, _ elapses: Elapses, why: MissedCause) {
        effects.append(.recordMissed(entries[slot].plan.name, elapses, why: why))
    }

    /// Gives the runs that make up for something their times, one after the other.
    private mutating func spreadLate(_ now: Timestamp) {
        let late = lateSlots.filter { entries[$0].pending != nil && entries[$0].phase == .idle }
            .map { (turn: turn(of: $0), slot: $0) }
            .sorted { $0.turn < $1.turn }
        lateSlots.removeAll(keepingCapacity: true)
        guard !late.isEmpty else { return }
        let spacing = min(
            settings.catchUpSpacing.microseconds, settings.catchUpSpread.microseconds / UInt64(late.count))
        for (index, item) in late.enumerated() {
            let wait = TimeSpan(microseconds: spacing * UInt64(index))
            setPhase(of: item.slot, wait == .zero ? .queued : .delayed(until: now + wait))
        }
    }

    /// Works out when the backup is due next, and when it needs a look.
    mutating func updateNextElapse(of slot: Int, now: Timestamp) {
        let entry = entries[slot]
        entries[slot].nextElapse = nil
        defer { updateAttention(of: slot) }
        var cursor = entry.cursor(at: now)
        if let end = [entry.memory.pausedUntil, pausedUntil].compactMap({ $0 }).max() {
            guard end != .never else { return }
            cursor = max(cursor, entry.scheduleTime(at: end))
        }
        while let next = entry.plan.nextElapse(cursor), next > cursor {
            guard let end = entry.memory.handled.endOfSpan(containing: next) else {
                entries[slot].nextElapse = next
                break
            }
            // The clock was set back: this one has had its run.
            cursor = end
        }
    }

    mutating func updateAttention(of slot: Int) {
        let entry = entries[slot]
        let due = entry.nextElapse.map { $0 + entry.plan.delay }
        var times: [Timestamp?] = [isPaused(slot) ? entry.memory.pausedUntil : due]
        if case .delayed(let until) = entry.phase { times.append(until) }
        if let stale = staleTime(of: entry), !isStaleWarned(entry) { times.append(stale) }
        let time = times.compactMap { $0 }.min()
        attention.set(slot, to: entry.isConfigured && time != .never ? time : nil)
        updateWake(of: slot)
    }
}

// MARK: - The clock

nonisolated extension Scheduler {
    private mutating func clockWentBack(to now: Timestamp) {
        if heldUntil != .never { heldUntil = nil }
        for slot in entries.indices where isLive(slot) {
            if let pending = entries[slot].pending, !pending.isOwed,
                pending.attempt.elapse > entries[slot].scheduleTime(at: now)
            {
                // Not due by the new time, and not handled: it comes again.
                entries[slot].pending = nil
                if entries[slot].phase.runningSince == nil { setPhase(of: slot, .idle) }
            }
            if case .delayed(let until) = entries[slot].phase {
                setPhase(of: slot, .delayed(until: min(until, now + longestDelay(of: slot))))
            }
            boundWait(of: slot, now: now)
            if clockMayHaveGoneBack(slot, now: now) { persist(slot) }
            if entries[slot].isConfigured { updateNextElapse(of: slot, now: now) }
        }
    }

    /// Mends what the memory says by a clock that has been set back.
    /// - Returns: whether the memory changed in a way to be written down.
    mutating func clockMayHaveGoneBack(_ slot: Int, now: Timestamp) -> Bool {
        var isChanged = entries[slot].memory.handled.clockMayHaveGoneBack(to: entries[slot].scheduleTime(at: now))
        // A success far in the future would keep the warning of staleness back until then.
        if let success = entries[slot].memory.lastSuccess, success > now + HandledElapses.forgottenAhead,
            entries[slot].memory.firstSeen <= now
        {
            entries[slot].memory.lastSuccess = now
            isChanged = true
        }
        return isChanged
    }

    /// The longest that a start may be put off: what bounds a time that a clock now set back has given.
    func longestDelay(of slot: Int) -> TimeSpan {
        max(entries[slot].plan.retryDelay, settings.catchUpSpread, settings.startRetryDelay)
    }
}

// MARK: - Pauses

nonisolated extension Scheduler {
    func isPaused(_ slot: Int) -> Bool { pausedUntil != nil || entries[slot].memory.pausedUntil != nil }

    /// Takes back a start that has not begun, for a pause. Its elapse stays unhandled, and is recorded with those of
    /// the pause; where only the start was owed, the record is made here.
    /// - Returns: whether the memory changed.
    @discardableResult
    mutating func withdraw(_ slot: Int) -> Bool {
        guard let pending = entries[slot].pending else { return false }
        entries[slot].pending = nil
        if entries[slot].phase.runningSince == nil { setPhase(of: slot, .idle) }
        guard pending.isOwed, let owed = entries[slot].memory.owed else { return false }
        entries[slot].memory.owed = nil
        if owed.attempt.isFirst { record(slot, owed.attempt.elapses, why: .paused) }
        return true
    }

    private mutating func endPauseIfOver(_ slot: Int, now: Timestamp) {
        guard let end = entries[slot].memory.pausedUntil, end <= now else { return }
        entries[slot].memory.pausedUntil = nil
        if pausedUntil == nil { recordPaused(slot, until: end, now: now) }
        persist(slot)
        markChanged(slot)
    }

    mutating func endCommonPauseIfOver(_ now: Timestamp) {
        guard let end = pausedUntil, end <= now else { return }
        pausedUntil = nil
        for slot in entries.indices where isLive(slot) && entries[slot].isConfigured {
            markChanged(slot)
            let own = entries[slot].memory.pausedUntil
            if own == nil || own.map({ $0 <= end }) == true, recordPaused(slot, until: end, now: now) {
                persist(slot)
            }
            updateNextElapse(of: slot, now: now)
        }
        // Last: killed before this, the daemon finds the pause and what is recorded of it, and nothing to make up for.
        effects.append(.persistPause(until: nil))
    }

    /// Records once what elapsed in a pause that ended at `end`.
    /// - Returns: whether there was any.
    @discardableResult
    private mutating func recordPaused(_ slot: Int, until end: Timestamp, now: Timestamp) -> Bool {
        let entry = entries[slot]
        let last = entry.scheduleTime(at: min(end, now))
        guard let elapses = entry.plan.elapses(after: entry.cursor(at: now), through: last) else { return false }
        pass(slot, elapses, why: .paused)
        return true
    }
}

// MARK: - Staleness

nonisolated extension Scheduler {
    private mutating func warnIfStale(_ slot: Int, now: Timestamp) {
        let entry = entries[slot]
        guard let stale = staleTime(of: entry), stale <= now, !isStaleWarned(entry) else { return }
        let since = entry.memory.lastSuccess ?? entry.memory.firstSeen
        entries[slot].memory.staleWarnedSince = since
        persist(slot)
        effects.append(.warnStale(entry.plan.name, since: since, neverSucceeded: entry.memory.lastSuccess == nil))
        markChanged(slot)
    }

    private func isStaleWarned(_ entry: Entry) -> Bool {
        entry.memory.staleWarnedSince == entry.memory.lastSuccess ?? entry.memory.firstSeen
    }
}
