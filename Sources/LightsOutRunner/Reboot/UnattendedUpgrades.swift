import Glibc
import Systemd

/// Sees whether unattended-upgrades is at work, which restarts the machine by `shutdown -r` like a person does.
///
/// It writes its stamp, calls `shutdown`, and is gone some milliseconds later. Where apt's timer runs it, its unit tells too.
enum UnattendedUpgrades {
    private static let unit = "apt-daily-upgrade.service"
    private static let stamp = "/var/lib/apt/periodic/unattended-upgrades-stamp"
    /// How long ago it may have been at work, microseconds.
    private static let recently: UInt64 = 30_000_000

    static func isAtWork(_ bus: Bus) -> Bool { isStampNew || isUnitAtWork(bus) }

    private static var isStampNew: Bool {
        var status = stat()
        guard lstat(stamp, &status) == 0 else { return false }
        let written = Int64(status.st_mtim.tv_sec) * 1_000_000 + Int64(status.st_mtim.tv_nsec) / 1000
        return (0..<Int64(recently)).contains(Clock.realtime - written)
    }

    private static func isUnitAtWork(_ bus: Bus) -> Bool {
        guard let path = try? unitPath(bus) else { return false }
        let address = Bus.Address("org.freedesktop.systemd1", path, "org.freedesktop.systemd1.Unit")
        let state = try? bus.property(address, "ActiveState", "s", timeout: 5_000_000) { (message) throws(BusError) in
            try message.readString()
        }
        if state == "activating" || state == "active" || state == "deactivating" { return true }
        let ended = try? bus.property(address, "InactiveEnterTimestampMonotonic", "t", timeout: 5_000_000) {
            (message) throws(BusError) in try message.readUInt64()
        }
        guard let ended, ended > 0 else { return false }
        return Clock.monotonic < ended + recently
    }

    private static func unitPath(_ bus: Bus) throws(BusError) -> String {
        try bus.call(.systemd1, "GetUnit", timeout: 5_000_000) { (message) throws(BusError) in try message.append(unit) }
            .readObjectPath()
    }
}
