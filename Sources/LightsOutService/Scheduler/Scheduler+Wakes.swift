public import LightsOutCore

// What the machine is woken and kept awake for.

nonisolated extension Scheduler {
    /// A start of a backup with `wake` that the machine is to stay awake for: from `wake_lead` before it is due until its
    /// run is under way, but when it is due for `wake_wait` at most.
    public struct AwaitedStart: Hashable, Sendable {
        public let backup: BackupName
        /// When it is due, or was.
        public let due: Timestamp
        /// Whether that time has come.
        public let isDue: Bool
        /// When the machine is no longer kept awake for it; nil where an event tells.
        public let until: Timestamp?
    }

    /// How long a start that is due, or soon will be, has kept the machine awake.
    struct Wait: Hashable, Sendable {
        /// When the start is due.
        var due: Timestamp
        /// When the machine is no longer kept awake for it.
        var ends: Timestamp
        /// Since when it has been in the queue.
        var queuedAt: Timestamp?
    }

    /// What the machine is to stay awake for at `now`, and when that next changes by itself; nil for never.
    ///
    /// While a backup waits for its turn `wake_wait` does not pass: the runs before it keep the machine awake anyway, and
    /// between the last of them and its own there must be no gap.
    public mutating func awaitedStarts(at now: Timestamp) -> (starts: [AwaitedStart], next: Timestamp?) {
        while let first = wakeBegins.first, first.priority <= now {
            wakeBegins.set(first.slot, to: nil)
            nearWakes.insert(first.slot)
        }
        var next = wakeBegins.first?.priority
        var starts: [AwaitedStart] = []
        for slot in nearWakes {
            guard let start = awaitedStart(of: entries[slot], at: now) else { continue }
            starts.append(start)
            if let until = start.until { next = min(next ?? until, until) }
        }
        return (starts, next)
    }

    private func awaitedStart(of entry: Entry, at now: Timestamp) -> AwaitedStart? {
        if let wait = entry.wait {
            let isInTurn = entry.phase == .queued && settings.maxParallel > 0 && busy >= settings.maxParallel
            if isInTurn || now < wait.ends {
                return AwaitedStart(
                    backup: entry.plan.name, due: wait.due, isDue: entry.phase.isDue, until: isInTurn ? nil : wait.ends)
            }
        }
        guard let start = nextWake(of: entry), start - entry.plan.wakeLead <= now else { return nil }
        return AwaitedStart(backup: entry.plan.name, due: start, isDue: false, until: nil)
    }

    /// The next start that is still to come.
    private func nextWake(of entry: Entry) -> Timestamp? {
        guard entry.isConfigured, entry.plan.wake else { return nil }
        let due = entry.nextElapse.map { $0 + entry.plan.delay }
        guard case .delayed(let until) = entry.phase else { return due }
        return min(due ?? until, until)
    }

    /// Keeps the times in step with the plan, the next elapse and the phase.
    mutating func updateWake(of slot: Int) {
        let entry = entries[slot]
        let start = nextWake(of: entry)
        wakes.set(slot, to: start)
        let isWaiting = entry.wait != nil && entry.isConfigured && entry.plan.wake
        let begin = start.map { $0 - entry.plan.wakeLead }
        if isWaiting || begin.map({ $0 <= latestNow }) ?? false {
            nearWakes.insert(slot)
            wakeBegins.set(slot, to: nil)
        } else {
            nearWakes.remove(slot)
            wakeBegins.set(slot, to: begin)
        }
    }

    /// Counts how long a start is waited for, as its phase changes.
    mutating func countWait(of slot: Int, from old: Phase, to new: Phase) {
        let now = latestNow
        let limit = entries[slot].plan.wakeWait
        if var wait = entries[slot].wait, let queuedAt = wait.queuedAt {
            wait.ends = wait.ends + now.since(queuedAt)
            wait.queuedAt = nil
            entries[slot].wait = wait
        }
        switch new {
        case .idle, .running: entries[slot].wait = nil
        case .delayed(let until):
            // One that comes later has an alarm of its own.
            entries[slot].wait = until <= now + limit ? Wait(due: until, ends: now + limit) : nil
        case .queued, .checking, .waiting, .starting:
            if entries[slot].wait == nil {
                let attempt = entries[slot].pending?.attempt ?? entries[slot].memory.underWay?.attempt
                let due = (attempt?.elapse).map { $0 + entries[slot].plan.delay } ?? now
                entries[slot].wait = Wait(due: due, ends: now + limit)
            } else if case .delayed = old {
                entries[slot].wait?.ends = now + limit
            }
            // The run that has been asked for takes over the lock, however long it was waited for.
            if case .starting = new { entries[slot].wait?.ends = now + limit }
            if new == .queued { entries[slot].wait?.queuedAt = now }
        }
    }

    /// The time that the machine slept does not count.
    mutating func addSleepToWaits(_ now: Timestamp) {
        guard let since = asleepSince else { return }
        asleepSince = nil
        for slot in nearWakes {
            guard let wait = entries[slot].wait else { continue }
            entries[slot].wait?.ends = wait.ends + now.since(since)
        }
    }

    /// A clock that is set back must not keep the machine awake for as long.
    mutating func boundWait(of slot: Int, now: Timestamp) {
        guard var wait = entries[slot].wait else { return }
        wait.ends = min(wait.ends, now + entries[slot].plan.wakeWait)
        wait.queuedAt = wait.queuedAt.map { min($0, now) }
        entries[slot].wait = wait
    }
}

nonisolated extension Scheduler.Phase {
    /// Whether its start is due, and has not become a run.
    fileprivate var isDue: Bool {
        switch self {
        case .queued, .checking, .waiting, .starting: true
        case .idle, .delayed, .running: false
        }
    }
}
