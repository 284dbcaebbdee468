import LightsOutCore
import Systemd

/// Tells when the machine has booted. A backup's start job would be part of the boot otherwise: `systemctl
/// is-system-running` would say "starting", and what waits for an idle boot would wait, for as long as the backup takes.
final class BootWatch {
    /// A boot that takes longer than this has trouble of its own; backups do not wait for it.
    static let patience = TimeSpan.minutes(2)

    private var subscriptions: [BusSlot] = []
    private var timer: EventSource?
    private var over: (() -> Void)?

    /// - Parameter over: called once, at the latest after ``patience``.
    init(_ loop: EventLoop, over: @escaping () -> Void) {
        self.over = over
        timer = try? loop.after(Self.patience.microseconds) { [unowned self] in finish() }
        if timer == nil { finish() }
    }

    /// Asks systemd, and listens to it. Without a bus the time alone decides.
    func ask(_ bus: Bus) {
        guard over != nil else { return }
        let address = Bus.Address.systemd1
        do throws(BusError) {
            // Listened first, asked then: an end in between is heard.
            let finished = try bus.matchAsync(
                SignalRule(
                    .name(address.destination), path: address.path, interface: address.interface, member: "StartupFinished")
            ) { [unowned self] _ in finish() }
            let properties = Bus.Address(address.destination, address.path, "org.freedesktop.DBus.Properties")
            let state = try bus.callAsync(properties, "Get", timeout: 10_000_000) { (message) throws(BusError) in
                try message.append(address.interface)
                try message.append("SystemState")
            } reply: { [unowned self] reply in
                let state = try? reply.get().readContainer("v", "s") { (message) throws(BusError) in
                    try message.readString()
                }
                if state != "initializing" && state != "starting" { finish() }
            }
            subscriptions = [finished, state]
        } catch { finish() }
    }

    private func finish() {
        guard let over else { return }
        self.over = nil
        timer = nil
        subscriptions = []
        over()
    }
}
