import LightsOutCore
import Synchronization
import Testing

@testable import LightsOutService

struct `On time` {
    @Test func `a backup starts at its elapse, once, and the timer is armed for the next`() {
        var world = World([plan()])
        #expect(world.timer == at(2, 30))
        world.pass(to: at(3), ending: .success)
        #expect(world.starts == [.init(name: server, attempt: .init(elapse: at(2, 30), trigger: .schedule), time: at(2, 30))])
        #expect(world.timer == at(day: 1, 2, 30))
        #expect(world.missed.isEmpty)
    }

    @Test func `random_delay puts the start off, and the elapse keeps its name`() {
        var world = World([plan(delay: .minutes(7))])
        #expect(world.timer == at(2, 37))
        world.pass(to: at(3), ending: .success)
        #expect(world.starts.map(\.attempt.elapse) == [at(2, 30)])
        #expect(world.starts.map(\.time) == [at(2, 37)])
    }

    @Test func `a start acted on within the tolerance is on time, and after it makes up`() {
        for (second, trigger) in [(UInt64(60), Trigger.schedule), (61, .catchUp)] {
            var world = World([plan()])
            world.now = at(2, 30, second)
            world.carryOut(world.scheduler.tick(now: world.now))
            #expect(world.triggers == [trigger])
        }
    }

    @Test func `what is handled is on the disk before the start is asked for`() {
        var world = World([plan()])
        let effects = world.scheduler.tick(now: at(2, 30))
        let persisted = effects.firstIndex {
            if case .persist(_, let memory) = $0 { memory.underWay != nil && memory.handled.cursor(at: at(2, 30)) == at(2, 30) } else { false }
        }
        let started = effects.firstIndex { if case .start = $0 { true } else { false } }
        #expect(persisted != nil && started != nil)
        if let persisted, let started { #expect(persisted < started) }
    }

    @Test func `a backup without a schedule is never started`() {
        let world = World([SchedulePlan(name: server, scheduleTexts: [], nextElapse: { _ in nil })])
        #expect(world.timer == nil)
        #expect(world.state() == .idle)
    }

    @Test func `a schedule that does not move on holds nothing up`() {
        let stuck = SchedulePlan(name: client, scheduleTexts: ["stuck"], nextElapse: { _ in at(1) })
        var world = World([stuck, plan()])
        world.pass(to: at(3), ending: .success)
        #expect(world.starts.map(\.name) == [client, server])
    }
}

struct `Missed elapses` {
    @Test func `a new backup has missed nothing`() {
        let world = World([plan()], now: at(9))
        #expect(world.starts.isEmpty)
        #expect(world.missed.isEmpty)
    }

    @Test func `after days off there is exactly one run that makes up for them all`() {
        var world = World([plan()])
        world.restart(at: at(day: 4, 9))
        #expect(world.starts.map(\.attempt) == [.init(elapse: at(day: 4, 2, 30), covers: 5, trigger: .catchUp)])
        world.end(server)
        world.restart(at: at(day: 4, 10))
        #expect(world.starts.count == 1)
    }

    @Test func `without catch_up they are recorded as missed, with their number and the reason`() {
        var world = World([plan(catchUp: false)])
        world.restart(at: at(day: 2, 9))
        #expect(world.starts.isEmpty)
        #expect(
            world.missed == [
                .init(name: server, elapses: .init(latest: at(day: 2, 2, 30), count: 3), why: .late(.notRunning))
            ])
        world.restart(at: at(day: 2, 10))
        #expect(world.missed.count == 1)
    }

    @Test func `asleep and clock set are told apart`() {
        var world = World([plan(catchUp: false)])
        world.carryOut(world.scheduler.resumed(now: at(9)))
        world.carryOut(world.scheduler.clockChanged(now: at(day: 1, 9)))
        #expect(world.missed.map(\.why) == [.late(.asleep), .late(.clockSet)])
    }

    @Test func `without catch_up an elapse on time runs although earlier ones were missed`() {
        var world = World([plan(period: .hours(1), offset: .zero, catchUp: false)])
        world.carryOut(world.scheduler.resumed(now: at(5, 0, 10)))
        #expect(world.starts.map(\.attempt) == [.init(elapse: at(5), trigger: .schedule)])
        #expect(world.missed.map(\.elapses) == [.init(latest: at(4), count: 4)])
    }

    @Test func `several backups make up one after the other, the oldest elapse first`() {
        let names = ["a", "b", "c"].map(name)
        var world = World(names.map { plan($0) } + [plan(name("z"), offset: .minutes(60))])
        world.restart(at: at(9))
        world.pass(to: at(10), ending: .success)
        #expect(world.starts.map(\.name.text) == ["z", "a", "b", "c"])
        #expect(world.starts.map(\.time) == [at(9), at(9, 0, 10), at(9, 0, 20), at(9, 0, 30)])
    }

    @Test func `a thousand that make up have all begun within ten minutes`() {
        var world = World((0..<1000).map { plan(name("b\($0)")) })
        world.restart(at: at(9))
        world.pass(to: at(9, 10), ending: .success)
        #expect(world.starts.count == 1000)
        #expect(Set(world.starts.map(\.name)).count == 1000)
    }

