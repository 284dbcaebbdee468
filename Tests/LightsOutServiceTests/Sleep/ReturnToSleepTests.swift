import LightsOutCore
import Testing

@testable import LightsOutService

struct `Return to sleep` {
    @Test(arguments: [SleepKind.suspend, .hibernate, .hybridSleep, .suspendThenHibernate])
    func `after the backup it was woken for, it sleeps the way it slept before`(kind: SleepKind) {
        var world = SleepWorld()
        world.sleepUntilBackupEnds(kind)
        #expect(world.actions == [.sleeping, .woken, .announced])
        #expect(world.wall.first?.hasSuffix("To cancel it: lightsout sleep --cancel") == true)
        #expect(world.timer == at(2, 37))
        world.pass(to: at(2, 37))
        #expect(world.slept == [kind])
        #expect(world.actions.last == .requested)
    }

    @Test func `a run of a backup that it was not woken for is no reason`() {
        var world = SleepWorld(after: [server: .return, client: .return])
        world.fallAsleep()
        world.wake(at: at(2, 29, 2))
        world.run(client, until: at(2, 31))
        #expect(world.told(.staysAwake) != nil)
        #expect(world.wall.isEmpty)
    }

    @Test func `it waits for all the backups that it was woken for`() {
        var world = SleepWorld(after: [server: .return, client: .return])
        world.want(at(2, 30), [server, client])
        world.sleepUntilBackupEnds()
        #expect(world.wall.isEmpty)
        world.run(client, until: at(2, 36))
        world.pass(to: at(2, 39))
        #expect(world.slept == [.suspend])
        #expect(world.told(.requested)?.contains("client and server") == true)
    }

    @Test func `it waits for another backup that runs`() {
        var world = SleepWorld()
        world.carryOut(world.policy.runStarted(client, now: world.now))
        world.sleepUntilBackupEnds()
        #expect(world.told(.delayed)?.contains("client is still running") == true)
        #expect(world.timer == nil)
        world.set(at(4))
        world.carryOut(world.policy.runEnded(client, now: world.now))
        world.pass(to: at(4, 2))
        #expect(world.slept == [.suspend])
    }

    @Test func `it waits for a backup that is due within the gap, and not for one after it`() {
        for (minute, sleeps) in [(UInt64(44), false), (46, true)] {
            var world = SleepWorld()
            world.carryOut(world.policy.scheduleChanged(hasWork: false, nextStart: at(2, minute), now: world.now))
            world.sleepUntilBackupEnds()
            #expect(world.actions.last == (sleeps ? .announced : .delayed))
        }
    }

    @Test func `one that comes into the gap while it is announced puts it off`() {
        var world = SleepWorld()
        world.carryOut(world.policy.scheduleChanged(hasWork: false, nextStart: at(2, 46), now: world.now))
        world.sleepUntilBackupEnds()
        world.pass(to: at(2, 38))
        #expect(world.slept.isEmpty)
        #expect(world.told(.cancelled)?.contains("a backup is due at 2:46") == true)
    }

    @Test func `it waits for a start that is about to come`() {
        var world = SleepWorld()
        world.carryOut(world.policy.scheduleChanged(hasWork: true, nextStart: nil, now: world.now))
        world.sleepUntilBackupEnds()
        #expect(world.told(.delayed)?.contains("a backup is about to start") == true)
    }

    @Test func `it waits for the lock of another program and looks again every minute`() {
        var world = SleepWorld()
        world.locks = [BlockLock(what: ["sleep", "idle"], who: "packagekitd", why: "Update")]
        world.sleepUntilBackupEnds()
        #expect(world.told(.delayed)?.contains("\"packagekitd\" forbids it: \"Update\"") == true)
        #expect(world.timer == at(2, 36))
        world.pass(to: at(3))
        #expect(world.slept.isEmpty)
        #expect(world.actions.filter { $0 == .delayed }.count == 1)
        world.locks = []
        world.pass(to: at(3, 4))
        #expect(world.slept == [.suspend])
    }

