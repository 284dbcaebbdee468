import LightsOutCore
import TestSupport
import Testing

@testable import LightsOutService

/// Random lives of a machine, held against what must be true of all of them.
struct `Whatever happens` {
    @Test(arguments: 0..<60)
    func `every elapse is accounted for exactly once, and no crash loses or doubles one`(seed: UInt64) {
        var life = Life(seed: seed, clockGoesBack: false)
        for _ in 0..<400 { life.step() }
        life.comeToRest()
        for plan in life.world.plans {
            let (accounted, elapses) = (life.account(of: plan), life.elapses(of: plan))
            let lost = Set(elapses).subtracting(accounted).map(\.microseconds).sorted()
            let doubled = Dictionary(grouping: accounted) { $0 }.filter { $1.count > 1 }.keys.map(\.microseconds).sorted()
            #expect(lost.isEmpty, "\(plan.name) lost elapses, seed \(seed)")
            #expect(doubled.isEmpty, "\(plan.name) doubled elapses, seed \(seed)")
            #expect(Set(accounted).isSubset(of: elapses))
        }
        #expect(life.crashes > 0 && !life.begun.isEmpty)
    }

    @Test(arguments: 0..<60)
    func `no elapse is run twice, wherever the clock is set to within a week`(seed: UInt64) {
        var life = Life(seed: 1000 + seed, clockGoesBack: true)
        for _ in 0..<400 { life.step() }
        let firsts = life.begun.filter { $0.attempt.number == 1 && $0.attempt.timesCutOff == 0 }
        let keys = firsts.map { "\($0.name) \($0.attempt.elapse.microseconds)" }
        #expect(Set(keys).count == keys.count)
        #expect(!keys.isEmpty)
    }
}

/// A machine with a handful of backups on which everything happens that can.
private struct Life {
    var world: World
    var generator: SeededGenerator
    let clockGoesBack: Bool
    var crashes = 0
    /// Starts that were given up and became a run all the same.
    var lateStarts = 0
    /// The starts that became a run.
    var begun: [World.Start] = []
    /// The starts that systemd has not answered.
    var asked: [World.Start] = []
    /// Those of them that a daemon asked for which is no more: they become runs, and nobody is told.
    var unheard: [World.Start] = []
    var latest = at(0)

    init(seed: UInt64, clockGoesBack: Bool) {
        generator = SeededGenerator(seed: seed)
        self.clockGoesBack = clockGoesBack
        // So far apart that no pause or outage of a life reaches the limit of counting.
        let minutes: [UInt64] = [360, 420, 720, 1440, 540]
        var plans: [SchedulePlan] = []
        for (index, minutes) in minutes.enumerated() {
            plans.append(
                plan(
                    name("b\(index)"), period: .minutes(minutes), offset: .minutes(UInt64(index) * 7),
                    delay: .seconds(UInt64.random(in: 0..<300, using: &generator)),
                    catchUp: Bool.random(using: &generator), retryAttempts: Int.random(in: 0...2, using: &generator),
                    staleAfter: .hours(8), requirements: Bool.random(using: &generator)))
        }
        world = World(plans, maxParallel: Int.random(in: 0...3, using: &generator))
    }

    mutating func pick() -> BackupName { name("b\(Int.random(in: 0..<5, using: &generator))") }

    var runningNames: [BackupName] {
        world.runs.filter { if case .running = $0.value.outcome { true } else { false } }.keys.sorted()
    }

    /// Carries out effects, or is killed among them.
    mutating func carryOut(_ effects: [SchedulerEffect]) {
        let known = world.starts.count
        let isKilled = Int.random(in: 0..<40, using: &generator) == 0
        // Killed between two effects, but not between a record and the memory of it: a record may come twice then.
        var limit = isKilled ? Int.random(in: 0...effects.count, using: &generator) : effects.count
        while limit < effects.count, limit > 0, case .recordMissed = effects[limit - 1] { limit += 1 }
        while limit < effects.count, limit > 0, case .recordMissed = effects[limit - 1] { limit += 1 }
        world.carryOut(effects, upTo: limit, starting: false)
        asked += world.starts[known...]
        #expect(world.scheduler.attention.count <= world.scheduler.count)
        #expect(world.scheduler.queue.count <= world.scheduler.count)
        #expect(world.scheduler.busy >= 0)
        if isKilled { crash(after: .zero) }
    }

    /// The daemon is gone for a while; what it had asked for begins all the same, before it is back or after that.
    mutating func crash(after time: TimeSpan) {
        crashes += 1
        unheard += asked
        asked = []
        world.finds = []
        unheard.shuffle(using: &generator)
        let begun = time == .zero ? Int.random(in: 0...unheard.count, using: &generator) : unheard.count
        for start in unheard.prefix(begun) { beginUnheard(start) }
        let now = world.now + time
        world.now = now
        world.timer = nil
        world.scheduler = Scheduler(settings: world.scheduler.settings)
        let effects = world.scheduler.load(
            world.plans, memories: world.memories, observed: world.runs, pausedUntil: world.pausedUntil, now: now)
        let known = world.starts.count
        world.carryOut(effects, starting: false)
        asked += world.starts[known...]
    }

