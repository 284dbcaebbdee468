import LightsOutCore
import Testing

@testable import LightsOutService

/// The alarm for a backup that is due, has not begun, and whose machine is put to sleep all the same.
@Suite struct OverdueWakeTests {
    private static func asleep(
        at time: Timestamp, lead: TimeSpan = .minutes(1), next: Timestamp? = nil, overdue: Timestamp? = at(2, 30)
    ) -> SleepWorld {
        var world = SleepWorld(wake: false)
        world.set(time)
        world.carryOut(
            world.policy.wakeWanted(
                due: next, backups: next == nil ? [] : [client], lead: lead, overdue: overdue.map { ($0, [server]) },
                now: world.now))
        world.fallAsleep()
        return world
    }

    @Test func `stands a minute after it fell asleep`() {
        let world = Self.asleep(at: at(2, 33), next: at(day: 1, 2, 30))
        #expect(world.alarm == at(2, 34))
        #expect(world.disk?.asleep?.backups == [server])
        #expect(world.disk?.asleep?.due == at(2, 30))
        #expect(world.journal.last?.message.contains("lightsout wakes it at 2:34 for server, due 2:30") == true)
    }

    @Test func `stands sooner where the lead is shorter, but never too soon for the hardware`() {
        #expect(Self.asleep(at: at(2, 33), lead: .seconds(10)).alarm == at(2, 33, 10))
        #expect(Self.asleep(at: at(2, 33), lead: .zero).alarm == at(2, 33, 5))
        #expect(Self.asleep(at: at(2, 33), lead: .hours(1)).alarm == at(2, 34))
    }

    @Test func `an alarm that comes before it is for both`() {
        let world = Self.asleep(at: at(2, 33), next: at(2, 34, 30))
        #expect(world.alarm == at(2, 33, 30))
        #expect(world.disk?.asleep?.backups == [server, client])
    }

    @Test func `is not set for what is not due, nor where none can be`() {
        #expect(Self.asleep(at: at(2, 33), next: at(3), overdue: nil).alarm == at(2, 59))
        var world = SleepWorld(wake: false)
        world.carryOut(world.policy.alarmImpossible("it has no clock", now: world.now))
        world.carryOut(world.policy.wakeWanted(due: nil, backups: [], overdue: (at(2, 30), [server]), now: world.now))
        world.fallAsleep()
        #expect(world.alarm == nil)
    }

    @Test(arguments: [(TimeSpan.minutes(1), 60), (.hours(1), 60), (.seconds(10), 10), (.zero, 5)])
    func `stands while the machine is awake too, for a sleep that nobody announces`(lead: TimeSpan, respite: Int) throws {
        var world = SleepWorld(wake: false)
        world.set(at(2, 30))
        world.carryOut(world.policy.wakeWanted(due: at(2, 50), backups: [client], lead: lead, overdue: (at(2, 30), [server]), now: world.now))
        for second in stride(from: Int64(0), to: 600, by: 1) {
            world.pass(to: at(2, 30) + TimeSpan.seconds(UInt64(second)))
            // Far enough ahead for the kernel to suspend, and near enough.
            let ahead = try #require(world.alarm).microseconds - world.now.microseconds
            #expect(ahead > 2_000_000 && ahead <= Int64(respite) * 1_000_000, "\(second): \(ahead)")
        }
        #expect(world.journal == [] && world.slept == [])
        world.carryOut(world.policy.wakeWanted(due: at(2, 50), backups: [client], lead: .minutes(1), now: world.now))
        #expect(world.alarm == at(2, 49))
    }

    @Test func `stands for what comes first, and nowhere beyond the clock`() {
        var world = SleepWorld(wake: false)
        world.set(at(2, 30))
        world.carryOut(world.policy.wakeWanted(due: at(2, 31, 20), backups: [client], lead: .minutes(1), overdue: (at(2, 30), [server]), now: world.now))
        #expect(world.alarm == at(2, 30, 20))
        world.carryOut(world.policy.wakeWanted(due: nil, backups: [], lead: .minutes(1), overdue: (at(2, 30), [server]), now: world.now))
        #expect(world.alarm == at(2, 31))
        // The clock is set back by an hour.
        world.set(at(1, 30))
        world.carryOut(world.policy.clockChanged(now: world.now))
        #expect(world.alarm == at(1, 31))
        world.carryOut(world.policy.alarmImpossible("it has no clock", now: world.now))
        #expect(world.alarm == nil)
        #expect(world.timer == nil)
    }

    @Test func `a machine that it woke was woken by lightsout, and goes back after the backup`() {
        var world = Self.asleep(at: at(2, 33))
        world.wake(at: at(2, 34, 2))
        world.carryOut(world.policy.wakeWanted(due: at(day: 1, 2, 30), backups: [server], now: world.now))
        world.run(server, until: at(2, 40))
        world.pass(to: at(2, 45))
        #expect(world.slept == [.suspend])
    }

    @Test func `a due backup that waits keeps the machine from its return until it is not waited for any more`() {
        var world = SleepWorld()
        world.fallAsleep()
        world.wake(at: at(2, 29, 2))
        world.carryOut(world.policy.scheduleChanged(hasWork: true, nextStart: nil, now: world.now))
        world.pass(to: at(2, 50))
        #expect(world.slept == [])
        world.carryOut(world.policy.scheduleChanged(hasWork: false, nextStart: nil, now: world.now))
        world.pass(to: at(2, 55))
        #expect(world.slept == [.suspend])
    }
}
