/// What systemd says of the units that put the machine to sleep.
public enum SleepUnits {
    private static let names = ["suspend", "hibernate", "hybrid-sleep", "suspend-then-hibernate"].map { "systemd-\($0).service" }
    private static let patience: UInt64 = 2_000_000

    /// Whether an attempt to sleep since `time` failed, microseconds of CLOCK_MONOTONIC. For root; others hear no.
    public static func hasFailed(since time: UInt64) -> Bool {
        guard let bus = try? Bus.systemdItself(), let reply = try? bus.call(.systemd1, member, timeout: patience, ask) else {
            return false
        }
        return failedUnits(reply).contains { path in
            // It may have failed yesterday, and nobody has reset it.
            let change = try? bus.property(unit(path), property, "t", timeout: patience) { (message) throws(BusError) in
                try message.readUInt64()
            }
            return (change ?? 0) >= time
        }
    }

    /// Like ``hasFailed(since:)``, told from the loop.
    /// - Returns: what keeps the question alive.
    public static func findFailure(since time: UInt64, on bus: Bus, _ tell: @escaping (Bool) -> Void) throws(BusError) -> Question {
        let question = Question()
        question.slots = [
            try bus.callAsync(.systemd1, member, timeout: patience, ask) { reply in
                let paths = (try? reply.get()).map { failedUnits($0) } ?? []
                question.look(at: paths, since: time, bus, tell)
            }
        ]
        return question
    }

    /// A question to systemd that is not answered yet.
    public final class Question {
        fileprivate var slots: [BusSlot] = []

        fileprivate func look(at paths: [String], since time: UInt64, _ bus: Bus, _ tell: @escaping (Bool) -> Void) {
            guard let path = paths.first else { return tell(false) }
            let address = Bus.Address(unit(path).destination, path, "org.freedesktop.DBus.Properties")
            let slot = try? bus.callAsync(address, "Get", timeout: patience) { (message) throws(BusError) in
                try message.append("org.freedesktop.systemd1.Unit")
                try message.append(property)
            } reply: { [weak self] reply in
                let change = try? reply.get().readContainer("v", "t") { (message) throws(BusError) in try message.readUInt64() }
                if (change ?? 0) >= time { return tell(true) }
                self?.look(at: Array(paths.dropFirst()), since: time, bus, tell)
            }
            if let slot { slots.append(slot) } else { tell(false) }
        }
    }

    private static let member = "ListUnitsByPatterns"
    private static let property = "StateChangeTimestampMonotonic"

    private static func unit(_ path: String) -> Bus.Address {
        Bus.Address(Bus.Address.systemd1.destination, path, "org.freedesktop.systemd1.Unit")
    }

    private static func ask(_ message: BusMessage) throws(BusError) {
        try message.append(strings: ["failed"])
        try message.append(strings: names)
    }

    /// The objects of the units that systemd listed.
    private static func failedUnits(_ reply: BusMessage) -> [String] {
        let paths = try? reply.readArray("(ssssssouso)") { (message) throws(BusError) in
            try message.readContainer("r", "ssssssouso") { (message) throws(BusError) in
                for _ in 0..<6 { _ = try message.readString() }
                let path = try message.readObjectPath()
                _ = try message.readUInt32()
                _ = try message.readString()
                _ = try message.readObjectPath()
                return path
            }
        }
        return paths ?? []
    }
}