    /// systemd starts what a daemon asked for that is no more; the one that is there sees the run, and perhaps only its end.
    mutating func beginUnheard(_ start: World.Start, isSeen: Bool = false) {
        unheard.removeAll { $0 == start }
        guard becomeRun(start), isSeen, let run = world.runs[start.name]?.scheduledRun else { return }
        world.finds.removeAll { $0 == start.name }
        let mark = start.attempt.mark
        if Bool.random(using: &generator) {
            carryOut(world.scheduler.runStarted(start.name, scheduledRun: run, mark: mark, now: world.now))
        } else {
            world.runs[start.name]?.outcome = .ended(.success, at: world.now)
            carryOut(world.scheduler.runEnded(start.name, scheduledRun: run, mark: mark, result: .success, now: world.now))
        }
    }

    /// systemd says what it knows of a start that it may have been asked for: it has begun it by then, or never will.
    mutating func find() {
        guard let name = world.finds.randomElement(using: &generator) else { return }
        if let start = unheard.first(where: { $0.name == name }) { return beginUnheard(start, isSeen: true) }
        world.finds.removeAll { $0 == name }
        carryOut(world.scheduler.startRefused(name, .unheard, now: world.now))
    }

    /// systemd starts a unit that is asked for, unless it runs.
    @discardableResult
    mutating func becomeRun(_ start: World.Start) -> Bool {
        if case .running = world.runs[start.name]?.outcome { return false }
        begun.append(start)
        let run = RunIdentifier(high: 2, low: UInt64(begun.count))
        world.runs[start.name] = ObservedRun(
            scheduledRun: run, mark: start.attempt.mark, outcome: .running(since: world.now))
        return true
    }

