import Glibc
import LightsOutCore
import Systemd

/// Keeps systemd from forcing a restart that waits for a backup.
///
/// `reboot.target` and its like have 30 minutes (`JobTimeoutSec=`, `JobTimeoutAction=`); then the machine restarts without
/// stopping anything. Before half of that has passed the limit is lifted, by a drop-in in /run that the restart takes away.
/// When the wait is over the limit holds again, from then on.
final class JobLimit {
    private let bus: Bus
    private let target: String
    private let log: RunLog
    private let began = Clock.boottime
    private let limit: UInt64
    private var timer: EventSource?
    private var isLifted = false

    /// - Returns: nil where the target has no limit.
    init?(_ bus: Bus, _ loop: EventLoop, target: String, log: RunLog) {
        self.bus = bus
        self.target = target
        self.log = log
        guard let limit = try? Self.limit(of: target, bus), limit != .max else { return nil }
        self.limit = limit
        timer = try? loop.after(limit / 2) { [unowned self] in lift() }
    }

    /// The limit holds again, counted from now.
    func restore() {
        timer = nil
        guard isLifted else { return }
        let seconds = (Clock.boottime - began + limit) / 1_000_000
        set("\(seconds)s")
    }

    private func lift() {
        isLifted = true
        set("infinity")
    }

    private func set(_ value: String) {
        do throws(SystemError) {
            let directory = try AtomicFile.openDirectory("/run/systemd/system/\(target).d", mode: 0o755)
            // The last name counts.
            try AtomicFile.write(
                "[Unit]\nJobTimeoutSec=\(value)\n", to: "zz-lightsout-waits.conf", below: directory, mode: 0o644, durable: false)
            do throws(BusError) { try bus.call(.systemd1, "Reload", timeout: 90_000_000) } catch {
                throw SystemError(code: EIO, operation: "reload systemd: \(error)")
            }
        } catch {
            log.write(
                .notice("could not change the time limit of \(target): \(error). systemd restarts the machine when it is over", priority: .warning))
        }
    }

    private static func limit(of target: String, _ bus: Bus) throws(BusError) -> UInt64 {
        let path = try bus.call(.systemd1, "LoadUnit", timeout: 5_000_000) { (message) throws(BusError) in
            try message.append(target)
        }.readObjectPath()
        let address = Bus.Address("org.freedesktop.systemd1", path, "org.freedesktop.systemd1.Unit")
        return try bus.property(address, "JobTimeoutUSec", "t", timeout: 5_000_000) { (message) throws(BusError) in
            try message.readUInt64()
        }
    }
}
