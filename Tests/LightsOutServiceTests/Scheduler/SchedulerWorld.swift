import LightsOutCore
import Testing

@testable import LightsOutService

/// Midnight of 2026-11-23, UTC.
nonisolated let midnight = Timestamp(microseconds: 20_780 * 86_400_000_000)

nonisolated func name(_ text: String) -> BackupName {
    do { return try BackupName(text) } catch { fatalError("\(error)") }
}

nonisolated let server = name("server")
nonisolated let client = name("client")

nonisolated func at(day: UInt64 = 0, _ hour: UInt64, _ minute: UInt64 = 0, _ second: UInt64 = 0) -> Timestamp {
    midnight + .days(day) + .hours(hour) + .minutes(minute) + .seconds(second)
}

/// Elapses every `period`, counted from `offset` after midnight.
nonisolated func every(_ period: TimeSpan, offset: TimeSpan = .zero) -> @Sendable (Timestamp) -> Timestamp? {
    { time in
        let base = (midnight + offset).microseconds
        let step = Int64(period.microseconds)
        let (quotient, remainder) = (time.microseconds - base).quotientAndRemainder(dividingBy: step)
        return Timestamp(microseconds: base + (quotient + (remainder < 0 ? 0 : 1)) * step)
    }
}

/// A plan that elapses at 02:30 every day, unless told otherwise.
nonisolated func plan(
    _ name: BackupName = server, period: TimeSpan = .days(1), offset: TimeSpan = .minutes(150),
    delay: TimeSpan = .zero, catchUp: Bool = true, wake: Bool = false,
    wakeLead: TimeSpan = .minutes(1), wakeWait: TimeSpan = .minutes(15), retryAttempts: Int = 0,
    staleAfter: TimeSpan? = nil, requirements: Bool = false
) -> SchedulePlan {
    SchedulePlan(
        name: name, scheduleTexts: ["every \(period.microseconds) from \(offset.microseconds)"], delay: delay,
        catchUp: catchUp, wake: wake, wakeLead: wakeLead, wakeWait: wakeWait, retryAttempts: retryAttempts, retryDelay: .minutes(10), staleAfter: staleAfter,
        hasRequirements: requirements, nextElapse: every(period, offset: offset))
}

/// What the scheduler asked for, and the machine it believes to be on: the disk, systemd, the timer.
struct World {
    var scheduler: Scheduler
    var plans: [SchedulePlan]
    var memories: [BackupName: ScheduleMemory] = [:]
    var pausedUntil: Timestamp?
    var runs: [BackupName: ObservedRun] = [:]
    var now: Timestamp
    var timer: Timestamp?
    var wakeTimer: Timestamp?

    var starts: [Start] = []
    var missed: [Missed] = []
    var stale: [BackupName] = []
    /// Elapses that are to follow a run whose script has ended.
    var following: [Elapses] = []
    var checks: [BackupName] = []
    /// Starts that are to be found out about.
    var finds: [BackupName] = []
    var forgotten: [BackupName] = []
    private var runCount: UInt64 = 0

    struct Start: Equatable {
        var name: BackupName
        var attempt: ScheduleMemory.Attempt
        var time: Timestamp
    }

    struct Missed: Equatable {
        var name: BackupName
        var elapses: Elapses
        var why: MissedCause
    }

    init(_ plans: [SchedulePlan], maxParallel: Int = 0, now: Timestamp = at(0)) {
        self.plans = plans
        self.now = now
        scheduler = Scheduler(settings: .init(maxParallel: maxParallel))
        carryOut(scheduler.load(plans, now: now))
    }

    /// Carries out the effects, or only the first so many of them, as where the daemon is killed in between.
    /// - Parameter starting: whether systemd does at once what it is asked for; of a start before a crash it knows nothing.
    mutating func carryOut(_ effects: [SchedulerEffect], upTo limit: Int = .max, starting: Bool = true) {
        for effect in effects.prefix(limit) {
            switch effect {
            case .persist(let name, let memory): memories[name] = memory
            case .persistPause(let until): pausedUntil = until
            case .forget(let name):
                memories[name] = nil
                forgotten.append(name)
            case .start(let name, let attempt):
                starts.append(Start(name: name, attempt: attempt, time: now))
                if starting { begin(name, isManual: false) }
            case .findStart(let name): finds.append(name)
            case .checkRequirements(let name): checks.append(name)
            case .recordMissed(let name, let elapses, let why):
                missed.append(Missed(name: name, elapses: elapses, why: why))
            case .tellFollows(_, let elapses): following.append(elapses)
            case .warnStale(let name, _, _): stale.append(name)
            case .stateChanged: break
            case .arm(let time): timer = time
            case .armWake(let time): wakeTimer = time
            }
        }
        guard starting else { return }
        while let name = finds.popLast() { carryOut(scheduler.startRefused(name, .unheard, now: now)) }
    }

    mutating func begin(_ name: BackupName, isManual: Bool) {
        runCount += 1
        let run = RunIdentifier(high: 1, low: runCount)
        runs[name] = ObservedRun(
            scheduledRun: isManual ? runs[name]?.scheduledRun : run, outcome: .running(since: now))
    }

    /// systemd's side: the run that was asked for, or a manual one, is reported to have begun.
    mutating func reportStarted(_ name: BackupName) {
        carryOut(scheduler.runStarted(name, scheduledRun: runs[name]?.scheduledRun, now: now))
    }

    mutating func startByHand(_ name: BackupName) {
        begin(name, isManual: true)
        reportStarted(name)
    }

    mutating func end(_ name: BackupName, _ result: RunResult = .success, stopped: Bool = false) {
        runs[name]?.outcome = .ended(result, at: now)
        carryOut(scheduler.runEnded(name, scheduledRun: runs[name]?.scheduledRun, result: result, stoppedOnRequest: stopped, now: now))
    }

    /// Lets time pass up to `time`, with the timer going off as armed; runs that begin end at once where `length` is
    /// zero, and stay where it is nil.
    mutating func pass(to time: Timestamp, ending result: RunResult? = nil) {
        while let timer, timer <= time {
            now = max(now, timer)
            let known = starts.count
            carryOut(scheduler.tick(now: now))
            settleStarts(from: known, ending: result)
        }
        now = time
    }

    private mutating func settleStarts(from first: Int, ending result: RunResult?) {
        guard let result else { return }
        var index = first
        while index < starts.count {
            let name = starts[index].name
            reportStarted(name)
            end(name, result)
            index += 1
        }
    }

    /// The daemon is killed; it comes up at `time` with what is on the disk.
    mutating func restart(at time: Timestamp, maxParallel: Int? = nil) {
        now = time
        timer = nil
        wakeTimer = nil
        scheduler = Scheduler(settings: .init(maxParallel: maxParallel ?? scheduler.settings.maxParallel))
        carryOut(
            scheduler.load(plans, memories: memories, observed: runs, pausedUntil: pausedUntil, now: time))
    }

    func state(_ name: BackupName = server) -> Scheduler.State? { scheduler.standing(of: name, now: now)?.state }
    var triggers: [Trigger] { starts.map(\.attempt.trigger) }
}
