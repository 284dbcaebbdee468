import Glibc
public import LightsOutCore
public import Systemd

/// Holds a restart of the machine until the backups that run have ended: what `lightsout-reboot.service` does when it is
/// stopped.
///
/// The unit is stopped before anything else is, so that during the wait the machine works as before: mounts, network,
/// databases, sessions. A restart that does not wait goes on at once.
public final class RestartHold {
    private let directories: Directories
    private let log = RunLog(isUnit: true)
    private let loop: EventLoop
    private let bus: Bus
    private let began = Clock.boottime
    private lazy var patience = RestartPatience(began: began, patience: rebootWait())
    private var jobLimit: JobLimit?

    public init(_ directories: Directories) throws(SystemError) {
        self.directories = directories
        loop = try EventLoop()
        bus = try Bus.systemdItself()
    }

    /// Returns when the restart may go on.
    public func perform() throws(SystemError) {
        guard let target = MachineRestart.target(of: (try? SystemJob.all(bus)) ?? []) else { return }
        let restart = MachineRestart(
            target: target, scheduled: Self.scheduledShutdown(), isUpgrading: UnattendedUpgrades.isAtWork(bus))
        guard let reason = restart.reasonToWait(now: UInt64(Clock.realtime)), let first = runsToAwait() else { return }
        let names = first.backups.map { $0.text }.joined(separator: ", ")
        log.write(
            .notice(
                "the machine restarts when \(names) is over: \(reason). To restart now: lightsout stop \(first.backups[0])",
                priority: .warning))
        ServiceManager.status("The machine restarts when \(names) is over")
        jobLimit = JobLimit(bus, loop, target: target, log: log)
        try wait()
        jobLimit?.restore()
        log.write(.notice("the machine restarts: no backup is waited for any longer", priority: .notice))
    }

    private func wait() throws(SystemError) {
        // Watched first, looked at then: an end in between is seen.
        let watch = try loop.onChange(of: directories.runtime, UInt32(IN_MODIFY | IN_CLOSE_WRITE)) { _ in }
        while let running = runsToAwait() {
            let now = Clock.boottime
            let timer = try running.until.map { (end) throws(SystemError) in
                try loop.after(end > now ? end - now : 0) {}
            }
            try loop.runOnce(timeout: .max)
            withExtendedLifetime(timer) {}
        }
        withExtendedLifetime(watch) {}
    }

    private func runsToAwait() -> (backups: [BackupName], until: UInt64?)? {
        let running = RunExclusion.backups(inRuntimeDirectory: directories.runtime).filter {
            RunExclusion.look(at: $0, runtimeDirectory: directories.runtime).isHeld
        }
        return patience.waits(for: running.sorted { $0.text < $1.text }, now: Clock.boottime)
    }

    private func rebootWait() -> (BackupName) -> TimeSpan {
        let configuration = AcceptedConfiguration(directories).read() ?? ConfigurationLoader.load(directories)
        return { backup in
            switch configuration.lookUp(backup) {
            case .named(let backup): backup.rebootWait
            case .unnamed(let defaults): defaults.rebootWait
            case .refused: BackupSettings().rebootWait
            }
        }
    }

    /// What logind has scheduled, or does at once.
    private static func scheduledShutdown() -> MachineRestart.Scheduled? {
        guard let bus = try? Bus.system() else { return nil }
        return try? bus.property(.login1, "ScheduledShutdown", "(st)", timeout: 5_000_000) { (message) throws(BusError) in
            try message.readContainer("r", "st") { (message) throws(BusError) in
                MachineRestart.Scheduled(kind: try message.readString(), time: try message.readUInt64())
            }
        }
    }
}
