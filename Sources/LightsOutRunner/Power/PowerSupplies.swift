public import Systemd

/// Whether the machine runs on AC power, by the kernel's power supplies (`/sys/class/power_supply`), and the watch for
/// it.
public final class PowerSupplies {
    /// Where the kernel shows them.
    public nonisolated static let directory = "/sys/class/power_supply"

    private var events: KernelEvents?

    /// - Parameter onChange: told whether the machine is on AC power, whenever a supply changes.
    public init(_ loop: EventLoop, onChange: @escaping (Bool) -> Void) throws(SystemError) {
        events = try loop.onKernelEvent(subsystem: "power_supply") { onChange(Self.isOnAC()) }
    }

    /// Whether the machine is on AC power.
    public nonisolated static func isOnAC(in directory: String = PowerSupplies.directory) -> Bool {
        PowerSupply.all(in: directory).meanMainsPower
    }
}