    @Test func `a lock on something else does not hold it up`() {
        var world = SleepWorld()
        world.locks = [BlockLock(what: ["shutdown", "handle-power-key"], who: "x", why: "y")]
        world.sleepUntilBackupEnds()
        #expect(world.actions.last == .announced)
    }

    @Test func `a lock taken in the last second puts it off`() {
        var world = SleepWorld()
        world.sleepUntilBackupEnds()
        world.pass(to: at(2, 36, 59))
        world.locks = [BlockLock(what: ["sleep"], who: "packagekitd", why: "Update")]
        world.pass(to: at(2, 37))
        #expect(world.slept.isEmpty)
        #expect(world.told(.cancelled)?.contains("packagekitd") == true)
        world.locks = []
        world.pass(to: at(2, 45))
        #expect(world.slept == [.suspend])
    }

    @Test func `a user who logs in one second before it cancels it for good`() {
        for remote in [nil, "192.0.2.7"] {
            var world = SleepWorld()
            world.sleepUntilBackupEnds()
            world.pass(to: at(2, 36, 59))
            world.sessions = [UserSession(id: "9", user: "anna", remoteHost: remote, isIdle: false)]
            world.pass(to: at(2, 37))
            #expect(world.slept.isEmpty)
            #expect(world.told(.cancelled)?.contains("anna (session 9\(remote.map { ", from \($0)" } ?? "")) has logged in") == true)
            world.sessions = []
            world.pass(to: at(9))
            #expect(world.slept.isEmpty)
        }
    }

    @Test func `a user who logged in while the backup ran keeps it awake`() {
        var world = SleepWorld()
        world.fallAsleep()
        world.wake(at: at(2, 29, 2))
        world.sessions = [UserSession(id: "9", user: "anna", isIdle: true)]
        world.run(server, until: at(2, 35))
        #expect(world.actions.last == .staysAwake)
        world.pass(to: at(9))
        #expect(world.slept.isEmpty)
    }

    @Test func `an idle session that was there before is no reason to stay awake`() {
        var world = SleepWorld()
        world.sessions = [anna]
        world.sleepUntilBackupEnds()
        world.pass(to: at(2, 40))
        #expect(world.slept == [.suspend])
    }

    @Test func `an idle session that becomes active cancels it, even if it is idle again at the next look`() {
        for isIdle in [true, false] {
            var world = SleepWorld()
            world.sessions = [anna]
            world.sleepUntilBackupEnds()
            world.sessions[0].isIdle = isIdle
            world.sessions[0].idleMark = 99
            world.looks()
            #expect(world.told(.cancelled)?.contains("anna (session 3) has become active") == true)
        }
    }

    @Test func `a desktop put to sleep in use is waited for until it counts as idle`() {
        var world = SleepWorld()
        world.sessions = [UserSession(id: "3", user: "anna", isIdle: false, idleMark: 10)]
        world.sleepUntilBackupEnds()
        #expect(world.told(.delayed)?.contains("does not count as idle yet") == true)
        world.sessions = [UserSession(id: "3", user: "anna", isIdle: true, idleMark: 20)]
        world.pass(to: at(2, 40))
        #expect(world.slept == [.suspend])
    }

    @Test func `somebody can cancel it`() {
        var world = SleepWorld()
        world.sleepUntilBackupEnds()
        world.carryOut(world.policy.cancel(by: "anna", now: at(2, 36)))
        #expect(world.told(.cancelled)?.contains("anna cancelled it") == true)
        #expect(world.wall.count == 2)
        world.pass(to: at(9))
        #expect(world.slept.isEmpty)
        let told = world.journal.count
        world.carryOut(world.policy.cancel(by: "anna", now: world.now))
        #expect(world.journal.count == told)
    }

    @Test func `a backup that does not begin is waited for as long as the gap`() {
        var world = SleepWorld()
        world.fallAsleep()
        world.wake(at: at(2, 29, 2))
        world.want(at(day: 1, 2, 30), [server])
        #expect(world.timer == at(2, 40))
        world.pass(to: at(2, 43))
        #expect(world.told(.delayed)?.contains("server did not begin within 10min") == true)
        #expect(world.slept == [.suspend])
    }

