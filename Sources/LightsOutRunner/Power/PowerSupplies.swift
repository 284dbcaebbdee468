import Glibc
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

    /// Whether the machine is on AC power: a mains or USB supply is online, or no battery of the machine's own
    /// discharges. A machine without a battery is on AC power.
    public nonisolated static func isOnAC(in directory: String = PowerSupplies.directory) -> Bool {
        var discharges = false
        for name in DirectoryEntries.names(in: directory) {
            func attribute(_ attribute: String) -> String? {
                // Some say ENODEV while the device goes away: then it says nothing.
                guard let file = try? Descriptor.open("\(directory)/\(name)/\(attribute)", O_RDONLY),
                    let bytes = try? file.readAll(limit: 128)
                else { return nil }
                return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
            }
            // A mouse's battery is not the machine's.
            guard attribute("scope") != "Device" else { continue }
            switch attribute("type") {
            case "Mains", "USB":
                // USB says 2 for a supply whose voltage can be set.
                if let online = attribute("online"), online != "0" { return true }
            case "Battery":
                if attribute("present") != "0", attribute("status") == "Discharging" { discharges = true }
            default: break
            }
        }
        // Where no supply is online, only a battery that discharges tells: desktops have USB ports that are "offline".
        return !discharges
    }
}
