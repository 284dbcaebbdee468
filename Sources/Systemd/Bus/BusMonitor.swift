import CSystemd
import Glibc

/// A connection that gets copies of other programs' messages, as `busctl monitor` does (BecomeMonitor of the D-Bus
/// specification; root only). It answers nothing and is addressed by nobody.
public final class BusMonitor {
    /// A message that others exchanged. The bus daemon vouches for both names.
    public struct Sighting {
        public enum Kind: Hashable, Sendable {
            case call(member: String)
            /// The answer to the call with the serial `to` of the message's destination.
            case error(name: String, to: UInt64)
        }

        public let kind: Kind
        /// Unique names, as `:1.42`. Of a call the destination may be a well-known name.
        public let sender: String
        public let destination: String
        /// The sender's number of the message.
        public let serial: UInt64
    }

    private let handle: OwnedHandle
    private var filter: BusSlot?

    /// Begins to watch; nothing waits for the bus daemon's consent.
    /// - Parameters:
    ///   - rules: match rules of the messages to be seen; any of them is enough.
    ///   - onMessage: called from `loop` for each.
    /// - Throws: ``SystemError`` where there is no connection to be had.
    public init(
        _ rules: [String], loop: EventLoop, onMessage: @escaping (Sighting) -> Void
    ) throws(SystemError) {
        var raw: OpaquePointer?
        try check(sd_bus_new(&raw), "make a connection to the system bus")
        handle = try OwnedHandle(raw, "make a connection to the system bus", release: sd_bus_flush_close_unref)
        sd_bus_set_exit_on_disconnect(handle.raw, 0)
        let address = getenv("DBUS_SYSTEM_BUS_ADDRESS").map { String(cString: $0) } ?? "unix:path=/run/dbus/system_bus_socket"
        try check(sd_bus_set_address(handle.raw, address), "connect to the system bus")
        try check(sd_bus_set_bus_client(handle.raw, 1), "connect to the system bus")
        // It must never answer what it only overhears.
        try check(sd_bus_set_monitor(handle.raw, 1), "watch the system bus")
        try check(sd_bus_start(handle.raw), "connect to the system bus")
        do throws(BusError) {
            filter = try addFilter(onMessage)
            try becomeMonitor(rules)
        } catch { throw SystemError(code: EIO, operation: "watch the system bus: \(error)") }
        try check(sd_bus_attach_event(handle.raw, loop.raw, 0), "attach the bus to the event loop")
    }

    /// Ends it; to be called before its last reference goes.
    public func close() {
        sd_bus_detach_event(handle.raw)
        sd_bus_close(handle.raw)
    }

    private func addFilter(_ onMessage: @escaping (Sighting) -> Void) throws(BusError) -> BusSlot {
        let box = Handler(onMessage)
        var slot: OpaquePointer?
        let result = sd_bus_add_filter(
            handle.raw, &slot,
            { message, userdata, _ in
                if let sighting = BusMonitor.sighting(message) { Handler<Sighting>.from(userdata)?.call(sighting) }
                return 1
            }, box.pointer)
        try checkBus(result, "watch the system bus")
        return try BusSlot(owning: slot, handler: box)
    }

    private func becomeMonitor(_ rules: [String]) throws(BusError) {
        var raw: OpaquePointer?
        let bus = Bus.Address.bus
        try checkBus(
            sd_bus_message_new_method_call(
                handle.raw, &raw, bus.destination, bus.path, "org.freedesktop.DBus.Monitoring", "BecomeMonitor"),
            "watch the system bus")
        let message = try BusMessage(owning: raw)
        try message.append(strings: rules)
        try message.append(UInt32(0))
        try checkBus(sd_bus_send(handle.raw, message.raw, nil), "watch the system bus")
    }

    private nonisolated static func sighting(_ message: OpaquePointer?) -> Sighting? {
        guard let sender = sd_bus_message_get_sender(message), let destination = sd_bus_message_get_destination(message) else {
            return nil
        }
        var serial: UInt64 = 0
        guard sd_bus_message_get_cookie(message, &serial) >= 0, let kind = kind(of: message) else { return nil }
        return Sighting(
            kind: kind, sender: String(cString: sender), destination: String(cString: destination), serial: serial)
    }

    private nonisolated static func kind(of message: OpaquePointer?) -> Sighting.Kind? {
        if sd_bus_message_is_method_call(message, nil, nil) > 0 {
            return sd_bus_message_get_member(message).map { .call(member: String(cString: $0)) }
        }
        var answered: UInt64 = 0
        guard sd_bus_message_is_method_error(message, nil) > 0, sd_bus_message_get_reply_cookie(message, &answered) >= 0,
            let error = sd_bus_message_get_error(message)?.pointee.name
        else { return nil }
        return .error(name: String(cString: error), to: answered)
    }
}
