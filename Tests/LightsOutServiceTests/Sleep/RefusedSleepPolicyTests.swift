import LightsOutCore
import Testing

@testable import LightsOutService

/// What the policy makes of a sleep that lightsout's lock refused. It is 02:30 and `server` runs until 03:00.
@Suite struct RefusedSleepPolicyTests {
    private static let anna = UserSession(id: "3", user: "anna", isIdle: true, idleMark: 7)

    private static func refused(
        _ kind: SleepKind = .suspend, locks: [BlockLock] = [], after: AfterRefused = .sleep
    ) -> SleepWorld {
        var world = SleepWorld(after: [:], wake: false)
        world.policy.settings.afterRefused = after
        world.sessions = [anna]
        world.set(at(2, 30))
        world.carryOut(world.policy.runStarted(server, now: world.now))
        world.set(at(2, 40))
        world.carryOut(world.policy.refused(kind, locks: locks, sessions: world.sessions, now: world.now))
        world.locks = locks
        return world
    }

    private static func end(_ world: inout SleepWorld) {
        world.pass(to: at(3))
        world.carryOut(world.policy.runEnded(server, now: world.now))
        world.pass(to: at(3, 5))
    }

    @Test(arguments: [SleepKind.suspend, .hibernate, .hybridSleep, .suspendThenHibernate])
    func `it sleeps that way when the run is over, after an announcement`(kind: SleepKind) {
        var world = Self.refused(kind)
        #expect(world.slept == [])
        Self.end(&world)
        #expect(world.slept == [kind])
        #expect(world.wall.first?.contains("as was wanted at 2:40, when lightsout's lock stood against it") == true)
    }

    @Test func `who became active since keeps it awake`() {
        var world = Self.refused()
        world.sessions[0].isIdle = false
        world.sessions[0].idleMark = 8
        Self.end(&world)
        #expect(world.slept == [])
    }

    @Test func `who asks again is not the one who stands against it`() {
        var world = Self.refused()
        world.sessions[0].idleMark = 9
        world.carryOut(world.policy.refused(.suspend, locks: [], sessions: world.sessions, now: world.now))
        Self.end(&world)
        #expect(world.slept == [.suspend])
    }

    @Test func `who asked while he used it is waited for until he is idle`() {
        var world = Self.refused()
        world.sessions[0].isIdle = false
        world.carryOut(world.policy.refused(.suspend, locks: [], sessions: world.sessions, now: world.now))
        Self.end(&world)
        #expect(world.slept == [])
        world.sessions[0].isIdle = true
        world.pass(to: at(3, 10))
        #expect(world.slept == [.suspend])
    }

    @Test func `another's lock at that time made it none of ours`() {
        var world = Self.refused(locks: [BlockLock(what: ["sleep"], who: "film", why: "shown")])
        world.locks = []
        Self.end(&world)
        #expect(world.slept == [])
        // One that is about something else does not.
        world = Self.refused(locks: [BlockLock(what: ["shutdown"], who: "apt", why: "upgrades")])
        Self.end(&world)
        #expect(world.slept == [.suspend])
    }

    @Test func `a machine that sleeps meanwhile has had it`() {
        var world = Self.refused()
        world.fallAsleep()
        world.wake(at: at(2, 50))
        Self.end(&world)
        #expect(world.slept == [])
    }

    @Test func `it outlives a restart of the daemon`() {
        var world = Self.refused()
        world.restart(running: [server])
        Self.end(&world)
        #expect(world.slept == [.suspend])
        #expect(world.wall.first?.contains("as was wanted at 2:40") == true)
        // Once: it is forgotten before logind is asked.
        #expect(world.disk?.refused == nil)
        world.restart()
        world.pass(to: at(3, 20))
        #expect(world.slept == [.suspend])
    }

    @Test func `it is tried again after a restart when logind declined it`() {
        var world = Self.refused()
        Self.end(&world)
        world.carryOut(world.policy.sleepRefused("busy", now: world.now))
        #expect(world.disk?.refused?.kind == .suspend)
        world.restart()
        world.pass(to: at(3, 20))
        #expect(world.slept == [.suspend, .suspend])
    }

    @Test(arguments: [true, false]) func `who came before or after the restart keeps it awake`(isBefore: Bool) {
        var world = Self.refused()
        if isBefore { world.sessions[0].idleMark = 8 }
        world.restart(running: [server])
        world.sessions[0].idleMark = 8
        Self.end(&world)
        #expect(world.slept == [])
        #expect(world.disk?.refused == nil)
    }

    @Test(arguments: ["cancelled", "slept", "falls asleep", "switched off", "rebooted", "replaced"])
    func `a restart brings back nothing that is over`(how: String) {
        var world = Self.refused()
        #expect(world.disk?.refused?.at == at(2, 40))
        switch how {
        case "cancelled": world.carryOut(world.policy.cancel(by: "root", now: world.now))
        case "slept":
            world.fallAsleep()
            #expect(world.disk?.refused == nil)
            world.wake(at: at(2, 50))
        case "switched off": world.policy.settings.afterRefused = .nothing
        case "replaced": world.carryOut(world.policy.request(.hibernate, by: "root", now: world.now))
        default: break
        }
        world.restart(running: [server], isPreparingForSleep: how == "falls asleep", boot: how == "rebooted" ? "another" : "boot")
        if how == "falls asleep" { world.wake(at: at(2, 50)) }
        Self.end(&world)
        #expect(world.slept == (how == "replaced" ? [.hibernate] : []))
    }

    @Test func `it can be switched off, and cancelled`() {
        var world = Self.refused(after: .nothing)
        Self.end(&world)
        #expect(world.slept == [])
        world = Self.refused()
        world.carryOut(world.policy.cancel(by: "root", now: world.now))
        Self.end(&world)
        #expect(world.slept == [])
    }

    @Test func `a wish that stands already stays as it is`() {
        var world = Self.refused()
        world.carryOut(world.policy.request(.hibernate, by: "root", now: world.now))
        world.carryOut(world.policy.refused(.suspend, locks: [], sessions: world.sessions, now: world.now))
        Self.end(&world)
        #expect(world.slept == [.hibernate])
    }
}