    @Test func `a clock a year ahead makes one run a backup, and counting has a limit`() {
        var world = World([plan(period: .minutes(1), offset: .zero)])
        world.now = at(day: 365, 0, 0, 30)
        world.carryOut(world.scheduler.clockChanged(now: world.now))
        #expect(world.starts.map(\.attempt.elapse) == [at(day: 365, 0)])
        #expect(world.starts.map(\.attempt.covers) == [Elapses.countingLimit])
    }

    @Test func `elapses that come while a backup waits for its turn are one run`() {
        var world = World([plan(period: .minutes(1), offset: .zero), plan(client)], maxParallel: 1)
        world.startByHand(client)
        world.pass(to: at(0, 3))
        #expect(world.starts.isEmpty)
        world.end(client)
        #expect(world.starts.map(\.attempt) == [.init(elapse: at(0, 3), covers: 3, trigger: .schedule)])
        #expect(world.missed.isEmpty)
    }

    @Test func `without catch_up those that waited for their turn until the next are missed`() {
        var world = World([plan(period: .minutes(1), offset: .zero, catchUp: false), plan(client)], maxParallel: 1)
        world.startByHand(client)
        world.pass(to: at(0, 3))
        world.end(client)
        #expect(world.starts.map(\.attempt) == [.init(elapse: at(0, 3), trigger: .schedule)])
        #expect(world.missed.map(\.elapses.latest) == [at(0, 1), at(0, 2)])
        #expect(world.missed.allSatisfy { $0.why == .noTurn })
    }
}

struct `Runs under way` {
    @Test func `an elapse during a run is recorded and not run on top`() {
        var world = World([plan(period: .hours(1), offset: .zero)])
        world.pass(to: at(1))
        world.reportStarted(server)
        world.pass(to: at(3, 10))
        world.end(server)
        #expect(world.starts.count == 1)
        #expect(world.missed.map(\.elapses.latest) == [at(2), at(3)])
        #expect(world.missed.allSatisfy { $0.why == .duringRun(since: at(1)) })
        world.pass(to: at(4))
        #expect(world.starts.count == 2)
    }

    @Test func `a manual run before the elapse takes nothing away from it`() {
        var world = World([plan()])
        world.now = at(2)
        world.startByHand(server)
        world.pass(to: at(2, 20))
        world.end(server)
        world.pass(to: at(3), ending: .success)
        #expect(world.starts.map(\.attempt.trigger) == [.schedule])
    }

    @Test func `what waited for a disk still runs after a manual run`() {
        var world = World([plan(requirements: true)])
        world.pass(to: at(2, 40))
        world.carryOut(world.scheduler.requirementsMissing(server, why: "/mnt/usb is not mounted", now: world.now))
        world.startByHand(server)
        world.carryOut(world.scheduler.requirementsMet(server, now: world.now))
        #expect(world.starts.isEmpty)
        world.now = at(2, 50)
        world.end(server)
        world.carryOut(world.scheduler.requirementsMet(server, now: world.now))
        #expect(world.starts.map(\.attempt.elapse) == [at(2, 30)])
    }

    @Test func `a start refused because of another run is recorded and not repeated`() {
        var world = World([plan()])
        world.carryOut(world.scheduler.tick(now: at(2, 30)), starting: false)
        world.carryOut(world.scheduler.startRefused(server, .alreadyRunning, now: at(2, 30)))
        #expect(world.missed.map(\.why) == [.duringRun(since: at(2, 30))])
        world.pass(to: at(3))
        #expect(world.starts.count == 1)
    }

    @Test func `a start that systemd refuses is asked for again, until the next elapse`() {
        var world = World([plan(period: .minutes(3), offset: .zero)])
        for minute: UInt64 in 3...5 {
            world.now = at(0, minute)
            world.carryOut(world.scheduler.tick(now: world.now), starting: false)
            world.carryOut(world.scheduler.startRefused(server, .failed("no bus"), now: world.now))
        }
        #expect(world.starts.map(\.attempt.elapse) == [at(0, 3), at(0, 3), at(0, 3)])
        world.pass(to: at(0, 6))
        #expect(world.missed.map(\.why) == [.notStarted("no bus")])
        #expect(world.starts.last?.attempt.elapse == at(0, 6))
    }
}

struct `The queue` {
    @Test func `a thousand due at once run four at a time, in the order of their names`() {
        let names = (0..<1000).map { name("b\(String(1000 + $0).dropFirst())") }
        var world = World(names.shuffled().map { plan($0) }, maxParallel: 4)
        world.now = at(2, 30)
        world.carryOut(world.scheduler.tick(now: world.now))
        var ended = 0
        while ended < world.starts.count {
            #expect(world.starts.count - ended <= 4)
            world.reportStarted(world.starts[ended].name)
            world.end(world.starts[ended].name)
            ended += 1
        }
        #expect(world.starts.map(\.name) == names)
    }

    @Test func `the older elapse goes first`() {
        var world = World(
            [plan(name("a"), offset: .minutes(32)), plan(name("b"), offset: .minutes(31)), plan(name("c"), offset: .minutes(30))],
            maxParallel: 1)
        world.pass(to: at(0, 40))
        #expect(world.starts.map(\.name.text) == ["c"])
        world.end(name("c"))
        world.end(name("b"))
        #expect(world.starts.map(\.name.text) == ["c", "b", "a"])
    }

