/// A job in systemd's queue (`ListJobs()` of org.freedesktop.systemd1(5)).
public nonisolated struct SystemJob: Hashable, Sendable {
    public let unit: String
    /// `start`, `stop`, `restart`, …
    public let type: String
    /// The job's object on the bus.
    public let path: String

    public init(unit: String, type: String, path: String = "/") {
        self.unit = unit
        self.type = type
        self.path = path
    }

    /// Every job that systemd has now.
    @MainActor public static func all(_ bus: Bus, timeout: UInt64 = 5_000_000) throws(BusError) -> [SystemJob] {
        try bus.call(.systemd1, "ListJobs", timeout: timeout).readArray("(usssoo)") { (message) throws(BusError) in
            try message.readContainer("r", "usssoo") { (message) throws(BusError) in
                _ = try message.readUInt32()
                let unit = try message.readString()
                let type = try message.readString()
                _ = try message.readString()
                let path = try message.readObjectPath()
                _ = try message.readObjectPath()
                return SystemJob(unit: unit, type: type, path: path)
            }
        }
    }
}
