import LightsOutCore
import Testing

@testable import LightsOutService

/// What the machine is kept awake for before a run, by the schedule: due 02:30, a lead of a minute, for 15 minutes.
@Suite struct AwaitedStartTests {
    @Test func `from the lead before an elapse until its run`() {
        var world = World([plan(wake: true)])
        #expect(world.awaited(at: at(2, 28, 59)) == [])
        #expect(world.nextChange == at(2, 29))
        #expect(world.awaited(at: at(2, 29)) == [server])
        #expect(world.due == at(2, 30))
        world.pass(to: at(2, 30))
        #expect(world.starts.count == 1)
        #expect(world.awaited() == [server])
        #expect(world.scheduler.awaitedStarts(at: world.now).starts.first?.isDue == true)
        world.reportStarted(server)
        #expect(world.awaited() == [])
        world.now = at(3)
        world.end(server)
        #expect(world.awaited() == [])
        #expect(world.nextChange == at(day: 1, 2, 29))
    }

    @Test func `a backup without wake keeps nothing awake`() {
        var world = World([plan(requirements: true)])
        world.pass(to: at(2, 30))
        #expect(world.state() == .queued)
        #expect(world.awaited() == [])
        #expect(world.nextChange == nil)
    }

    @Test func `while it waits for what it requires, wake_wait and no longer`() {
        var world = World([plan(wake: true, requirements: true)])
        world.pass(to: at(2, 30))
        world.carryOut(world.scheduler.requirementsMissing(server, why: "the disk is missing", now: world.now))
        #expect(world.awaited(at: at(2, 44, 59)) == [server])
        #expect(world.nextChange == at(2, 45))
        #expect(world.awaited(at: at(2, 45)) == [])
        // A disk that comes and goes does not begin it anew.
        world.now = at(2, 50)
        world.carryOut(world.scheduler.requirementsMet(server, now: world.now))
        world.carryOut(world.scheduler.requirementsMissing(server, why: "the disk is missing", now: world.now))
        #expect(world.awaited(at: at(2, 51)) == [])
        // The next elapse is another matter.
        #expect(world.awaited(at: at(day: 1, 2, 29, 30)) == [server])
    }

    @Test func `a start that systemd was asked for is awaited however long the disk took`() {
        var world = World([plan(wake: true, requirements: true)])
        world.pass(to: at(2, 30))
        world.carryOut(world.scheduler.requirementsMissing(server, why: "the disk is missing", now: world.now))
        #expect(world.awaited(at: at(2, 50)) == [])
        world.carryOut(world.scheduler.requirementsMet(server, now: world.now))
        world.carryOut(world.scheduler.requirementsMet(server, now: world.now))
        #expect(world.starts.count == 1)
        #expect(world.awaited(at: at(3, 4)) == [server])
    }

    @Test func `waiting for its turn does not count, and there is no gap after it`() {
        var world = World([plan(wake: true), plan(client, wake: true)], maxParallel: 1)
        world.pass(to: at(2, 30))
        world.reportStarted(client)
        #expect(world.awaited(at: at(5)) == [server])
        #expect(world.nextChange == at(day: 1, 2, 29))
        world.now = at(5)
        world.end(client)
        #expect(world.starts.map(\.name) == [client, server])
        #expect(world.awaited(at: at(5, 14)) == [server])
    }

    @Test func `the delay of a retry, where it is shorter than wake_wait`() {
        var world = World([plan(wake: true, retryAttempts: 1)])
        world.pass(to: at(2, 30))
        world.reportStarted(server)
        world.now = at(2, 50)
        world.end(server, .failed)
        #expect(world.awaited(at: at(2, 51)) == [server])
        #expect(world.due == at(3))
        world.pass(to: at(3))
        #expect(world.starts.count == 2)
        #expect(world.awaited(at: at(3, 14)) == [server])
    }

