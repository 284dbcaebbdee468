import LightsOutCore
import Testing

@testable import LightsOutService

struct `Sleep when done, with others there` {
    private let bob = UserSession(id: "4", user: "bob", isIdle: false)

    @Test func `somebody else who uses the machine is told before it sleeps`() {
        var world = SleepWorld()
        world.sessions = [bob]
        world.carryOut(world.policy.request(.suspend, by: "anna", now: world.now))
        #expect(world.slept.isEmpty)
        #expect(world.wall.count == 1)
        world.pass(to: at(0, 3))
        #expect(world.slept == [.suspend])
    }

    @Test func `an announcement can be cancelled, and nothing sleeps`() {
        var world = SleepWorld()
        world.sessions = [bob]
        world.carryOut(world.policy.request(.suspend, by: "anna", now: world.now))
        world.carryOut(world.policy.cancel(by: "bob", now: world.now))
        world.pass(to: at(1))
        #expect(world.slept.isEmpty)
    }

    @Test func `somebody whose session is idle is nobody to be told`() {
        var world = SleepWorld()
        world.sessions = [UserSession(id: "4", user: "bob", isIdle: true)]
        world.carryOut(world.policy.request(.suspend, by: "anna", now: world.now))
        #expect(world.slept == [.suspend])
        #expect(world.wall.isEmpty)
    }

    // MARK: The right to it

    @Test func `a right that is gone when the backups are done ends the wish`() {
        var world = SleepWorld()
        world.carryOut(world.policy.runStarted(server, now: world.now))
        world.carryOut(world.policy.request(.suspend, by: "anna", now: world.now))
        world.permission = .denied("anna has logged out")
        world.set(at(0, 5))
        world.carryOut(world.policy.runEnded(server, now: world.now))
        world.pass(to: at(1))
        #expect(world.slept.isEmpty)
        #expect(world.disk?.request == nil)
        #expect(world.told(.staysAwake) == "the machine stays awake: anna has logged out (it was to suspend, as anna asked for when the backups are done)")
        world.permission = .granted
        world.looks()
        #expect(world.slept.isEmpty)
    }

    @Test func `a right that goes while the sleep is announced takes the announcement back`() {
        var world = SleepWorld()
        world.sessions = [bob]
        world.carryOut(world.policy.request(.poweroff, by: "anna", now: world.now))
        #expect(world.wall.count == 1)
        world.permission = .denied("anna may not have that any more")
        world.pass(to: at(1))
        #expect(world.slept.isEmpty)
        #expect(world.wall.last == "lightsout: The machine stays awake: anna may not have that any more.")
    }

    @Test func `a right that cannot be found out is asked about again, and nothing sleeps before`() {
        var world = SleepWorld()
        world.permission = .unknown("polkit does not answer")
        world.carryOut(world.policy.request(.suspend, by: "anna", now: world.now))
        world.pass(to: at(0, 1))
        #expect(world.slept.isEmpty)
        #expect(world.told(.delayed)?.contains("polkit does not answer") == true)
        world.permission = .granted
        world.pass(to: at(0, 3))
        #expect(world.slept == [.suspend])
    }

    @Test func `a sleep of the configuration's needs nobody's right`() {
        var world = SleepWorld(after: [server: .suspend])
        world.permission = .denied("nobody asked")
        world.run(server, until: at(0, 5))
        world.pass(to: at(1))
        #expect(world.slept == [.suspend])
    }

    @Test func `who asked is kept for the next daemon, and a refusal of logind's does not lose it`() {
        let asker = SleepMemory.Asker(uid: 1500, pid: 77, start: 1234, hasGivenPassword: true)
        var world = SleepWorld()
        world.carryOut(world.policy.request(.suspend, by: "anna", asker: asker, now: world.now))
        #expect(world.slept == [.suspend])
        world.carryOut(world.policy.sleepRefused("not now", now: world.now))
        #expect(world.disk?.request?.asker == asker)
    }
}
