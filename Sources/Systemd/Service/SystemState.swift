/// What systemd says of the system as a whole (org.freedesktop.systemd1(5), `SystemState`).
public enum SystemState {
    /// Whether the machine is going down: a reboot, a power-off or their like is under way. For root; others hear no.
    public static var isStopping: Bool {
        guard let bus = try? Bus.systemdItself() else { return false }
        let state = try? bus.property(.systemd1, "SystemState", "s", timeout: 2_000_000) { (message) throws(BusError) in
            try message.readString()
        }
        return state == "stopping"
    }
}
