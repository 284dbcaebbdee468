import CSpawn
import Glibc
import Systemd

/// What a program of ours inherits from its caller besides arguments, environment and descriptors: umask, limits, signals,
/// scheduling, timers, keyring, working directory. Each program puts it in order when it starts, so that a run in a shell does
/// the same as in its unit. What systemd has set for the unit stays as it is.
public enum ProcessStanding {
    /// The umask that scripts get: the unit's own, or 022.
    private(set) static var scriptMask: mode_t = 0o022

    /// For every program: 0, 1 and 2 are open, and children can be waited for.
    public nonisolated static func takeDescriptors() { lo_take_descriptors() }

    /// For programs that make runs, or record and hold them.
    public static func take() {
        lo_take_descriptors()
        let isByManager = self.isByManager
        let inherited = lo_take_standing(isByManager ? 1 : 0)
        if isByManager { scriptMask = inherited }
    }

    /// Whether systemd has started this very process in a unit of ours; it tells the pid (systemd.exec(5)).
    private static var isByManager: Bool {
        guard let pid = getenv("SYSTEMD_EXEC_PID"), Int32(String(cString: pid)) == getpid(), let unit = Identity.unit() else {
            return false
        }
        return unit.utf8.starts(with: "lightsout".utf8)
    }
}