    @Test func `a retry that is farther off is awaited from its lead on`() {
        var world = World([plan(wake: true, wakeWait: .minutes(5), retryAttempts: 1)])
        world.pass(to: at(2, 30))
        world.reportStarted(server)
        world.now = at(2, 50)
        world.end(server, .failed)
        #expect(world.awaited(at: at(2, 58, 59)) == [])
        #expect(world.nextChange == at(2, 59))
        #expect(world.awaited(at: at(2, 59)) == [server])
    }

    @Test func `paused, withheld, taken out or without wake it keeps nothing awake`() {
        var world = World([plan(wake: true)])
        world.now = at(2, 29, 30)
        #expect(world.awaited() == [server])
        world.carryOut(world.scheduler.pause(server, now: world.now))
        #expect(world.awaited() == [])
        world.carryOut(world.scheduler.resume(server, now: world.now))
        #expect(world.awaited() == [server])
        world.carryOut(world.scheduler.reload([plan()], settings: .init(), now: world.now))
        #expect(world.awaited() == [])
        world.carryOut(world.scheduler.reload([plan(wake: true)], settings: .init(), now: world.now))
        #expect(world.awaited() == [server])
        world.carryOut(world.scheduler.reload([], settings: .init(), now: world.now))
        #expect(world.awaited() == [])

        world = World([plan(wake: true, requirements: true)])
        world.pass(to: at(2, 30))
        world.carryOut(world.scheduler.startWithheld(server, why: "it runs on battery power", now: world.now))
        #expect(world.awaited() == [])
    }

    @Test func `a start that systemd refuses is awaited again`() {
        var world = World([plan(wake: true)])
        world.pass(to: at(2, 30))
        world.carryOut(world.scheduler.startRefused(server, .failed("no unit"), now: world.now))
        #expect(world.awaited(at: at(2, 30, 30)) == [server])
    }

    @Test func `the time that the machine slept does not count`() {
        var world = World([plan(wake: true, requirements: true)])
        world.pass(to: at(2, 30))
        world.carryOut(world.scheduler.requirementsMissing(server, why: "the disk is missing", now: world.now))
        world.now = at(2, 40)
        world.carryOut(world.scheduler.sleepBegins(now: world.now))
        world.now = at(8)
        world.carryOut(world.scheduler.resumed(now: world.now))
        #expect(world.awaited(at: at(8, 4)) == [server])
        #expect(world.awaited(at: at(8, 6)) == [])
    }

    @Test func `what was missed while the machine was off is awaited when it is made up for`() {
        var world = World([plan(wake: true, requirements: true)])
        world.restart(at: at(9))
        #expect(world.checks == [server])
        #expect(world.awaited(at: at(9, 14)) == [server])
        #expect(world.due == at(2, 30))
        #expect(world.awaited(at: at(9, 16)) == [])
    }

    @Test func `a clock that is set back keeps it awake for no longer`() {
        var world = World([plan(wake: true, requirements: true)])
        world.pass(to: at(day: 300, 2, 30))
        world.carryOut(world.scheduler.requirementsMissing(server, why: "the disk is missing", now: world.now))
        world.now = at(1)
        world.carryOut(world.scheduler.clockChanged(now: world.now))
        #expect(world.awaited(at: at(1, 16)) == [])
    }

    @Test func `a backup of its own lead`() {
        var world = World([plan(wake: true, wakeLead: .minutes(10)), plan(client, wake: true)])
        #expect(world.awaited(at: at(2, 20)) == [server])
        #expect(world.nextChange == at(2, 29))
        #expect(world.awaited(at: at(2, 29)) == [client, server])
    }
}

extension World {
    /// - Parameter time: without an event; the world's time is that from then on.
    mutating func awaited(at time: Timestamp? = nil) -> [BackupName] {
        now = time ?? now
        return scheduler.awaitedStarts(at: now).starts.map(\.backup).sorted()
    }

    /// When what is awaited changes by itself.
    var nextChange: Timestamp? {
        mutating get { scheduler.awaitedStarts(at: now).next }
    }

    var due: Timestamp? {
        mutating get { scheduler.awaitedStarts(at: now).starts.first?.due }
    }
}
