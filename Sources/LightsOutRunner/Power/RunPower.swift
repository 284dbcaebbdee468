public import LightsOutCore
import Systemd

/// Follows AC power for one run, with or without a daemon: has it stopped, or its lock let go and taken again, as
/// `battery` and `lock_on_battery` say.
final class RunPower {
    private let loop: EventLoop
    private let log: RunLog
    private let lock: StandbyLock
    private let stop: (String) -> Void
    private var policy: PowerPolicy
    private var supplies: PowerSupplies?
    private var timer: EventSource?

    /// - Parameter stop: ends the run, for that reason.
    /// - Throws: ``SystemError`` where power cannot be watched.
    init(
        _ name: BackupName, _ rule: PowerPolicy.Rule, loop: EventLoop, lock: StandbyLock, log: RunLog,
        stop: @escaping (String) -> Void
    ) throws(SystemError) {
        self.loop = loop
        self.log = log
        self.lock = lock
        self.stop = stop
        policy = PowerPolicy(rules: [name: rule], isOnAC: true)
        // Watched first, read then.
        supplies = try PowerSupplies(loop) { [unowned self] isOnAC in
            carryOut(policy.powerChanged(isOnAC: isOnAC, now: Self.now))
        }
        policy = PowerPolicy(rules: [name: rule], isOnAC: PowerSupplies.isOnAC())
        carryOut(policy.runStarted(name))
    }

    private static var now: Timestamp { Timestamp(microseconds: Clock.realtime) }

    private func carryOut(_ effects: [PowerEffect]) {
        for effect in effects {
            switch effect {
            case .armTimer(let time): arm(time)
            case .stop(_, let why): stop(why)
            case .releaseLock: lock.letGo()
            case .takeLock: lock.takeAgain()
            case .requirementsMet: break
            // That power comes and goes is for the daemon to tell; what the run does about it is told here.
            case .journal(let decision): if decision.backup != nil { log.write(.decision(decision)) }
            }
        }
    }

    /// By a clock that nobody sets: the time until then is what counts.
    private func arm(_ time: Timestamp?) {
        timer = time.flatMap { time in
            try? loop.after(time.since(Self.now).microseconds) { [unowned self] in carryOut(policy.tick(now: time)) }
        }
    }
}

extension PowerPolicy.Rule {
    public nonisolated init(_ settings: BackupSettings) {
        self.init(
            battery: settings.battery, lockOnBattery: settings.lockOnBattery, wakesOnACOnly: settings.wakePolicy == .ac)
    }
}
