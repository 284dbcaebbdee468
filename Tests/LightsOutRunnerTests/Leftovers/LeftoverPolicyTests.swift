import LightsOutCore
import LightsOutRunner
import Testing

/// What becomes of processes that a script leaves behind, by the clock alone.
@Suite("What a script leaves behind")
struct LeftoverPolicyTests {
    private static let second: UInt64 = 1_000_000

    private func policy(
        _ rule: LeftoversPolicy, timeout: TimeSpan = .hours(1), stopTimeout: TimeSpan = .seconds(90)
    ) -> LeftoverPolicy { LeftoverPolicy(rule: rule, timeout: timeout, stopTimeout: stopTimeout) }

    @Test func `the run tells of them after a minute, and ends them at the limit`() {
        var policy = policy(.wait)
        #expect(policy.scriptEnded(now: 0) == [.note, .arm(60 * Self.second)])
        #expect(policy.scriptEnded(now: 1) == [], "it is told once")
        #expect(policy.tick(now: 59 * Self.second) == [.arm(60 * Self.second)])
        #expect(policy.tick(now: 60 * Self.second) == [.tell, .arm(3600 * Self.second)])
        #expect(policy.tick(now: 3600 * Self.second) == [.terminate, .arm(3690 * Self.second)])
        #expect(policy.isEnding)
        #expect(policy.tick(now: 3690 * Self.second) == [.kill])
    }

    @Test func `a limit below a minute tells of them before it ends them`() {
        var policy = policy(.wait, timeout: .seconds(5))
        #expect(policy.scriptEnded(now: 0) == [.note, .arm(5 * Self.second)])
        #expect(policy.tick(now: 5 * Self.second) == [.tell, .terminate, .arm(95 * Self.second)])
    }

    @Test func `without a limit the run waits for ever`() {
        var policy = policy(.wait, timeout: .infinity)
        #expect(policy.scriptEnded(now: 0) == [.note, .arm(60 * Self.second)])
        #expect(policy.tick(now: 60 * Self.second) == [.tell])
    }

    @Test func `kill ends them at once, with SIGTERM first`() {
        var policy = policy(.kill)
        #expect(policy.scriptEnded(now: 0) == [.note, .terminate, .arm(90 * Self.second)])
        var hurried = self.policy(.kill, stopTimeout: .zero)
        #expect(hurried.scriptEnded(now: 0) == [.note, .terminate, .kill])
        var patient = self.policy(.kill, stopTimeout: .infinity)
        #expect(patient.scriptEnded(now: 0) == [.note, .terminate])
    }

    @Test func `detach ends the run, and waits where they cannot be moved`() {
        var policy = policy(.detach)
        #expect(policy.scriptEnded(now: 0) == [.note, .detach, .arm(60 * Self.second)])
        var failed = policy
        #expect(policy.detached() == [.abandon])
        #expect(policy.tick(now: 60 * Self.second) == [])
        #expect(failed.detachFailed(now: 0) == [.tell, .arm(3600 * Self.second)])
    }

    @Test func `a process that SIGKILL does not end holds the run up for ten seconds`() {
        var policy = policy(.wait)
        // Also while the script itself is being killed.
        #expect(policy.killed(now: 0) == [.arm(Self.second)])
        #expect(policy.tick(now: Self.second) == [.look])
        #expect(policy.seen(areAllStuck: true, now: Self.second) == [.arm(10 * Self.second)])
        #expect(policy.tick(now: 10 * Self.second) == [.look])
        #expect(policy.seen(areAllStuck: true, now: 10 * Self.second) == [.abandon])
        #expect(policy.killed(now: 11 * Self.second) == [])
    }

    @Test func `a process that takes its time to die is waited for`() {
        var policy = policy(.wait)
        _ = policy.killed(now: 0)
        #expect(policy.seen(areAllStuck: false, now: 10 * Self.second) == [.arm(11 * Self.second)])
        #expect(policy.seen(areAllStuck: false, now: 60 * Self.second) == [.arm(61 * Self.second)])
    }

    @Test func `a stop sends its own signals`() {
        var policy = policy(.wait)
        _ = policy.scriptEnded(now: 0)
        policy.stopBegan()
        #expect(policy.tick(now: 3600 * Self.second) == [])
        #expect(policy.killed(now: 3601 * Self.second) == [.arm(3602 * Self.second)])
    }
}
