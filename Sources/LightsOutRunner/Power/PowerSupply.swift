import Systemd

/// One power supply as the kernel describes it, reduced to what tells mains power from battery power
/// (ABI/testing/sysfs-class-power and sysfs-class-typec in the kernel's documentation).
nonisolated struct PowerSupply: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        case mains
        /// A USB port or a wireless charger: it may feed the machine, or be fed by it.
        case port
        case battery
        /// An uninterruptible power supply that feeds the machine.
        case ups
    }

    /// The direction in which a USB Type-C port carries power.
    enum Role: Hashable, Sendable {
        /// The port feeds another device, such as a phone.
        case source
        /// The port feeds this machine.
        case sink
    }

    var kind: Kind
    var isOnline = false
    var isDischarging = false
    /// The roles of the Type-C ports that the supply belongs to; empty where the kernel does not say.
    var roles: Set<Role> = []
}

nonisolated extension [PowerSupply] {
    /// Whether the machine runs on mains power.
    ///
    /// An online mains supply decides, as in systemd's `ConditionACPower=`. A port counts only if it can feed the
    /// machine, and a battery that discharges is better evidence than a port that says "online": a port that feeds a
    /// phone says so too. A machine that no battery or UPS feeds is on mains power.
    var meanMainsPower: Bool {
        if contains(where: { $0.kind == .ups && $0.isDischarging }) { return false }
        if contains(where: { $0.kind == .mains && $0.isOnline }) { return true }
        guard contains(where: { $0.kind == .battery && $0.isDischarging }) else { return true }
        // A weak charger on a machine that only has USB ports: it feeds the machine, and the battery helps it.
        let hasMains = contains { $0.kind == .mains }
        return !hasMains && contains { $0.kind == .port && $0.isOnline && $0.roles == [.sink] }
    }
}

// MARK: - Reading

nonisolated extension PowerSupply {
    /// Reads the supplies below `directory`. One that says nothing, because it is going away, is left out.
    static func all(in directory: String) -> [PowerSupply] {
        DirectoryEntries.names(in: directory).compactMap { PowerSupply(at: "\(directory)/\($0)") }
    }

    /// - Returns: nil for what does not feed the machine, such as the battery of a mouse.
    private init?(at path: String) {
        guard Self.attribute("scope", at: path) != "Device", let type = Self.attribute("type", at: path),
            let kind = Kind(type: type)
        else { return nil }
        self.kind = kind
        isOnline = Self.attribute("online", at: path).map { $0 != "0" } ?? false
        isDischarging =
            Self.attribute("present", at: path) != "0" && Self.attribute("status", at: path) == "Discharging"
        if kind == .port { roles = Self.roles(at: path + "/device/typec") }
    }

    /// The roles of the ports in `directory`; a port writes the role that it has in brackets: `source [sink]`.
    private static func roles(at directory: String) -> Set<Role> {
        var roles: Set<Role> = []
        for name in DirectoryEntries.names(in: directory) {
            switch attribute("power_role", at: "\(directory)/\(name)") {
            case "source", "[source]", "[source] sink": roles.insert(.source)
            case "sink", "[sink]", "source [sink]": roles.insert(.sink)
            default: break
            }
        }
        return roles
    }

    /// nil where there is no such attribute, or the device goes away (ENODEV).
    private static func attribute(_ name: String, at path: String) -> String? { Descriptor.firstLine(of: "\(path)/\(name)") }
}

nonisolated extension PowerSupply.Kind {
    /// - Parameter type: the kernel's word. Older kernels have a word for each kind of USB charger.
    init?(type: String) {
        switch type {
        case "Mains": self = .mains
        case "Battery": self = .battery
        case "UPS": self = .ups
        case "Wireless", "BrickID": self = .port
        case _ where type.utf8.starts(with: "USB".utf8): self = .port
        default: return nil
        }
    }
}
