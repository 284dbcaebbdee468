import LightsOutCore
import Systemd

/// A restart of the machine that has begun, as systemd and logind show it: facts in, and out comes whether it waits for
/// running backups.
///
/// A restart that nobody sits and waits for is one that was scheduled (`shutdown -r 02:00`) or that unattended-upgrades
/// asked for. Whoever types `systemctl reboot` or switches the machine off gets it at once.
nonisolated struct MachineRestart: Hashable, Sendable {
    /// What logind has scheduled.
    struct Scheduled: Hashable, Sendable {
        /// `reboot`, `poweroff`, …
        var kind: String
        /// Microseconds since 1970; 0 for at once.
        var time: UInt64
    }

    /// The target that the machine goes to, such as `reboot.target`; nil if it is not going down.
    var target: String?
    var scheduled: Scheduled?
    /// Whether unattended-upgrades is at work or has just ended.
    var isUpgrading = false

    /// The targets that the machine comes back from by itself.
    private static let restarts: Set = ["reboot.target", "kexec.target", "soft-reboot.target"]
    /// All that end the machine or its userspace.
    private static let shutdowns = restarts.union(["poweroff.target", "halt.target", "exit.target"])

    /// The target that `jobs` lead to; nil where they are no shutdown.
    static func target(of jobs: [SystemJob]) -> String? {
        jobs.first { $0.type == "start" && shutdowns.contains($0.unit) }?.unit
    }

    /// Why the restart can wait for running backups; nil where it must not.
    func reasonToWait(now: UInt64) -> String? {
        guard let target, Self.restarts.contains(target) else { return nil }
        // One that is scheduled for later has not begun; somebody has asked for another one.
        if let scheduled, scheduled.time > 0, scheduled.time <= now { return "the restart was scheduled" }
        return isUpgrading ? "unattended-upgrades asked for the restart" : nil
    }
}

/// How long a restart that has begun still waits for the runs that are under way.
nonisolated struct RestartPatience {
    /// When the restart began, in microseconds of a clock that nobody sets.
    let began: UInt64
    /// Each backup's `reboot_wait`.
    let patience: (BackupName) -> TimeSpan

    /// The runs that are still waited for, and when the first of them has been waited for long enough; nil where none is.
    func waits(for running: [BackupName], now: UInt64) -> (backups: [BackupName], until: UInt64?)? {
        let ends = running.map { ($0, patience($0)) }.compactMap { backup, span -> (BackupName, UInt64)? in
            let (end, overflow) = began.addingReportingOverflow(span.microseconds)
            let deadline = overflow ? UInt64.max : end
            return deadline > now ? (backup, deadline) : nil
        }
        guard let first = ends.map(\.1).min() else { return nil }
        return (ends.map(\.0), first == .max ? nil : first)
    }
}
