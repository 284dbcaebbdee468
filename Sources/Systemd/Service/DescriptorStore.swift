/// What the service manager has of our unit's descriptor store (`NFileDescriptorStore`, org.freedesktop.systemd1(5)). It answers
/// nothing to what is put there, and drops what exceeds `FileDescriptorStoreMax=` without a word to us.
public enum DescriptorStore {
    private static let ownUnit = Bus.Address(
        "org.freedesktop.systemd1", "/org/freedesktop/systemd1/unit/self", "org.freedesktop.DBus.Properties")

    /// Asks how many descriptors there are. All that was sent before counts: the manager reads that first.
    /// - Parameter answer: told the number; nil where the manager does not answer.
    public static func count(_ bus: Bus, _ answer: @escaping (UInt32?) -> Void) throws(BusError) -> BusSlot {
        try bus.callAsync(ownUnit, "Get", timeout: 5_000_000) { (message) throws(BusError) in
            try message.append("org.freedesktop.systemd1.Service")
            try message.append("NFileDescriptorStore")
        } reply: { reply in
            answer(
                try? reply.get().readContainer("v", "u") { (message) throws(BusError) in try message.readUInt32() })
        }
    }
}
