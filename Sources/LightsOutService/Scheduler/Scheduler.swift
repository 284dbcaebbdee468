public import LightsOutCore

/// Decides when backups run: events and "now" in, ``SchedulerEffect``s out. It reads no clock, opens no file, and
/// starts nothing.
///
/// ```swift
/// var scheduler = Scheduler(settings: .init(maxParallel: 2))
/// carryOut(scheduler.load(plans, memories: memories, observed: runs, pausedUntil: nil, now: now))
/// carryOut(scheduler.tick(now: now))                    // whenever the armed time has come
/// carryOut(scheduler.runEnded(name, .success, now: now))
/// ```
///
/// The rules, in the order in which they apply to an elapse (a time the schedule names; it is *due* when it has come
/// and `random_delay` has passed):
///
/// 1. An elapse is handled once. What is handled is written to disk before a start is asked for
///    (``ScheduleMemory``), so neither a crash nor a clock set back runs it again; how far a wrong clock is believed
///    says ``HandledElapses``. A backup that is new counts from when it is first seen.
/// 2. **Paused**: nothing is started. What elapses meanwhile is recorded once, at the end of the pause, and not made
///    up for: whoever pauses backups does not expect them all at the moment he resumes.
/// 3. **During a run** of the same backup (a manual one too): recorded, and not run on top. A manual run takes no
///    elapse away that was due before it or is due after it.
///    When only processes that its script left behind still run, the elapse follows the run instead, once, where
///    `catch_up` is on.
/// 4. **Late** (acted on more than ``Settings/lateTolerance`` after it was due, because the machine was off or asleep
///    or the clock jumped): all that was missed is made up for by one run, or recorded as missed where `catch_up` is
///    off. Runs of several backups that are made up for at once begin ``Settings/catchUpSpacing`` apart.
/// 5. At most ``Settings/maxParallel`` runs at a time; the others queue in the order of their elapses, then by name.
/// 6. A backup whose requirements are missing waits until they are there, or until its next elapse is due; then the
///    elapse that waited is recorded as missed, and the new one takes its place.
/// 7. A run for an elapse that ends `failed` or `aborted` is tried again after the retry delay, unless somebody
///    stopped it. `wrong-config` is not: the same file would be refused again; nor `undefined`, `unknown`: the script's
///    own business. The next elapse takes the place of a retry that is still to come, and a manual run that succeeds
///    makes it needless.
/// 8. A run that a reboot or power loss cut off is made up for once, where `catch_up` is on: once, as a backup that
///    takes the machine down must not do so at every boot.
nonisolated public struct Scheduler: Sendable {
    public struct Settings: Hashable, Sendable {
        /// `max_parallel`; 0: no limit. Manual runs count, but are not held back.
        public var maxParallel: Int
        /// An elapse acted on no later than this after it was due is on time.
        public var lateTolerance = TimeSpan.minutes(1)
        /// Between the starts of runs that make up for missed elapses.
        public var catchUpSpacing = TimeSpan.seconds(10)
        /// The spacing shrinks where, with many backups, the last would start later than this.
        public var catchUpSpread = TimeSpan.minutes(10)
        /// After systemd refused a start for another reason than a run under way: to the next try.
        public var startRetryDelay = TimeSpan.minutes(1)

        public init(maxParallel: Int = 0) { self.maxParallel = maxParallel }
    }

    /// Why a start that was asked for did not become a run.
    public enum Refusal: Hashable, Sendable {
        /// Another run of the backup is under way.
        case alreadyRunning
        /// systemd's reason.
        case failed(String)
        /// It never came to systemd, or its answer never came back: there is no run of it, and none will come.
        case unheard
    }

    /// What a backup is doing.
    public enum State: Hashable, Sendable {
        case idle
        /// Due, and to be started at that time: made up for, or tried again.
        case delayed(until: Timestamp)
        /// Due, and waiting for its turn.
        case queued
        /// Due, and waiting for what it requires.
        case waiting(why: String)
        case running(since: Timestamp)
        case paused(until: Timestamp)
    }

    var settings: Settings
    var entries: [Entry] = []
    var slots: [BackupName: Int] = [:]
    var freeSlots: [Int] = []
    /// What is remembered of backups that there are none of: a configuration with a mistake, that was come up with, may name
    /// them when it is mended.
    var unclaimed: [BackupName: ScheduleMemory] = [:]
    /// When each backup next needs a look, one entry a backup at most.
    var attention = SlotHeap<Timestamp>()
    /// When each backup with `wake` is next to start.
    var wakes = SlotHeap<Timestamp>()
    /// When the machine begins to be kept awake for each of them, where that time has not come.
    var wakeBegins = SlotHeap<Timestamp>()
    /// The backups with `wake` for which it has come.
    var nearWakes: Set<Int> = []
    /// When the machine fell asleep, while it sleeps.
    var asleepSince: Timestamp?
    /// Who waits for a turn.
    var queue = SlotHeap<Turn>()
    /// How many are being checked, started or run.
    var busy = 0
    var pausedUntil: Timestamp?
    /// No start before then: the machine is going to sleep, or has just come back.
    var heldUntil: Timestamp?
    /// No start before `booted`: a start job would be part of the boot.
    var isBooting = false
    /// No start before `busFound`: systemd cannot be asked.
    var isWithoutBus = false
    var latestNow = Timestamp(microseconds: .min)

    // What the event under way has gathered.
    var effects: [SchedulerEffect] = []
    /// Starts come after all that is to be written down, which can then be waited for at once.
    var starts: [SchedulerEffect] = []
    var lateness = Lateness.unexplained
    var lateSlots: Set<Int> = []
    var changedSlots: [Int] = []
    // What the loop was last told.
    var armed: Timestamp??
    var armedWake: Timestamp??

    public init(settings: Settings = Settings()) { self.settings = settings }

    /// All that is known of one backup.
    struct Entry: Sendable {
        var plan: SchedulePlan
        var memory: ScheduleMemory
        var phase = Phase.idle
        /// The start that is due: in every phase that ends in one, and beside a manual run.
        var pending: Pending?
        /// The next elapse that is neither handled nor pending.
        var nextElapse: Timestamp?
        /// How long the start that is due has been waited for; nil where none is, or soon will be.
        var wait: Wait?
        /// The last run that the schedule asked for.
        var lastScheduledRun: RunIdentifier?
        /// In the configuration; otherwise it goes when its run has ended, or is gone and its slot free.
        var isConfigured = true
        var isMarkedChanged = false
        /// Whether the run under way goes on only for what its script left behind.
        var hasScriptEnded = false
    }

    struct Pending: Sendable {
        var attempt: ScheduleMemory.Attempt
        /// Whether `memory.owed` stands for it; otherwise its elapse is not handled yet.
        var isOwed: Bool
    }

    enum Phase: Hashable, Sendable {
        case idle
        case delayed(until: Timestamp)
        case queued
        case checking
        case waiting(why: String)
        case starting(at: Timestamp)
        case running(since: Timestamp)

        /// Whether it counts for `max_parallel`.
        var isBusy: Bool {
            switch self {
            case .checking, .starting, .running: true
            case .idle, .delayed, .queued, .waiting: false
            }
        }

        /// Since when a run is under way, or asked for.
        var runningSince: Timestamp? {
            switch self {
            case .starting(let since), .running(let since): since
            case .idle, .delayed, .queued, .checking, .waiting: nil
            }
        }
    }

    /// A place in the queue: the older elapse first, then by name.
    struct Turn: Comparable, Sendable {
        let elapse: Timestamp
        let name: BackupName

        static func < (left: Turn, right: Turn) -> Bool {
            left.elapse == right.elapse ? left.name < right.name : left.elapse < right.elapse
        }
    }
}

