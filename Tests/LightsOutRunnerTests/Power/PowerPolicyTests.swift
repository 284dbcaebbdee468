import LightsOutCore
import Testing

@testable import LightsOutRunner

nonisolated private let server = backup("server")
nonisolated private let client = backup("client")

nonisolated private func backup(_ text: String) -> BackupName {
    do { return try BackupName(text) } catch { fatalError("\(error)") }
}

nonisolated private func at(_ hour: UInt64, _ minute: UInt64 = 0, _ second: UInt64 = 0) -> Timestamp {
    Timestamp(microseconds: 20_780 * 86_400_000_000) + .hours(hour) + .minutes(minute) + .seconds(second)
}

/// Power effects without the journal's sentences.
private func deeds(_ effects: [PowerEffect]) -> [PowerEffect] {
    effects.filter { if case .journal = $0 { false } else { true } }
}

private func policy(_ rule: PowerPolicy.Rule, isOnAC: Bool = true) -> PowerPolicy {
    PowerPolicy(rules: [server: rule], isOnAC: isOnAC)
}

struct `Battery power` {
    @Test func `at the start, each policy does what it says`() {
        for (battery, isOnAC, verdict) in [
            (BatteryPolicy.run, true, PowerPolicy.Verdict.start), (.wait, true, .start), (.abort, true, .start),
            (.run, false, .start), (.wait, false, .wait("the machine runs on battery power")),
            (.abort, false, .refuse("the machine runs on battery power, and \"battery\" is \"abort\"")),
        ] {
            var power = policy(.init(battery: battery), isOnAC: isOnAC)
            #expect(power.verdict(for: server) == verdict)
        }
    }

    @Test func `a backup without a rule starts`() {
        var power = PowerPolicy(rules: [:], isOnAC: false)
        #expect(power.verdict(for: client) == .start)
    }

    @Test func `what waits starts when power is back, once`() {
        var power = policy(.init(battery: .wait), isOnAC: false)
        _ = power.verdict(for: server)
        #expect(deeds(power.powerChanged(isOnAC: true, now: at(1))) == [.requirementsMet(server)])
        _ = power.powerChanged(isOnAC: false, now: at(2))
        #expect(deeds(power.powerChanged(isOnAC: true, now: at(3))) == [.armTimer(nil)])
    }

    @Test(arguments: [BatteryPolicy.wait, .abort])
    func `what is due while a loss settles waits, and starts if power comes back`(battery: BatteryPolicy) {
        var power = policy(.init(battery: battery))
        _ = power.powerChanged(isOnAC: false, now: at(1))
        #expect(power.verdict(for: server) == .wait("the machine runs on battery power"))
        #expect(power.powerChanged(isOnAC: true, now: at(1, 0, 5)) == [.requirementsMet(server), .armTimer(nil)])
        #expect(power.verdict(for: server) == .start)
    }

    @Test func `what is to abort is refused when the loss has settled`() {
        var power = policy(.init(battery: .abort))
        _ = power.powerChanged(isOnAC: false, now: at(1))
        _ = power.verdict(for: server)
        _ = power.tick(now: at(1, 0, 10))
        #expect(power.obstacle(to: .abort) == nil)
        #expect(power.verdict(for: server) == .refuse("the machine runs on battery power, and \"battery\" is \"abort\""))
    }

    @Test func `a loss counts after it has settled, and stops a run that is to abort, once`() {
        var power = policy(.init(battery: .abort))
        _ = power.runStarted(server)
        #expect(power.powerChanged(isOnAC: false, now: at(1)) == [.armTimer(at(1, 0, 10))])
        #expect(power.powerChanged(isOnAC: false, now: at(1, 0, 5)).isEmpty)
        #expect(power.tick(now: at(1, 0, 9)).isEmpty)
        let effects = power.tick(now: at(1, 0, 10))
        #expect(deeds(effects) == [.stop(server, why: "the machine lost AC power, and \"battery\" is \"abort\""), .armTimer(nil)])
        #expect(effects.count == 4)
        #expect(power.tick(now: at(2)).isEmpty)
    }

    @Test func `power that is gone for a moment changes nothing`() {
        var power = policy(.init(battery: .abort))
        _ = power.runStarted(server)
        _ = power.powerChanged(isOnAC: false, now: at(1))
        #expect(power.powerChanged(isOnAC: true, now: at(1, 0, 3)) == [.armTimer(nil)])
        #expect(power.tick(now: at(1, 0, 10)).isEmpty)
    }

    @Test func `a run that waits for power at its start goes on when power goes`() {
        var power = policy(.init(battery: .wait))
        _ = power.runStarted(server)
        _ = power.powerChanged(isOnAC: false, now: at(1))
        #expect(deeds(power.tick(now: at(1, 0, 10))) == [.armTimer(nil)])
    }

    @Test func `without lock_on_battery the lock is let go on battery power and taken again on AC power`() {
        var power = policy(.init(battery: .run, lockOnBattery: false))
        _ = power.runStarted(server)
        _ = power.powerChanged(isOnAC: false, now: at(1))
        #expect(deeds(power.tick(now: at(1, 0, 10))).contains(.releaseLock(server)))
        #expect(deeds(power.powerChanged(isOnAC: true, now: at(2))) == [.takeLock(server)])
    }

    @Test func `a run that begins on battery power without a lock is told so at once`() {
        var power = policy(.init(battery: .run, lockOnBattery: false), isOnAC: false)
        #expect(deeds(power.runStarted(server)) == [.releaseLock(server)])
        _ = power.runEnded(server)
        #expect(deeds(power.powerChanged(isOnAC: true, now: at(2))).isEmpty)
    }

    @Test func `another configuration holds for what runs`() {
        var power = policy(.init(), isOnAC: false)
        _ = power.runStarted(server)
        #expect(deeds(power.reload([server: .init(lockOnBattery: false)], now: at(1))) == [.releaseLock(server)])
        #expect(deeds(power.reload([server: .init()], now: at(1))) == [.takeLock(server)])
    }

    @Test func `a loss that settles is not put off by a clock that is set`() {
        var power = policy(.init())
        _ = power.powerChanged(isOnAC: false, now: at(30 * 24))
        #expect(power.clockChanged(now: at(0)) == [.armTimer(at(0, 0, 10))])
    }
}
