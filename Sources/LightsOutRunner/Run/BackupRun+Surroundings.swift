import Glibc
import LightsOutCore
import Systemd

// What a run follows besides its script: AC power, sleep, the reports of the script.

extension BackupRun {
    /// Why the run is not begun without AC power; nil where it may. The daemon asks before it starts a run; this is
    /// for those that a person starts. A configuration that cannot be read is dealt with later.
    var powerObstacle: String? {
        guard !PowerSupplies.isOnAC() else { return nil }
        let settings: BackupSettings
        switch configuration().lookUp(name) {
        case .named(let backup): settings = backup.settings
        case .unnamed(let defaults): settings = defaults
        case .refused: return nil
        }
        var policy = PowerPolicy(rules: [name: PowerPolicy.Rule(settings)], isOnAC: false)
        switch policy.verdict(for: name) {
        case .start: return nil
        case .wait(let why): return "\(why), and \"battery\" is \"wait\""
        case .refuse(let why): return why
        }
    }

    /// Sees to what the run does when AC power goes away and comes back, where that is anything.
    func followPower(_ lock: StandbyLock) {
        let rule = PowerPolicy.Rule(backup.settings)
        guard rule.battery == .abort || rule.battery == .run && !rule.lockOnBattery else { return }
        do throws(SystemError) {
            power = try RunPower(name, rule, loop: loop, lock: lock, log: log) { [unowned self] why in
                beginStop(.asked(why, byManager: false))
            }
        } catch {
            log.write(
                .notice(
                    "loss of AC power is not seen: \(error). The run goes on without regard to it", backup: name,
                    run: run, priority: .warning))
        }
    }

    /// Sees what the lock could not prevent.
    func watchSleep(_ lock: StandbyLock) {
        sleepWatch = RunSleepWatch(lock, loop: loop) { [unowned self] text in
            isNews = true
            log.write(.notice(text, backup: name, run: run, priority: .warning))
        }
    }

    /// Opens the way for the script's reports. Without one the run is the same, and what it reports is not heard.
    func hearReports(of user: User) {
        do throws(SystemError) {
            reports = try RunReports(name, run, runtimeDirectory: directories.runtime, user: user, loop: loop)
        } catch {
            log.write(.notice("what its script reports cannot be heard: \(error)", backup: name, run: run, priority: .warning))
        }
    }
}