// MARK: - What is known

nonisolated extension Scheduler {
    /// What `status` and the bus show of one backup.
    public struct Standing: Hashable, Sendable {
        public let state: State
        /// When the next elapse is due, `random_delay` included; nil for never.
        public let nextDue: Timestamp?
        /// Whether there was no success for `stale_after`.
        public let isStale: Bool
        public let lastSuccess: Timestamp?
        /// The last elapse that was dealt with; nil where there was none yet.
        public let lastElapse: Timestamp?
    }

    /// How many backups there are.
    public var count: Int { slots.count }

    /// What `name` is doing at `now`; nil where there is no such backup.
    public func standing(of name: BackupName, now: Timestamp) -> Standing? {
        guard let slot = slots[name] else { return nil }
        let entry = entries[slot]
        return Standing(
            state: state(of: entry, now: now), nextDue: entry.nextElapse.map { $0 + entry.plan.delay },
            isStale: staleTime(of: entry).map { $0 <= now } ?? false, lastSuccess: entry.memory.lastSuccess,
            lastElapse: entry.memory.handled.lastElapse)
    }

    /// The next elapse that is due, of all backups, and whose: for the daemon's status line.
    public var next: (name: BackupName, due: Timestamp)? {
        var earliest: (name: BackupName, due: Timestamp)?
        for slot in slots.values {
            guard let elapse = entries[slot].nextElapse else { continue }
            let candidate = (name: entries[slot].plan.name, due: elapse + entries[slot].plan.delay)
            guard let known = earliest else {
                earliest = candidate
                continue
            }
            if candidate.due < known.due || candidate.due == known.due && candidate.name < known.name {
                earliest = candidate
            }
        }
        return earliest
    }

    /// Whether a run is under way or asked for, or due and only waiting for its turn. A backup that waits for what
    /// it requires is no work: a disk that nobody plugs in must not keep the machine awake.
    public var hasWork: Bool { busy > 0 || queue.count > 0 }

    /// The earliest time at which a start is to come: of an elapse, a retry, a run that makes up for others. nil for
    /// never.
    public var nextStart: Timestamp? {
        var earliest = next?.due
        for entry in entries {
            guard case .delayed(let until) = entry.phase else { continue }
            earliest = min(earliest ?? until, until)
        }
        return earliest
    }

    /// The backups with `wake` that are to start by then, and when each is: those that a wake-up is for.
    public func wakeStarts(by time: Timestamp) -> [BackupName: Timestamp] {
        var starts: [BackupName: Timestamp] = [:]
        for (start, slot) in wakes.slots(upTo: time) { starts[entries[slot].plan.name] = start }
        return starts
    }

    private func state(of entry: Entry, now: Timestamp) -> State {
        switch entry.phase {
        case .starting(let since), .running(let since): .running(since: since)
        case .idle: pauseEnd(of: entry, now: now).map { .paused(until: $0) } ?? .idle
        case .delayed(let until): .delayed(until: until)
        case .queued, .checking: .queued
        case .waiting(let why): .waiting(why: why)
        }
    }

    /// The end of the pause that the backup is in at `now`, its own or everybody's.
    func pauseEnd(of entry: Entry, now: Timestamp) -> Timestamp? {
        let ends = [entry.memory.pausedUntil, pausedUntil].compactMap { $0 }.filter { $0 > now }
        return ends.max()
    }

    /// When the backup becomes stale, or became so.
    func staleTime(of entry: Entry) -> Timestamp? {
        guard let limit = entry.plan.staleAfter, !limit.isInfinite else { return nil }
        return (entry.memory.lastSuccess ?? entry.memory.firstSeen) + limit
    }
}

nonisolated extension Scheduler.Entry {
    /// The instant whose elapses are due at `now`: `random_delay` earlier. What is handled is counted in this time.
    func scheduleTime(at now: Timestamp) -> Timestamp { now - plan.delay }

    /// The last elapse that is handled or pending: the next one is later.
    func cursor(at now: Timestamp) -> Timestamp {
        let handled = memory.handled.cursor(at: scheduleTime(at: now))
        guard let pending, !pending.isOwed else { return handled }
        return max(handled, pending.attempt.elapse)
    }
}