    @Test func `somebody else is faster: the wish is gone with that sleep`() {
        var world = SleepWorld()
        world.sleepUntilBackupEnds()
        world.set(at(2, 36))
        world.fallAsleep()
        world.wake(at: at(7))
        world.pass(to: at(9))
        #expect(world.slept.isEmpty)
    }

    @Test func `a clock set while it is announced neither cuts it short nor puts it off`() {
        for time in [at(day: 300, 0), at(0)] {
            var world = SleepWorld()
            world.sleepUntilBackupEnds()
            world.now = time
            world.carryOut(world.policy.clockChanged(now: time))
            #expect(world.timer == time + .minutes(2))
        }
    }

    @Test func `a backup with nothing to follow leaves the machine awake`() {
        var world = SleepWorld(after: [:])
        world.sleepUntilBackupEnds()
        world.pass(to: at(9))
        #expect(world.slept.isEmpty && world.wall.isEmpty)
    }
}

struct `A sleep that fails` {
    @Test func `it is tried again after a minute, three times in all, and then the machine stays awake`() {
        var world = SleepWorld()
        world.sleepUntilBackupEnds()
        world.pass(to: at(2, 37))
        for attempt in 1...3 {
            #expect(world.slept.count == attempt)
            world.fallAsleep()
            world.wake(at: world.now + .seconds(3), .failed("systemd-suspend.service: timeout"))
            #expect(world.told(.failed)?.contains("systemd-suspend.service: timeout") == true)
            world.pass(to: world.now + .minutes(5))
        }
        world.pass(to: at(9))
        #expect(world.slept.count == 3)
        #expect(world.told(.failed)?.contains("after 3 attempts it stays awake") == true)
        #expect(world.disk?.woken == nil)
    }

    @Test func `logind's refusal counts like a failure`() {
        var world = SleepWorld()
        world.sleepUntilBackupEnds()
        world.pass(to: at(2, 37))
        world.carryOut(world.policy.sleepRefused("Operation inhibited by \"x\"", now: world.now))
        #expect(world.told(.failed)?.contains("logind refused it") == true)
        #expect(world.timer == at(2, 38))
        world.locks = [BlockLock(what: ["sleep"], who: "x", why: "y")]
        world.pass(to: at(2, 50))
        #expect(world.slept.count == 1)
        world.locks = []
        world.pass(to: at(2, 55))
        #expect(world.slept.count == 2)
    }

    @Test func `a failure of somebody else's sleep is told and nothing more`() {
        var world = SleepWorld()
        world.fallAsleep()
        world.wake(at: at(0, 0, 5), .failed("no swap"))
        #expect(world.actions == [.sleeping, .failed])
        world.pass(to: at(2))
        #expect(world.slept.isEmpty)
    }
}

struct `Sleep after any run` {
    @Test(arguments: [(AfterRun.suspend, SleepKind.suspend), (.hibernate, .hibernate), (.poweroff, .poweroff)])
    func `it comes whoever woke the machine, with an announcement`(after: AfterRun, kind: SleepKind) {
        var world = SleepWorld(after: [server: after])
        world.run(server, until: at(0, 5))
        #expect(world.actions == [.announced])
        world.pass(to: at(0, 7))
        #expect(world.slept == [kind])
    }

    @Test func `not where somebody is at the machine`() {
        var world = SleepWorld(after: [server: .poweroff])
        world.sessions = [UserSession(id: "3", user: "anna", isIdle: false, idleMark: 10)]
        world.looks()
        world.run(server, until: at(0, 5))
        #expect(world.told(.staysAwake)?.contains("anna (session 3) does not count as idle yet") == true)
        world.pass(to: at(1))
        #expect(world.slept.isEmpty)
    }

    @Test func `power off heeds locks on shutdown, not on sleep`() {
        for (what, waits) in [("shutdown", true), ("sleep", false)] {
            var world = SleepWorld(after: [server: .poweroff])
            world.locks = [BlockLock(what: [what], who: "x", why: "y")]
            world.run(server, until: at(0, 5))
            #expect(world.actions == [waits ? .delayed : .announced])
        }
    }

