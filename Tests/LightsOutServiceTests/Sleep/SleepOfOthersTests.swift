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
}