    @Test func `a manual run counts, but is not held back`() {
        var world = World([plan(name("a")), plan(name("b"))], maxParallel: 1)
        world.startByHand(name("a"))
        world.startByHand(name("b"))
        #expect(world.state(name("b")) == .running(since: at(0)))
        world.end(name("b"))
        world.pass(to: at(2, 30))
        #expect(world.starts.isEmpty)
        #expect(world.state(name("b")) == .queued)
        world.end(name("a"))
        #expect(world.starts.map(\.name.text) == ["b"])
    }
}

struct `Retries` {
    @Test func `a run that failed is tried again after the delay, so often and no more`() {
        var world = World([plan(retryAttempts: 2)])
        world.pass(to: at(5), ending: .failed)
        #expect(world.starts.map(\.time) == [at(2, 30), at(2, 40), at(2, 50)])
        #expect(world.triggers == [.schedule, .retry, .retry])
        #expect(world.starts.map(\.attempt.number) == [1, 2, 3])
    }

    @Test(arguments: RunResult.allCases)
    func `failed and aborted are tried again, nothing else`(result: RunResult) {
        var world = World([plan(retryAttempts: 1)])
        world.pass(to: at(5), ending: result)
        #expect(world.starts.count == (result == .failed || result == .aborted ? 2 : 1))
    }

    @Test func `what somebody stopped is not tried again`() {
        var world = World([plan(retryAttempts: 1)])
        world.pass(to: at(2, 31))
        world.end(server, .aborted, stopped: true)
        world.pass(to: at(5))
        #expect(world.starts.count == 1)
    }

    @Test func `a manual run that failed is not tried again`() {
        var world = World([plan(retryAttempts: 1)])
        world.startByHand(server)
        world.end(server, .failed)
        world.pass(to: at(2))
        #expect(world.starts.isEmpty)
    }

    @Test func `the next elapse takes the place of a retry`() {
        var world = World([plan(period: .minutes(5), offset: .zero, retryAttempts: 3)])
        world.pass(to: at(0, 5))
        world.end(server, .failed)
        world.pass(to: at(0, 20), ending: .success)
        #expect(world.triggers == [.schedule, .schedule, .schedule, .schedule])
        #expect(world.missed.isEmpty)
    }

    @Test func `a retry outlives a restart of the daemon`() {
        var world = World([plan(retryAttempts: 1)])
        world.pass(to: at(2, 35))
        world.end(server, .failed)
        world.restart(at: at(2, 36))
        world.pass(to: at(3), ending: .success)
        #expect(world.starts.map(\.time) == [at(2, 30), at(2, 45)])
    }

    @Test func `a manual run that succeeds makes the retry needless`() {
        var world = World([plan(retryAttempts: 1)])
        world.pass(to: at(2, 31))
        world.end(server, .failed)
        world.startByHand(server)
        world.end(server, .success)
        world.pass(to: at(4))
        #expect(world.starts.count == 1)
    }
}

struct `Requirements` {
    @Test func `a due backup waits for what it requires, says why, and starts when it is there`() {
        var world = World([plan(requirements: true)])
        world.pass(to: at(2, 30))
        #expect(world.checks == [server])
        world.carryOut(world.scheduler.requirementsMissing(server, why: "no network", now: world.now))
        #expect(world.state() == .waiting(why: "no network"))
        world.now = at(4)
        world.carryOut(world.scheduler.requirementsMet(server, now: world.now))
        #expect(world.checks.count == 2)
        world.carryOut(world.scheduler.requirementsMet(server, now: world.now))
        #expect(world.starts.map(\.attempt.elapse) == [at(2, 30)])
    }

    @Test func `one that waits takes no turn from the others`() {
        var world = World([plan(requirements: true), plan(client, offset: .minutes(160))], maxParallel: 1)
        world.pass(to: at(2, 30))
        world.carryOut(world.scheduler.requirementsMissing(server, why: "no network", now: world.now))
        world.pass(to: at(2, 40))
        #expect(world.starts.map(\.name) == [client])
        #expect(!World([plan()]).scheduler.hasWork)
    }

    @Test func `at the next elapse the one that waited is recorded as missed with the reason`() {
        var world = World([plan(requirements: true)])
        world.pass(to: at(2, 30))
        world.carryOut(world.scheduler.requirementsMissing(server, why: "no network", now: world.now))
        world.pass(to: at(day: 1, 2, 30))
        #expect(world.missed.map(\.why) == [.requirement("no network")])
        #expect(world.missed.map(\.elapses.latest) == [at(2, 30)])
        world.carryOut(world.scheduler.requirementsMet(server, now: world.now))
        #expect(world.starts.map(\.attempt) == [.init(elapse: at(day: 1, 2, 30), trigger: .schedule)])
    }

    @Test func `a wait outlives a restart of the daemon`() {
        var world = World([plan(requirements: true)])
        world.pass(to: at(2, 30))
        world.carryOut(world.scheduler.requirementsMissing(server, why: "no network", now: world.now))
        world.restart(at: at(4))
        world.carryOut(world.scheduler.requirementsMet(server, now: world.now))
        #expect(world.starts.map(\.attempt) == [.init(elapse: at(2, 30), trigger: .catchUp)])
    }
}

