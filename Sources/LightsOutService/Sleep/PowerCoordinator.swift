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
                carryOut(policy.powerChanged(isOnAC: isOnAC, now: daemon.now))
            }
        } catch {
            daemon.log.write(
                .notice(
                    "loss and return of AC power are not seen: \(error). Backups that wait for power start at their next time",
                    priority: .warning))
        }
        policy = PowerPolicy(rules: rules, isOnAC: PowerSupplies.isOnAC())
        daemon.requirements.powerObstacle = { [unowned self] battery in
            battery == .wait ? policy.obstacle : nil
        }
    }

    func configurationChanged() { carryOut(policy.reload(rules, now: daemon.now)) }

    /// Whether `name` may start as far as power is concerned.
    func verdict(for name: BackupName) -> PowerPolicy.Verdict { policy.verdict(for: name) }

    private var rules: [BackupName: PowerPolicy.Rule] {
        daemon.backups.mapValues { backup in
            PowerPolicy.Rule(battery: backup.settings.battery, lockOnBattery: backup.settings.lockOnBattery)
        }
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
