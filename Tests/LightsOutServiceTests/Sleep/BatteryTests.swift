import LightsOutCore
import Testing

@testable import LightsOutService

extension SleepWorld {
    /// Asleep until the alarm; on battery power, with these backups not to be woken for there.
    fileprivate mutating func wakeOnBattery(_ unpowered: Set<BackupName> = [server], at time: Timestamp = at(2, 29, 2)) {
        fallAsleep()
        set(time)
        carryOut(policy.resumed(.slept, unpowered: unpowered, now: now, boot: boot))
    }
}

struct `A machine that is woken on battery power` {
    @Test(arguments: AfterRun.allCases) func `sleeps again at once, whatever follows the backup`(after: AfterRun) {
        var world = SleepWorld(after: [server: after])
        world.wakeOnBattery()
        #expect(world.slept.isEmpty)
        world.pass(to: at(2, 29, 12))
        #expect(world.slept == [.suspend])
        #expect(world.wall.isEmpty)
        #expect(world.told(.announced)?.contains("runs on battery power") == true)
    }

    @Test func `sleeps again although the backup is due within the gap, and waits for its power`() {
        var world = SleepWorld()
        world.wakeOnBattery()
        world.carryOut(world.policy.scheduleChanged(hasWork: true, nextStart: at(2, 30), now: world.now))
        world.pass(to: at(2, 29, 12))
        #expect(world.slept == [.suspend])
    }

    @Test func `stays awake for the backup if AC power is back in time`() {
        var world = SleepWorld()
        world.wakeOnBattery()
        world.set(at(2, 29, 8))
        world.carryOut(world.policy.powerIsBack(now: world.now))
        world.pass(to: at(2, 30))
        #expect(world.slept.isEmpty)
        #expect(world.told(.cancelled)?.contains("AC power is back") == true)
        // It was woken for the backup all the same, and returns to sleep after it.
        world.want(at(day: 1, 2, 30), [server])
        world.run(server, until: at(2, 35))
        world.pass(to: at(2, 37))
        #expect(world.slept == [.suspend])
    }

    @Test func `stays awake for a backup that runs on battery power`() {
        var world = SleepWorld(after: [server: .return, client: .return])
        world.want(at(2, 30), [server, client])
        world.wakeOnBattery([client])
        world.pass(to: at(2, 30))
        #expect(world.slept.isEmpty)
    }

    @Test func `stays awake for a person who has come`() {
        var world = SleepWorld()
        world.wakeOnBattery()
        world.sessions = [UserSession(id: "9", user: "anna", isIdle: false, idleMark: 0)]
        world.pass(to: at(2, 29, 12))
        #expect(world.slept.isEmpty)
    }

    @Test func `lets a run end first`() {
        var world = SleepWorld()
        world.wakeOnBattery()
        world.run(client, until: at(2, 40))
        #expect(world.slept == [.suspend])
    }

    @Test func `stays awake where something else woke it`() {
        var world = SleepWorld()
        world.wakeOnBattery(at: at(1))
        world.pass(to: at(2))
        #expect(world.slept.isEmpty)
    }

    @Test func `says when it falls asleep that it is not woken, and why`() {
        var world = SleepWorld()
        world.carryOut(world.policy.wakeWanted(due: nil, backups: [], heldBack: server, now: world.now))
        #expect(world.alarm == nil)
        world.fallAsleep()
        #expect(world.told(.sleeping)?.contains("it runs on battery power, so server does not wake it") == true)
    }
}