struct `Starts that are withheld` {
    @Test func `the elapse is missed with the reason, and the next one is as any`() {
        var world = World([plan(requirements: true)])
        world.pass(to: at(2, 30))
        world.carryOut(world.scheduler.startWithheld(server, why: "on battery power", now: world.now))
        #expect(world.missed.map(\.why) == [.withheld("on battery power")])
        #expect(world.state() == .idle)
        world.restart(at: at(2, 31))
        #expect(world.checks.count == 1)
        world.pass(to: at(day: 1, 2, 30))
        #expect(world.checks.count == 2)
    }

    @Test func `a retry that is withheld leaves its first run's result`() {
        var world = World([plan(retryAttempts: 1, requirements: true)])
        world.pass(to: at(2, 30))
        world.carryOut(world.scheduler.requirementsMet(server, now: world.now))
        world.end(server, .failed)
        world.pass(to: at(2, 40))
        world.carryOut(world.scheduler.startWithheld(server, why: "on battery power", now: world.now))
        #expect(world.missed.isEmpty && world.state() == .idle)
    }
}

struct `Ten thousand backups` {
    @Test func `loading looks into each calendar once, and a tick only where something is due`() {
        let looks = Looks()
        let plans = (0..<10_000).map { index in
            let next = every(.days(1), offset: .seconds(UInt64(index)))
            return SchedulePlan(name: name("b\(index)"), scheduleTexts: ["daily"]) { time in
                looks.count.add(1, ordering: .relaxed)
                return next(time)
            }
        }
        var world = World(plans, now: at(12))
        #expect(looks.count.exchange(0, ordering: .relaxed) <= plans.count)
        #expect(world.timer == at(day: 1, 0))
        world.pass(to: at(day: 1, 0, 0, 9), ending: .success)
        #expect(world.starts.count == 10)
        #expect(looks.count.load(ordering: .relaxed) <= 20 * 10)
    }

    private nonisolated final class Looks: Sendable { let count = Atomic(0) }
}

struct `Pauses` {
    @Test func `nothing starts in a pause, and its elapses are recorded once at the end`() {
        var world = World([plan()])
        world.carryOut(world.scheduler.pause(nil, now: at(1)))
        world.pass(to: at(day: 3, 9))
        #expect(world.starts.isEmpty && world.missed.isEmpty)
        #expect(world.state() == .paused(until: .never))
        world.carryOut(world.scheduler.resume(nil, now: world.now))
        #expect(world.missed == [.init(name: server, elapses: .init(latest: at(day: 3, 2, 30), count: 4), why: .paused)])
        world.pass(to: at(day: 4, 3), ending: .success)
        #expect(world.starts.map(\.attempt) == [.init(elapse: at(day: 4, 2, 30), trigger: .schedule)])
        #expect(world.missed.count == 1)
    }

    @Test func `a pause ends at its time by itself`() {
        for target in [nil, server] {
            var world = World([plan()])
            world.carryOut(world.scheduler.pause(target, until: at(day: 1, 12), now: at(1)))
            world.pass(to: at(day: 2, 3), ending: .success)
            #expect(world.missed.map(\.elapses) == [.init(latest: at(day: 1, 2, 30), count: 2)])
            #expect(world.starts.map(\.time) == [at(day: 2, 2, 30)])
        }
    }

    @Test func `a pause outlives a restart; what elapses after its end is made up for`() {
        for target in [nil, server] {
            var world = World([plan()])
            world.carryOut(world.scheduler.pause(target, until: at(day: 1, 12), now: at(1)))
            world.restart(at: at(4))
            #expect(world.state() == .paused(until: at(day: 1, 12)))
            world.restart(at: at(day: 3, 9))
            #expect(world.missed == [.init(name: server, elapses: .init(latest: at(day: 1, 2, 30), count: 2), why: .paused)])
            #expect(world.starts.map(\.attempt) == [.init(elapse: at(day: 3, 2, 30), covers: 2, trigger: .catchUp)])
        }
    }

    @Test func `a run under way goes on, and no retry follows it`() {
        var world = World([plan(retryAttempts: 1)])
        world.pass(to: at(2, 31))
        world.carryOut(world.scheduler.pause(server, now: world.now))
        #expect(world.state() == .running(since: at(2, 30)))
        world.end(server, .failed)
        world.pass(to: at(4))
        #expect(world.starts.count == 1)
    }

    @Test func `a backup paused by itself stays paused when the pause of all ends`() {
        var world = World([plan(), plan(client)])
        world.carryOut(world.scheduler.pause(server, now: at(1)))
        world.carryOut(world.scheduler.pause(nil, now: at(1)))
        world.carryOut(world.scheduler.resume(nil, now: at(2)))
        world.pass(to: at(3))
        #expect(world.starts.map(\.name) == [client])
        #expect(world.missed.isEmpty)
    }

    @Test func `what waited for its turn when the pause began is recorded with the pause`() {
        var world = World([plan(requirements: true)])
        world.pass(to: at(2, 30))
        world.carryOut(world.scheduler.requirementsMissing(server, why: "no network", now: world.now))
        world.carryOut(world.scheduler.pause(server, now: at(2, 40)))
        world.carryOut(world.scheduler.resume(server, now: at(2, 50)))
        #expect(world.missed == [.init(name: server, elapses: .init(latest: at(2, 30), count: 1), why: .paused)])
    }