    @Test func `of two wishes the farther-reaching wins`() {
        for order in [[server, client], [client, server]] {
            var world = SleepWorld(after: [server: .poweroff, client: .suspend])
            for name in order { world.carryOut(world.policy.runStarted(name, now: world.now)) }
            for name in order { world.carryOut(world.policy.runEnded(name, now: world.now)) }
            world.pass(to: at(0, 10))
            #expect(world.slept == [.poweroff])
        }
    }
}

struct `Sleep when done` {
    @Test func `it comes as soon as the running backups are over, without an announcement`() {
        var world = SleepWorld()
        world.carryOut(world.policy.runStarted(server, now: world.now))
        world.carryOut(world.policy.request(.hibernate, by: "anna", now: world.now))
        #expect(world.told(.whenDone) == "anna wants the machine to hibernate when the backups are done")
        #expect(world.policy.outlook == "the machine hibernates, as anna asked for when the backups are done; not yet: server is still running")
        world.set(at(1))
        world.carryOut(world.policy.runEnded(server, now: world.now))
        #expect(world.slept == [.hibernate])
    }

    @Test func `with nothing running it comes at once, and who asks for it may be at the machine`() {
        var world = SleepWorld()
        world.sessions = [UserSession(id: "3", user: "anna", isIdle: false)]
        world.carryOut(world.policy.request(.suspend, by: "anna", now: world.now))
        #expect(world.slept == [.suspend])
    }

    @Test func `it waits for the locks of others`() {
        var world = SleepWorld()
        world.locks = [BlockLock(what: ["sleep"], who: "x", why: "y")]
        world.carryOut(world.policy.request(.suspend, by: "anna", now: world.now))
        #expect(world.slept.isEmpty)
        world.locks = []
        world.pass(to: at(0, 1))
        #expect(world.slept == [.suspend])
    }

    @Test func `it outlives a restart of the daemon, and can be cancelled after it`() {
        for cancels in [false, true] {
            var world = SleepWorld()
            world.carryOut(world.policy.runStarted(server, now: world.now))
            world.carryOut(world.policy.request(.suspend, by: "anna", now: world.now))
            world.restart(running: [server])
            if cancels { world.carryOut(world.policy.cancel(by: "bert", now: world.now)) }
            world.carryOut(world.policy.runEnded(server, now: world.now))
            #expect(world.slept == (cancels ? [] : [.suspend]))
            #expect(world.disk?.request == nil)
        }
    }

    @Test func `it is forgotten before it is asked for: a machine powered off does not power off when it is up`() {
        var world = SleepWorld()
        let effects = world.policy.request(.poweroff, by: "anna", now: world.now)
        world.carryOut(effects)
        #expect(world.slept == [.poweroff])
        #expect(world.disk?.request == nil)
    }

    @Test func `a reboot makes it void, and says so`() {
        var world = SleepWorld()
        world.carryOut(world.policy.runStarted(server, now: world.now))
        world.carryOut(world.policy.request(.poweroff, by: "anna", now: world.now))
        world.restart(boot: "another")
        #expect(world.slept.isEmpty)
        #expect(world.told(.cancelled)?.contains("it was rebooted meanwhile") == true)
        #expect(world.disk?.request == nil)
    }

    @Test func `the request that fails is tried again`() {
        var world = SleepWorld()
        world.carryOut(world.policy.request(.suspend, by: "anna", now: world.now))
        world.carryOut(world.policy.sleepRefused("busy", now: world.now))
        #expect(world.disk?.request != nil)
        world.pass(to: at(0, 1))
        #expect(world.slept.count == 2)
    }

    @Test func `a sleep by hand when nothing runs does what was asked for`() {
        var world = SleepWorld()
        world.locks = [BlockLock(what: ["sleep"], who: "x", why: "y")]
        world.carryOut(world.policy.request(.suspend, by: "anna", now: world.now))
        world.fallAsleep()
        world.locks = []
        world.wake(at: at(1))
        world.pass(to: at(2))
        #expect(world.slept.isEmpty)
    }
}
