import LightsOutCore
import Testing

@testable import LightsOutService

struct `Waking the machine` {
    @Test func `the alarm is armed a lead before the due time, whenever a backup is to come`() {
        var world = SleepWorld()
        #expect(world.alarm == at(2, 29))
        world.want(at(4), [client])
        #expect(world.alarm == at(3, 59))
        world.want(nil, [])
        #expect(world.alarm == nil)
    }

    @Test func `elapsed while awake, it is armed for the due time, for a machine that falls asleep in between`() {
        var world = SleepWorld()
        world.set(at(2, 29))
        world.carryOut(world.policy.tick(now: world.now))
        #expect(world.alarm == at(2, 30))
    }

    @Test func `for a sleep that begins it is never in the past`() {
        for second: UInt64 in [10, 59] {
            var world = SleepWorld()
            world.set(at(2, 29, second))
            world.fallAsleep()
            #expect(world.alarm == at(2, 29, second) + .seconds(5))
        }
        var late = SleepWorld()
        late.set(at(2, 31))
        late.fallAsleep()
        #expect(late.alarm == at(2, 31, 5))
    }

    @Test func `falling asleep, the delay lock is let go last, and taken again on return`() {
        var world = SleepWorld()
        #expect(world.holdsDelayLock)
        let effects = world.policy.sleepBegins(.suspend, now: world.now, boot: world.boot, sessions: [])
        #expect(effects.last == .releaseDelayLock)
        #expect(effects.contains { if case .persist = $0 { true } else { false } })
        world.carryOut(effects)
        world.wake(at: at(1))
        #expect(world.holdsDelayLock)
    }

    @Test func `without a way to wake it is said once, and nothing is armed`() {
        var world = SleepWorld()
        world.carryOut(world.policy.alarmImpossible("no real-time clock", now: world.now))
        world.carryOut(world.policy.alarmImpossible("no real-time clock", now: world.now))
        #expect(world.actions == [.cannotWake])
        #expect(world.alarm == nil)
        world.fallAsleep()
        #expect(world.told(.sleeping) == "the machine suspends; lightsout cannot wake it")
        #expect(world.alarm == nil)
    }

    @Test func `the journal says when it sleeps, for what it is woken, and that it was`() {
        var world = SleepWorld()
        world.fallAsleep(.hibernate)
        #expect(world.told(.sleeping) == "the machine hibernates; lightsout wakes it at 2:29 for server, due 2:30")
        world.wake(at: at(2, 29, 20))
        #expect(world.told(.woken) == "lightsout woke the machine for server, due 2:30")
    }

    @Test func `the journal promises of each kind of sleep only what wakes the machine from it`() {
        func told(_ kind: SleepKind?) -> String? {
            var world = SleepWorld()
            world.carryOut(
                world.policy.sleepBegins(kind, now: world.now, boot: world.boot, sessions: [], offObstacle: "it has no clock"))
            return world.told(.sleeping)
        }
        let wakes = "lightsout wakes it at 2:29 for server, due 2:30"
        let unless = "\(wakes), if it is suspended then; it cannot wake it from hibernation: it has no clock"
        #expect(told(.suspend) == "the machine suspends; \(wakes)")
        #expect(told(nil) == "the machine goes to sleep; \(unless)")
        #expect(told(.hybridSleep) == "the machine goes into hybrid sleep; \(unless)")
        #expect(told(.suspendThenHibernate) == "the machine suspends, and hibernates later; \(unless)")
        #expect(told(.hibernate) == "the machine hibernates; lightsout cannot wake it from that for server: it has no clock")
    }

    @Test func `back from hibernation by an alarm that left the machine the time to go off, it was woken by lightsout`() {
        for (kind, action) in [(SleepKind.hibernate, SleepDecision.Action.woken), (.suspend, .resumed)] {
            var world = SleepWorld()
            world.set(at(2, 28, 50))
            world.fallAsleep(kind)
            world.wake(at: at(2, 33))
            #expect(world.actions == [.sleeping, action])
        }
    }

    @Test func `what the hardware clock is to be set to is the lead before the due time, whatever has elapsed`() {
        var world = SleepWorld()
        #expect(world.policy.alarm.order == WakeOrder(at: at(2, 29), due: at(2, 30), backups: [server]))
        world.set(at(2, 29, 30))
        world.carryOut(world.policy.tick(now: world.now))
        #expect(world.policy.alarm.order?.at == at(2, 29))
        world.want(nil, [])
        #expect(world.policy.alarm.order == nil)
    }

    @Test func `who woke it before the alarm, or long after, was not lightsout`() {
        for (time, words) in [(at(2, 28), "before lightsout's alarm"), (at(7), "4h 31min after lightsout's alarm")] {
            var world = SleepWorld()
            world.fallAsleep()
            world.wake(at: time)
            #expect(world.actions == [.sleeping, .resumed])
            #expect(world.told(.resumed)?.contains(words) == true)
            world.run(server, until: time + .minutes(5))
            world.pass(to: time + .hours(1))
            #expect(world.slept.isEmpty)
            #expect(world.told(.staysAwake) == "lightsout did not wake the machine for this backup; it stays awake")
        }
    }

    @Test func `a clock that was set while it slept deceives nobody`() {
        for shift: Int64 in [-3600_000_000, 3600_000_000, 86_400_000_000 * 300] {
            var world = SleepWorld()
            world.fallAsleep()
            world.set(at(2, 29, 2))
            world.now = Timestamp(microseconds: world.now.microseconds + shift)
            world.carryOut(world.policy.resumed(.slept, now: world.now, boot: world.boot))
            #expect(world.actions == [.sleeping, .woken])
        }
    }

    @Test func `two wake-ups close together are two wake-ups`() {
        var world = SleepWorld(after: [server: .return, client: .return])
        world.sleepUntilBackupEnds()
        world.pass(to: at(2, 37))
        #expect(world.slept == [.suspend])
        world.want(at(3), [client])
        world.fallAsleep()
        #expect(world.alarm == at(2, 59))
        world.wake(at: at(2, 59, 1))
        world.run(client, until: at(3, 1))
        world.pass(to: at(3, 4))
        #expect(world.slept == [.suspend, .suspend])
    }

    @Test func `a return from a sleep that was not announced says so`() {
        var world = SleepWorld()
        world.wake(at: at(1))
        #expect(world.actions == [.resumed])
    }

    @Test func `a daemon that was killed before the sleep arms its alarm when it is back`() {
        var world = SleepWorld()
        world.restart()
        #expect(world.alarm == at(2, 29))
    }

    @Test func `a daemon that was killed while the machine slept knows that it was woken`() {
        var world = SleepWorld()
        world.fallAsleep()
        world.set(at(2, 29, 2))
        world.restart()
        #expect(world.actions.last == .woken)
        world.want(at(day: 1, 2, 30), [server])
        world.run(server, until: at(2, 35))
        world.restart()
        world.pass(to: at(2, 40))
        #expect(world.slept == [.suspend])
    }

    @Test func `a daemon that was killed during the run puts the machine back to sleep`() {
        var world = SleepWorld()
        world.fallAsleep()
        world.wake(at: at(2, 29, 2))
        world.want(at(day: 1, 2, 30), [server])
        world.carryOut(world.policy.runStarted(server, now: world.now))
        world.restart(running: [server])
        world.set(at(2, 35))
        world.carryOut(world.policy.runEnded(server, now: world.now))
        world.pass(to: at(2, 38))
        #expect(world.slept == [.suspend])
    }
}