    @Test func `the alarm is for the first elapse after the pause`() {
        var world = World([plan(wake: true)])
        world.carryOut(world.scheduler.pause(nil, until: at(day: 1, 12), now: at(1)))
        #expect(world.wakeTimer == at(day: 2, 2, 30))
    }
}

struct `Staleness` {
    @Test func `a backup that never ran is warned of once, counted from when it was first seen`() {
        var world = World([SchedulePlan(name: server, scheduleTexts: [], staleAfter: .days(3), nextElapse: { _ in nil })])
        world.pass(to: at(day: 2, 23))
        #expect(world.stale.isEmpty)
        world.pass(to: at(day: 9, 0))
        #expect(world.stale == [server])
        #expect(world.scheduler.standing(of: server, now: world.now)?.isStale == true)
        world.restart(at: at(day: 10, 0))
        #expect(world.stale == [server])
    }

    @Test func `a success ends the period, and the next one is warned of anew`() {
        var world = World([plan(staleAfter: .hours(30))])
        world.pass(to: at(2, 30), ending: .success)
        world.pass(to: at(day: 5, 0), ending: .failed)
        #expect(world.stale == [server])
        world.pass(to: at(day: 5, 3), ending: .warnings)
        #expect(world.scheduler.standing(of: server, now: world.now)?.isStale == false)
        world.pass(to: at(day: 9, 0), ending: .failed)
        #expect(world.stale == [server, server])
    }

    @Test func `a success without the daemon counts`() {
        var world = World([plan(staleAfter: .days(3))])
        world.runs[server] = ObservedRun(
            scheduledRun: nil, outcome: .ended(.success, at: at(day: 2, 0)))
        world.restart(at: at(day: 4, 0))
        #expect(world.stale.isEmpty)
    }
}

struct `Crashes and power loss` {
    @Test func `killed between writing down the start and asking for it, the daemon asks when it is back`() {
        var world = World([plan()])
        world.now = at(2, 30)
        let effects = world.scheduler.tick(now: world.now)
        let start = effects.firstIndex { if case .start = $0 { true } else { false } }
        world.carryOut(effects, upTo: start ?? 0)
        #expect(world.starts.isEmpty)
        world.restart(at: at(2, 30, 5))
        #expect(world.starts.map(\.attempt) == [.init(elapse: at(2, 30), trigger: .schedule)])
    }

    @Test func `a start of which nobody knows whether it was asked for is looked for, and not asked for again where it is found`() {
        for sees in ["the run", "its end"] {
            var world = World([plan()])
            world.now = at(2, 30)
            world.carryOut(world.scheduler.tick(now: world.now), starting: false)
            world.scheduler = Scheduler(settings: .init())
            world.now = at(2, 30, 1)
            world.carryOut(world.scheduler.load(world.plans, memories: world.memories, now: world.now), starting: false)
            #expect(world.finds == [server] && world.starts.count == 1)
            world.finds = []
            // systemd, asked by the daemon before, begins it only now.
            let run = RunIdentifier(high: 7, low: 7)
            if sees == "the run" { world.carryOut(world.scheduler.runStarted(server, scheduledRun: run, now: world.now)) }
            world.carryOut(world.scheduler.runEnded(server, scheduledRun: run, result: .success, now: world.now))
            world.pass(to: at(23))
            #expect(world.starts.count == 1, "\(sees)")
            #expect(world.missed.isEmpty, "\(sees)")
            #expect(world.state() == .idle, "\(sees)")
        }
    }

    @Test func `a start that nobody was asked for is one of its kind: late, it follows catch_up; in a pause, it is not made up for`() {
        for (catchUp, pauses, starts, why) in [
            (true, false, 1, nil), (false, false, 0, MissedCause.late(.notRunning)), (true, true, 0, .paused),
        ] {
            var world = World([plan(catchUp: catchUp)])
            world.now = at(2, 30)
            let effects = world.scheduler.tick(now: world.now)
            world.carryOut(effects, upTo: effects.firstIndex { if case .start = $0 { true } else { false } } ?? 0)
            world.scheduler = Scheduler(settings: .init())
            world.now = at(9)
            world.carryOut(world.scheduler.load(world.plans, memories: world.memories, now: world.now), starting: false)
            if pauses { world.carryOut(world.scheduler.pause(nil, now: world.now), starting: false) }
            #expect(world.finds == [server])
            world.finds = []
            world.carryOut(world.scheduler.startRefused(server, .unheard, now: world.now))
            #expect(world.starts.count == starts)
            #expect(world.missed.map(\.why) == (why.map { [$0] } ?? []))
        }
    }

