import LightsOutCore
import LightsOutRunner
import Systemd

/// AC power, as far as it matters to backups that are due: what a run does when power goes away, its runner sees to.
final class PowerCoordinator {
    private unowned let daemon: Daemon
    private var policy = PowerPolicy(rules: [:], isOnAC: true)
    private var supplies: PowerSupplies?
    private var timer: EventSource?

    init(_ daemon: Daemon) { self.daemon = daemon }

    /// Begins to watch the power supplies.
    func start() {
        do throws(SystemError) {
            // Watched first, read then.
            supplies = try PowerSupplies(daemon.loop) { [unowned self] isOnAC in
                powerChanged(isOnAC)
            }
        } catch {
            daemon.log.write(
                .notice(
                    "loss and return of AC power are not seen: \(error). Backups that wait for power start at their next time",
                    priority: .warning))
        }
        policy = PowerPolicy(rules: rules, isOnAC: PowerSupplies.isOnAC())
        daemon.requirements.powerObstacle = { [unowned self] battery in
            policy.obstacle(to: battery)
        }
    }

    func configurationChanged() { carryOut(policy.reload(rules, now: daemon.now)) }

    /// Whether the machine may be woken for `name` by the power that it has now.
    func mayWake(_ name: BackupName) -> Bool {
        guard policy.seesBattery, let settings = daemon.backups[name]?.settings else { return true }
        return PowerPolicy.Rule(settings).wakesOnBattery
    }

    /// Whether AC power is gone, or seems to be.
    var seesBattery: Bool { policy.seesBattery }

    /// Reads the power supplies: after a sleep, before the kernel has told what changed during it.
    func look() { powerChanged(PowerSupplies.isOnAC()) }

    private func powerChanged(_ isOnAC: Bool) {
        let before = policy.seesBattery
        carryOut(policy.powerChanged(isOnAC: isOnAC, now: daemon.now))
        if policy.seesBattery != before { daemon.sleep.powerChanged() }
    }

    /// Whether `name` may start as far as power is concerned.
    func verdict(for name: BackupName) -> PowerPolicy.Verdict { policy.verdict(for: name) }

    private var rules: [BackupName: PowerPolicy.Rule] {
        daemon.backups.mapValues { PowerPolicy.Rule($0.settings) }
    }

    private func carryOut(_ effects: [PowerEffect]) {
        for effect in effects {
            switch effect {
            case .armTimer(let time): arm(time)
            case .requirementsMet: break
            case .journal(let decision): if concernsBackups { daemon.log.write(.decision(decision)) }
            case .stop, .releaseLock, .takeLock: break
            }
        }
        daemon.recheckWaiting()
    }

    /// Power comes and goes on a laptop; it is told of where a backup runs, or goes by it.
    private var concernsBackups: Bool {
        daemon.runs.values.contains { $0.isRunning } || rules.values.contains { $0 != PowerPolicy.Rule() }
    }

    private func arm(_ time: Timestamp?) {
        timer = time.flatMap { time in
            try? daemon.loop.at(UInt64(max(0, time.microseconds)), .realtime) { [unowned self] in
                carryOut(policy.tick(now: daemon.now))
            }
        }
    }
}
