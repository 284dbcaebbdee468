import Glibc
import Systemd

/// The unit that sets the hardware clock's alarm when the machine hibernates or powers off.
nonisolated enum AlarmUnit {
    private static let template = "lightsout-wakealarm@.service"

    private static func instance(for kind: SleepKind) -> String { "lightsout-wakealarm@\(kind.rawValue).service" }

    /// Where systemd looks for units, what counts first (systemd.unit(5)).
    private static let folders = [
        "/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
        "/lib/systemd/system",
    ]

    /// Why the machine will not be woken from such a sleep; nil where the unit sets the alarm, by all that can be seen
    /// beforehand.
    static func obstacle(
        to kind: SleepKind, in folders: [String] = folders, clocks: String = HardwareClock.directory
    ) -> String? {
        func file(_ name: String) -> String? { folders.map { "\($0)/\(name)" }.first(where: isThere) }
        guard let unit = file(template) else {
            return "\(template), which sets the hardware clock's alarm, is not installed"
        }
        if isMask(file(instance(for: kind)) ?? unit) {
            return "\(instance(for: kind)), which sets the hardware clock's alarm, is masked"
        }
        do throws(HardwareClock.Obstacle) {
            _ = try HardwareClock.choose(from: HardwareClock.all(in: clocks))
            return nil
        } catch { return "\(error)" }
    }

    private static func isThere(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    /// A link to /dev/null, or an empty file.
    private static func isMask(_ path: String) -> Bool {
        var status = stat()
        guard stat(path, &status) == 0 else { return true }
        return status.st_mode & S_IFMT == S_IFCHR || status.st_size == 0
    }
}