    @Test func `a start that was given up and becomes a run after all is not made again`() {
        var world = World([plan()])
        world.carryOut(world.scheduler.tick(now: at(2, 30)), starting: false)
        world.pass(to: at(2, 30))
        guard let attempt = world.starts.last?.attempt else { return #expect(Bool(false), "nothing was started") }
        world.carryOut(world.scheduler.startRefused(server, .failed("no answer"), now: world.now))
        let run = RunIdentifier(high: 7, low: 7)
        world.carryOut(world.scheduler.runStarted(server, scheduledRun: run, mark: attempt.mark, now: world.now))
        world.carryOut(world.scheduler.runEnded(server, scheduledRun: run, mark: attempt.mark, result: .success, now: world.now))
        let known = world.starts.count
        world.pass(to: at(day: 1, 2, 29))
        #expect(world.starts.count == known)
        #expect(world.state() == .idle)
        #expect(world.missed.isEmpty)
    }

    @Test func `a run of another start does not stand for the one that was asked for`() {
        var memory = ScheduleMemory(newAt: at(0), scheduleFingerprint: plan().scheduleFingerprint)
        let asked = ScheduleMemory.Attempt(elapse: at(2, 30), trigger: .schedule)
        memory.underWay = ScheduleMemory.UnderWay(attempt: asked, previousRun: nil)
        let other = ScheduleMemory.Attempt(elapse: at(1, 30), trigger: .schedule)
        for (mark, isFound) in [(asked.mark, true), (other.mark, false)] {
            var scheduler = Scheduler(settings: .init())
            let found = ObservedRun(
                scheduledRun: RunIdentifier(high: 3, low: 3), mark: mark, outcome: .ended(.success, at: at(2, 31)))
            let effects = scheduler.load([plan()], memories: [server: memory], observed: [server: found], now: at(2, 40))
            #expect(effects.contains(.findStart(server)) == !isFound)
        }
    }

    @Test func `attempts of one backup have numbers of their own`() {
        var marks: Set<UInt64> = []
        for hour in 0..<24 {
            for number in 1...3 {
                for timesCutOff in 0...1 {
                    marks.insert(
                        ScheduleMemory.Attempt(
                            elapse: at(UInt64(hour)), covers: hour + 1, trigger: .retry, number: number, timesCutOff: timesCutOff
                        ).mark)
                }
            }
        }
        #expect(marks.count == 24 * 3 * 2)
        #expect(
            ScheduleMemory.Attempt(elapse: at(1), covers: 1, trigger: .schedule).mark
                == ScheduleMemory.Attempt(elapse: at(1), covers: 2, trigger: .catchUp).mark)
    }

    @Test func `killed after asking, the daemon takes the run up and does not ask twice`() {
        var world = World([plan()])
        world.pass(to: at(2, 30))
        world.restart(at: at(2, 31))
        #expect(world.state() == .running(since: at(2, 30)))
        world.runs[server]?.outcome = .ended(.success, at: at(2, 32))
        world.restart(at: at(2, 33))
        world.restart(at: at(2, 34))
        #expect(world.starts.count == 1)
    }

    @Test func `a run that a person stopped while the daemon was down is not tried again`() {
        var world = World([plan(retryAttempts: 1)])
        world.pass(to: at(2, 30))
        world.runs[server]?.outcome = .ended(.aborted, at: at(2, 32), stoppedOnRequest: true)
        world.restart(at: at(2, 33))
        world.pass(to: at(23))
        #expect(world.triggers == [.schedule])
    }

    @Test func `a backup that a mistake hid at the start has its memory when the mistake is mended`() {
        var world = World([plan()])
        world.carryOut(world.scheduler.pause(server, now: at(1)))
        world.scheduler = Scheduler(settings: .init())
        world.now = at(9)
        world.carryOut(world.scheduler.load([], memories: world.memories, now: world.now))
        world.now = at(10)
        world.carryOut(world.scheduler.reload(world.plans, settings: .init(), now: world.now))
        #expect(world.state() == .paused(until: .never))
        world.carryOut(world.scheduler.resume(server, now: world.now))
        #expect(world.missed.map(\.elapses.latest) == [at(2, 30)])
    }

    @Test func `a failure while the daemon is down is tried again when it is back`() {
        var world = World([plan(retryAttempts: 1)])
        world.pass(to: at(2, 30))
        world.runs[server]?.outcome = .ended(.failed, at: at(2, 32))
        world.restart(at: at(2, 33))
        world.pass(to: at(3))
        #expect(world.triggers == [.schedule, .retry])
    }

    @Test func `a run cut off by a power loss is made up for once, and not at every boot`() {
        var world = World([plan(retryAttempts: 5)])
        world.pass(to: at(2, 30))
        world.runs[server]?.outcome = .cutOff(at: at(2, 35))
        world.restart(at: at(2, 40))
        #expect(world.triggers == [.schedule, .catchUp])
        world.runs[server]?.outcome = .cutOff(at: at(2, 45))
        world.restart(at: at(2, 50))
        world.pass(to: at(5))
        #expect(world.starts.count == 2)
    }

    @Test func `a run cut off and newer elapses missed are made up for by one run`() {
        var world = World([plan()])
        world.pass(to: at(2, 30))
        world.runs[server]?.outcome = .cutOff(at: at(2, 35))
        world.restart(at: at(day: 2, 9))
        #expect(world.starts.map(\.attempt.elapse) == [at(2, 30), at(day: 2, 2, 30)])
    }

    @Test func `a manual run while the daemon is down does not hide the run before it that was asked for`() {
        var world = World([plan(catchUp: false)])
        world.pass(to: at(2, 30))
        world.runs[server]?.outcome = .ended(.success, at: at(2, 31))
        world.begin(server, isManual: true)
        world.runs[server]?.outcome = .ended(.success, at: at(2, 32))
        world.restart(at: at(2, 33))
        #expect(world.starts.count == 1 && world.missed.isEmpty)
    }