    mutating func step() {
        if let start = unheard.first {
            // systemd does not take its time: nothing but these comes before it.
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: answer()
            case 1: endOne()
            case 2: crash(after: .zero)
            case 3: find()
            default: beginUnheard(start, isSeen: true)
            }
            return
        }
        if Bool.random(using: &generator) { find() }
        switch Int.random(in: 0..<26, using: &generator) {
        case 0..<7: advance(by: .minutes(UInt64.random(in: 1...240, using: &generator)))
        case 7..<12: answer()
        case 12..<15: endOne()
        case 15:
            let manual = pick()
            // A person is slower than systemd's answer.
            guard !runningNames.contains(manual), !world.finds.contains(manual) else { return }
            let (scheduled, mark) = (world.runs[manual]?.scheduledRun, world.runs[manual]?.mark)
            world.runs[manual] = ObservedRun(scheduledRun: scheduled, mark: mark, outcome: .running(since: world.now))
            // What was asked for meets the manual run, and is refused.
            for start in asked where start.name == manual {
                asked.removeAll { $0 == start }
                carryOut(world.scheduler.startRefused(manual, .alreadyRunning, now: world.now))
            }
            carryOut(world.scheduler.runStarted(manual, scheduledRun: scheduled, mark: mark, now: world.now))
        case 16: carryOut(world.scheduler.requirementsMissing(pick(), why: "no disk", now: world.now))
        case 17..<20: carryOut(world.scheduler.requirementsMet(pick(), now: world.now))
        case 20:
            let target = Bool.random(using: &generator) ? pick() : nil
            let until = world.now + .hours(UInt64.random(in: 1...60, using: &generator))
            carryOut(world.scheduler.pause(target, until: until, now: world.now))
        case 21: carryOut(world.scheduler.resume(Bool.random(using: &generator) ? pick() : nil, now: world.now))
        case 22: crash(after: .minutes(UInt64.random(in: 0...600, using: &generator)))
        case 23: powerLoss()
        case 24:
            carryOut(world.scheduler.sleepBegins(now: world.now))
            world.now = world.now + .minutes(UInt64.random(in: 0...300, using: &generator))
            carryOut(world.scheduler.resumed(now: world.now, grace: .seconds(20)))
        default:
            guard clockGoesBack else { return }
            latest = max(latest, world.now)
            let back = TimeSpan.hours(UInt64.random(in: 0...30, using: &generator))
            // Not farther than a week behind where it has been.
            guard latest.since(world.now - back) < .days(6), world.now - back > at(0) else { return }
            world.now = world.now - back
            carryOut(world.scheduler.clockChanged(now: world.now))
        }
    }

    private mutating func advance(by span: TimeSpan) {
        let end = world.now + span
        while let timer = world.timer, timer <= end {
            world.now = max(world.now, timer)
            carryOut(world.scheduler.tick(now: world.now))
            answer()
        }
        world.now = max(end, world.now)
    }

    private mutating func answer() {
        guard !asked.isEmpty else { return }
        let start = asked.removeFirst()
        if Int.random(in: 0..<10, using: &generator) == 0 {
            carryOut(world.scheduler.startRefused(start.name, .failed("no bus"), now: world.now))
            // It is believed to have come to nothing, and becomes a run a moment later, with a daemon that sees it or with none.
            if Bool.random(using: &generator), !asked.contains(where: { $0.name == start.name }) {
                lateStarts += 1
                beginUnheard(start, isSeen: Bool.random(using: &generator))
                if world.runs[start.name].map({ !isKnown($0, to: start.name) }) == true { crash(after: .zero) }
            }
        } else if becomeRun(start), let run = world.runs[start.name]?.scheduledRun {
            carryOut(world.scheduler.runStarted(start.name, scheduledRun: run, mark: start.attempt.mark, now: world.now))
        } else {
            carryOut(world.scheduler.startRefused(start.name, .alreadyRunning, now: world.now))
        }
    }

    /// Whether the daemon that is there knows of the run.
    private func isKnown(_ run: ObservedRun, to name: BackupName) -> Bool {
        if case .running = run.outcome, case .running? = world.state(name) { true } else { false }
    }

    private mutating func endOne() {
        guard let running = runningNames.randomElement(using: &generator) else { return }
        let results: [RunResult] = [.success, .success, .failed, .aborted, .warnings, .wrongConfig]
        let result = results.randomElement(using: &generator) ?? .success
        world.runs[running]?.outcome = .ended(result, at: world.now)
        // A daemon that is told nothing finds out when it comes up.
        if Int.random(in: 0..<15, using: &generator) == 0 { return crash(after: .minutes(3)) }
        let run = world.runs[running]
        carryOut(
            world.scheduler.runEnded(running, scheduledRun: run?.scheduledRun, mark: run?.mark, result: result, now: world.now))
    }

    private mutating func powerLoss() {
        for running in runningNames { world.runs[running]?.outcome = .cutOff(at: world.now) }
        asked = []
        unheard = []
        crash(after: .minutes(UInt64.random(in: 1...900, using: &generator)))
    }

    /// Ends all pauses and runs, and gives whatever waits what it waits for, until nothing is left to do.
    mutating func comeToRest() {
        for _ in 0..<200 {
            carryOut(world.scheduler.resume(nil, now: world.now))
            for plan in world.plans {
                carryOut(world.scheduler.resume(plan.name, now: world.now))
                carryOut(world.scheduler.requirementsMet(plan.name, now: world.now))
            }
            while !asked.isEmpty { answer() }
            while !world.finds.isEmpty { find() }
            while let start = unheard.first { beginUnheard(start, isSeen: true) }
            while !runningNames.isEmpty { endOne() }
            if !isAtRest { advance(by: .minutes(2)) }
            if isAtRest { return }
        }
        Issue.record("it does not come to rest: \(world.plans.map { world.state($0.name) })")
    }

    private var isAtRest: Bool {
        asked.isEmpty && unheard.isEmpty && world.finds.isEmpty && runningNames.isEmpty && world.plans.allSatisfy { world.state($0.name) == .idle }
    }

    /// The elapses that a run began for, or that were recorded: each as often as that happened.
    func account(of plan: SchedulePlan) -> [Timestamp] {
        var accounted: [Timestamp] = []
        let add = { (latest: Timestamp, count: Int, list: inout [Timestamp]) in
            let period = self.period(of: plan)
            for index in 0..<count { list.append(Timestamp(microseconds: latest.microseconds - Int64(index) * period)) }
        }
        for start in begun where start.name == plan.name && start.attempt.number == 1 && start.attempt.timesCutOff == 0 {
            add(start.attempt.elapse, start.attempt.covers, &accounted)
        }
        for missed in world.missed where missed.name == plan.name {
            add(missed.elapses.latest, missed.elapses.count, &accounted)
        }
        return accounted.sorted()
    }

    /// The elapses that the schedule names from the beginning up to where the life has come.
    func elapses(of plan: SchedulePlan) -> [Timestamp] {
        var elapses: [Timestamp] = []
        var time = at(0) - plan.delay
        while let next = plan.nextElapse(time), next + plan.delay <= world.now {
            elapses.append(next)
            time = next
        }
        return elapses
    }

    private func period(of plan: SchedulePlan) -> Int64 {
        guard let one = plan.nextElapse(at(0)), let two = plan.nextElapse(one) else { return 0 }
        return two.microseconds - one.microseconds
    }
}
