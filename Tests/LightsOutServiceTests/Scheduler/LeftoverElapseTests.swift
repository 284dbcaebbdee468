import LightsOutCore
import Testing

@testable import LightsOutService

/// An elapse that comes when the script of the run has ended, and processes that it left behind keep the run going.
@Suite("Elapses while a script's leftovers run")
struct LeftoverElapseTests {
    private func running(_ plan: SchedulePlan, maxParallel: Int = 0) -> World {
        var world = World([plan], maxParallel: maxParallel)
        world.startByHand(server)
        return world
    }

    private func scriptEnds(_ world: inout World) {
        world.carryOut(world.scheduler.scriptEnded(server, now: world.now))
    }

    @Test func `it follows the run, once, however many there were`() {
        var world = running(plan(period: .hours(1), offset: .zero))
        world.now = at(0, 30)
        scriptEnds(&world)
        for hour: UInt64 in 1...3 {
            world.now = at(hour)
            world.carryOut(world.scheduler.tick(now: world.now))
        }
        #expect(world.missed.isEmpty)
        #expect(world.following.map(\.latest) == [at(1), at(2), at(3)])
        #expect(world.starts.isEmpty)
        world.now = at(3, 10)
        world.end(server)
        #expect(world.starts.map(\.attempt) == [.init(elapse: at(3), covers: 3, trigger: .catchUp)])
        world.end(server)
        #expect(world.starts.count == 1)
    }

    @Test func `an elapse before the script's end is missed as ever`() {
        var world = running(plan(period: .hours(1), offset: .zero))
        world.now = at(1, 10)
        scriptEnds(&world)
        #expect(world.missed.map(\.elapses.latest) == [at(1)])
        #expect(world.following.isEmpty)
    }

    @Test func `without catch_up it is recorded as missed, with the reason`() {
        var world = running(plan(catchUp: false))
        scriptEnds(&world)
        world.now = at(2, 30)
        world.carryOut(world.scheduler.tick(now: world.now))
        world.end(server)
        #expect(world.missed.map(\.why) == [.duringLeftovers])
        #expect(world.starts.isEmpty)
    }

    @Test func `it takes the place of a retry of the run`() {
        var world = World([plan(period: .hours(1), offset: .zero, retryAttempts: 3)])
        world.now = at(1)
        world.carryOut(world.scheduler.tick(now: world.now))
        world.reportStarted(server)
        scriptEnds(&world)
        world.now = at(2)
        world.carryOut(world.scheduler.tick(now: world.now))
        world.end(server, .failed)
        #expect(world.starts.map(\.attempt.elapse) == [at(1), at(2)])
        #expect(world.starts.last?.attempt.number == 1)
    }

    @Test func `a daemon that comes back knows that only leftovers run`() {
        var world = running(plan())
        scriptEnds(&world)
        world.now = at(2, 30)
        world.carryOut(world.scheduler.tick(now: world.now))
        var scheduler = Scheduler()
        world.now = at(2, 40)
        world.runs[server]?.outcome = .running(since: at(0), scriptHasEnded: true)
        world.carryOut(
            scheduler.load([plan()], memories: world.memories, observed: world.runs, pausedUntil: nil, now: world.now))
        world.scheduler = scheduler
        #expect(world.missed.isEmpty)
        world.end(server)
        #expect(world.starts.map(\.attempt.elapse) == [at(2, 30)])
    }

    @Test func `it waits for its turn like any other`() {
        var world = World([plan(), plan(client, offset: .minutes(1))], maxParallel: 1)
        world.startByHand(server)
        scriptEnds(&world)
        world.now = at(0, 1)
        world.carryOut(world.scheduler.tick(now: world.now))
        world.now = at(2, 30)
        world.carryOut(world.scheduler.tick(now: world.now))
        world.end(server)
        #expect(world.starts.map(\.name) == [client])
        world.reportStarted(client)
        world.end(client)
        #expect(world.starts.map(\.name) == [client, server])
    }

    @Test func `the next run is a run like any other`() {
        var world = running(plan(period: .hours(1), offset: .zero))
        scriptEnds(&world)
        world.now = at(0, 30)
        world.end(server)
        world.startByHand(server)
        world.now = at(1)
        world.carryOut(world.scheduler.tick(now: world.now))
        #expect(world.missed.map(\.why) == [.duringRun(since: at(0, 30))])
    }
}