    @Test func `a manual run while the daemon is down is not taken for the one it was about to ask for`() {
        var world = World([plan()])
        world.now = at(2, 30)
        let effects = world.scheduler.tick(now: world.now)
        world.carryOut(effects, upTo: effects.firstIndex { if case .start = $0 { true } else { false } } ?? 0)
        world.runs[server] = ObservedRun(
            scheduledRun: nil, outcome: .ended(.success, at: at(2, 31)))
        world.restart(at: at(2, 32))
        #expect(world.starts.count == 1)
    }
}

struct `The clock set back` {
    @Test func `a day back runs nothing twice`() {
        var world = World([plan(period: .hours(1), offset: .zero)])
        world.pass(to: at(day: 2, 0, 30), ending: .success)
        let before = world.starts.count
        world.now = at(day: 1, 0, 30)
        world.carryOut(world.scheduler.clockChanged(now: world.now))
        #expect(world.timer == at(day: 2, 1))
        world.pass(to: at(day: 2, 1), ending: .success)
        #expect(world.starts.count == before + 1)
    }

    @Test func `a clock a year ahead and set back silences nothing`() {
        var world = World([plan()])
        world.pass(to: at(10), ending: .success)
        world.now = at(day: 365, 10)
        world.carryOut(world.scheduler.clockChanged(now: world.now))
        world.end(server)
        #expect(world.starts.count == 2)
        for restarts in [false, true] {
            var back = world
            if restarts {
                back.restart(at: at(11))
            } else {
                back.now = at(11)
                back.carryOut(back.scheduler.clockChanged(now: back.now))
            }
            #expect(back.timer == at(day: 1, 2, 30))
            back.pass(to: at(day: 400, 0), ending: .success)
            #expect(back.starts.count == 2 + 399)
        }
    }

    @Test func `set back into a gap, what was made up for is not made up for again`() {
        var world = World([plan()])
        world.pass(to: at(10), ending: .success)
        world.restart(at: at(day: 6, 10))
        world.end(server)
        world.now = at(day: 4, 10)
        world.carryOut(world.scheduler.clockChanged(now: world.now))
        #expect(world.starts.count == 2)
        world.pass(to: at(day: 7, 3), ending: .success)
        // The fifth runs; the sixth ran before the clock was set; the seventh runs.
        #expect(world.starts.dropFirst(2).map(\.attempt.elapse) == [at(day: 5, 2, 30), at(day: 7, 2, 30)])
    }

    @Test func `a board that comes up in 1970 loses nothing and doubles nothing when the time is known`() {
        var world = World([plan()])
        world.pass(to: at(10), ending: .success)
        world.restart(at: Timestamp(microseconds: 5_000_000))
        #expect(world.starts.count == 1)
        world.now = at(11)
        world.carryOut(world.scheduler.clockChanged(now: world.now))
        #expect(world.starts.count == 1)
        world.pass(to: at(day: 1, 3), ending: .success)
        #expect(world.starts.map(\.attempt.elapse) == [at(2, 30), at(day: 1, 2, 30)])
        #expect(world.missed.isEmpty)
    }

    @Test func `a start put off is not put off by the months that the clock went back`() {
        var world = World([plan(retryAttempts: 1)])
        world.pass(to: at(day: 90, 3), ending: .success)
        world.pass(to: at(day: 91, 2, 30))
        world.end(server, .failed)
        world.now = at(day: 60, 0)
        world.carryOut(world.scheduler.clockChanged(now: world.now))
        world.pass(to: at(day: 60, 0, 10))
        #expect(world.triggers.last == .retry)
    }

    @Test func `what was due by the wrong time and had not begun is due again by the right one`() {
        var world = World([plan(requirements: true)])
        world.pass(to: at(2, 30))
        world.carryOut(world.scheduler.requirementsMissing(server, why: "no network", now: world.now))
        world.now = at(1)
        world.carryOut(world.scheduler.clockChanged(now: world.now))
        #expect(world.state() == .idle)
        world.pass(to: at(2, 30))
        world.carryOut(world.scheduler.requirementsMet(server, now: world.now))
        #expect(world.starts.map(\.attempt.elapse) == [at(2, 30)])
    }
}

struct `Another configuration` {
    @Test func `a schedule that changed has missed nothing, neither by reload nor by restart`() {
        for restarts in [false, true] {
            var world = World([plan()])
            world.pass(to: at(9), ending: .success)
            world.plans = [plan(offset: .hours(8))]
            if restarts {
                world.restart(at: at(9))
            } else {
                world.carryOut(world.scheduler.reload(world.plans, settings: .init(), now: at(9)))
            }
            #expect(world.starts.count == 1)
            #expect(world.timer == at(day: 1, 8))
        }
    }

    @Test func `random_delay that changed runs nothing a second time and loses nothing`() {
        var world = World([plan(delay: .minutes(10))])
        world.pass(to: at(2, 35))
        world.carryOut(world.scheduler.reload([plan(delay: .minutes(3))], settings: .init(), now: at(2, 35)))
        #expect(world.starts.count == 1)
        world.end(server)
        world.carryOut(world.scheduler.reload([plan(delay: .minutes(30))], settings: .init(), now: at(2, 40)))
        world.pass(to: at(23), ending: .success)
        #expect(world.starts.count == 1)
    }

    @Test func `what was due and waits goes on waiting under another schedule, after a crash too`() {
        for crashes in [false, true] {
            var world = World([plan(requirements: true)])
            world.pass(to: at(2, 30))
            world.carryOut(world.scheduler.requirementsMissing(server, why: "no network", now: world.now))
            world.plans = [plan(offset: .hours(8), requirements: true)]
            world.carryOut(world.scheduler.reload(world.plans, settings: .init(), now: at(2, 40)))
            if crashes { world.restart(at: at(2, 41)) }
            world.carryOut(world.scheduler.requirementsMet(server, now: at(2, 45)))
            #expect(world.starts.map(\.attempt.elapse) == [at(2, 30)])
        }
    }

    @Test func `a backup that is gone is forgotten, after its run`() {
        var world = World([plan(), plan(client)])
        world.pass(to: at(2, 30))
        world.end(client)
        world.carryOut(world.scheduler.reload([], settings: .init(), now: at(2, 31)))
        #expect(world.forgotten == [client])
        #expect(world.scheduler.count == 1)
        world.end(server)
        #expect(world.forgotten == [client, server])
        #expect(world.scheduler.count == 0 && world.memories.isEmpty)
    }

    @Test func `another zone runs nothing that its hours would have named before`() {
        var world = World([plan()])
        world.pass(to: at(5), ending: .success)
        let west = SchedulePlan(name: server, scheduleTexts: ["every 86400000000 from 9000000000"], nextElapse: every(.days(1), offset: .minutes(270)))
        world.carryOut(world.scheduler.reload([west], settings: .init(), zoneChanged: true, now: at(5)))
        #expect(world.starts.count == 1)
        #expect(world.timer == at(day: 1, 4, 30))
    }

    @Test func `a hundred reloads under load leave as many backups and no more`() {
        var world = World((0..<50).map { plan(name("b\($0)"), period: .minutes(1), offset: .zero) }, maxParallel: 4)
        for round: UInt64 in 1...100 {
            let names = (0..<50).map { "b\(UInt64($0) + round % 7)" }
            let plans = names.map { plan(name($0), period: .minutes(1), offset: .zero) }
            world.pass(to: at(0, round))
            world.carryOut(world.scheduler.reload(plans, settings: .init(maxParallel: 4), now: world.now))
            for (name, run) in world.runs {
                if case .running = run.outcome { world.end(name) }
            }
        }
        #expect(world.scheduler.count <= 54)
        #expect(world.scheduler.entries.count <= 58)
        #expect(world.scheduler.attention.count <= world.scheduler.count)
    }
}

struct `Sleep and the schedule` {
    @Test func `nothing starts while the machine falls asleep; after it the grace is kept`() {
        var world = World([plan()])
        world.carryOut(world.scheduler.sleepBegins(now: at(2, 29)))
        world.pass(to: at(2, 30))
        #expect(world.starts.isEmpty)
        world.carryOut(world.scheduler.resumed(now: at(2, 30, 1), grace: .seconds(20)))
        #expect(world.timer == at(2, 30, 21))
        world.pass(to: at(2, 31))
        #expect(world.starts.map(\.time) == [at(2, 30, 21)])
        #expect(world.triggers == [.schedule])
    }

    @Test func `nothing starts before the machine has booted`() {
        var world = World([plan()])
        world.scheduler.boots()
        world.pass(to: at(2, 31))
        #expect(world.starts.isEmpty)
        world.carryOut(world.scheduler.booted(now: at(2, 32)))
        #expect(world.starts.count == 1)
        #expect(world.triggers == [.schedule])
    }

    @Test func `an answer that comes while the machine falls asleep starts nothing; it is asked again after`() {
        var world = World([plan(requirements: true)])
        world.pass(to: at(2, 30))
        world.carryOut(world.scheduler.sleepBegins(now: world.now))
        world.carryOut(world.scheduler.requirementsMet(server, now: world.now))
        #expect(world.starts.isEmpty)
        world.carryOut(world.scheduler.resumed(now: at(2, 31)))
        #expect(world.checks.count == 2)
        world.carryOut(world.scheduler.requirementsMet(server, now: at(2, 31)))
        #expect(world.starts.count == 1)
    }

    @Test func `a retry of a backup that wakes the machine does so too`() {
        var world = World([plan(wake: true, retryAttempts: 1), plan(client, offset: .minutes(155), wake: true)])
        world.pass(to: at(2, 30))
        world.end(server, .failed)
        #expect(world.wakeTimer == at(2, 35))
        #expect(world.scheduler.wakeStarts(by: at(2, 40)) == [server: at(2, 40), client: at(2, 35)])
        world.pass(to: at(2, 35), ending: .success)
        #expect(world.wakeTimer == at(2, 40))
    }

    @Test func `the alarm follows the earliest backup that is to wake the machine`() {
        var world = World([plan(), plan(client, offset: .hours(5), wake: true)])
        #expect(world.wakeTimer == at(5))
        world.pass(to: at(6), ending: .success)
        #expect(world.wakeTimer == at(day: 1, 5))
        world.carryOut(world.scheduler.reload([plan()], settings: .init(), now: at(6)))
        #expect(world.wakeTimer == nil)
    }
}
