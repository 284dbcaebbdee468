import CSystemd
import Glibc

/// A connection to a message bus (sd-bus(3)).
///
/// The blocking ``call(_:timeout:_:)`` suits a command; what runs in the event loop uses ``callAsync(_:timeout:_:reply:)``.
/// What a registration returns keeps the registration alive.
///
///     let bus = try Bus.system()
///     let reply = try bus.call(.login1("Inhibit")) { try $0.append("sleep") … }
public final class Bus {
    private let handle: OwnedHandle
    private var loop: EventLoop?
    /// Who owns the names whose signals are listened to.
    let owners = NameOwners()
    /// Whether there is no bus in between, so that all messages are from the process at the other end.
    let isDirect: Bool

    var raw: OpaquePointer { handle.raw }

    private init(
        isDirect: Bool, _ open: (UnsafeMutablePointer<OpaquePointer?>) -> Int32, _ operation: String
    ) throws(SystemError) {
        self.isDirect = isDirect
        var raw: OpaquePointer?
        try check(open(&raw), operation)
        handle = try OwnedHandle(raw, operation, release: sd_bus_flush_close_unref)
        // A bus that goes away is for us to handle, not the end of the process.
        sd_bus_set_exit_on_disconnect(handle.raw, 0)
    }

    /// Connects to the system bus; the handshake goes on in the background (sd_bus_open_system(3)).
    public static func system() throws(SystemError) -> Bus {
        try Bus(isDirect: false, { sd_bus_open_system($0) }, "connect to the system bus")
    }

    /// Connects root to systemd itself, without a bus in between: while the machine goes down, the bus may be gone already.
    public static func systemdItself() throws(SystemError) -> Bus {
        try Bus(
            isDirect: true,
            { raw in
                let made = sd_bus_new(raw)
                guard made >= 0 else { return made }
                let addressed = sd_bus_set_address(raw.pointee, "unix:path=/run/systemd/private")
                let started = addressed < 0 ? addressed : sd_bus_start(raw.pointee)
                if started < 0 { raw.pointee = sd_bus_unref(raw.pointee) }
                return started
            }, "connect to systemd")
    }

    /// Handles this connection's messages on `loop`. A bus that is attached must be ``detach()``ed before its last
    /// reference goes.
    public func attach(to loop: EventLoop) throws(SystemError) {
        try check(sd_bus_attach_event(raw, loop.raw, 0), "attach the bus to the event loop")
        self.loop = loop
    }

    public func detach() {
        sd_bus_detach_event(raw)
        loop = nil
    }

    public func close() {
        detach()
        sd_bus_close(raw)
    }

    /// Whether the connection still stands.
    public var isOpen: Bool { sd_bus_is_open(raw) > 0 }

    /// Our own unique name on the bus, as `:1.7`.
    public var uniqueName: String? {
        var name: UnsafePointer<CChar>?
        guard sd_bus_get_unique_name(raw, &name) >= 0 else { return nil }
        return name.map { String(cString: $0) }
    }

    /// Sends what is queued.
    public func flush() { sd_bus_flush(raw) }

    // MARK: Calling

    /// Whom a method call or property is asked of.
    public struct Address {
        public var destination: String
        public var path: String
        public var interface: String

        public init(_ destination: String, _ path: String, _ interface: String) {
            self.destination = destination
            self.path = path
            self.interface = interface
        }

        public static let login1 = Address(
            "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
        public static let systemd1 = Address(
            "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
        public static let polkit = Address(
            "org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority",
            "org.freedesktop.PolicyKit1.Authority")
        public static let bus = Address(
            "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
    }

    /// Calls a method and waits for its answer.
    /// - Parameters:
    ///   - timeout: microseconds; 0 is the library's default of 25 s.
    ///   - interactive: permits polkit to ask the user.
    ///   - activating: whether a service that is not running is started for the call.
    /// - Throws: the ``BusError`` that came back, or the one that stands for a broken connection.
    @discardableResult
    public func call(
        _ address: Address, _ member: String, timeout: UInt64 = 0, interactive: Bool = false, activating: Bool = true,
        _ write: (BusMessage) throws(BusError) -> Void = { _ in }
    ) throws(BusError) -> BusMessage {
        let request = try methodCall(address, member, interactive: interactive)
        if !activating { sd_bus_message_set_auto_start(request.raw, 0) }
        try write(request)
        var error = sd_bus_error()
        defer { sd_bus_error_free(&error) }
        var reply: OpaquePointer?
        let result = sd_bus_call(raw, request.raw, timeout, &error, &reply)
        guard result >= 0 else {
            throw BusError(&error, result: result, operation: "call \(address.interface).\(member)")
        }
        return try BusMessage(owning: reply)
    }

    /// Calls a method; `reply` gets the answer from the loop.
    /// - Returns: what keeps the call alive: when it goes before the answer, the answer is not waited for.
    public func callAsync(
        _ address: Address, _ member: String, timeout: UInt64 = 0, interactive: Bool = false,
        _ write: (BusMessage) throws(BusError) -> Void = { _ in },
        reply: @escaping (Result<BusMessage, BusError>) -> Void
    ) throws(BusError) -> BusSlot {
        let request = try methodCall(address, member, interactive: interactive)
        try write(request)
        let box = Handler(reply)
        var slot: OpaquePointer?
        try checkBus(
            sd_bus_call_async(
                raw, &slot, request.raw,
                { message, userdata, _ in
                    Handler<Result<BusMessage, BusError>>.from(userdata)?.call(Bus.answer(message))
                    return 0
                }, box.pointer, timeout), "call \(address.interface).\(member)")
        return try BusSlot(owning: slot, handler: box)
    }

    /// Reads a property and waits for it; `read` is inside its variant.
    public func property<Value>(
        _ address: Address, _ name: String, _ type: String, timeout: UInt64 = 0,
        _ read: (BusMessage) throws(BusError) -> Value
    ) throws(BusError) -> Value {
        let properties = Address(address.destination, address.path, "org.freedesktop.DBus.Properties")
        let reply = try call(properties, "Get", timeout: timeout) { (message) throws(BusError) in
            try message.append(address.interface)
            try message.append(name)
        }
        return try reply.readContainer("v", type, read)
    }

    private func methodCall(
        _ address: Address, _ member: String, interactive: Bool
    ) throws(BusError) -> BusMessage {
        var raw: OpaquePointer?
        try checkBus(
            sd_bus_message_new_method_call(
                self.raw, &raw, address.destination, address.path, address.interface, member),
            "call \(address.interface).\(member)")
        let message = try BusMessage(owning: raw)
        if interactive { sd_bus_message_set_allow_interactive_authorization(message.raw, 1) }
        return message
    }

    static func answer(_ message: OpaquePointer?) -> Result<BusMessage, BusError> {
        if let error = sd_bus_message_get_error(message) {
            return .failure(BusError(error, result: -EIO, operation: "call a method"))
        }
        do throws(BusError) { return .success(try BusMessage(sharing: message)) } catch { return .failure(error) }
    }

    // MARK: Serving

    /// Tells listeners that `names`, properties of `interface` at `path`, have changed.
    public func emitPropertiesChanged(_ path: String, _ interface: String, _ names: [String]) throws(BusError) {
        var copies = names.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        copies.append(nil)
        try checkBus(
            sd_bus_emit_properties_changed_strv(raw, path, interface, &copies), "tell of changed properties")
    }

    /// Sends the signal `member` of `interface` from `path`.
    public func emitSignal(
        _ path: String, _ interface: String, _ member: String,
        _ write: (BusMessage) throws(BusError) -> Void = { _ in }
    ) throws(BusError) {
        var raw: OpaquePointer?
        try checkBus(sd_bus_message_new_signal(self.raw, &raw, path, interface, member), "make a signal")
        let message = try BusMessage(owning: raw)
        try write(message)
        try checkBus(sd_bus_send(self.raw, message.raw, nil), "send a signal")
    }

    /// Tells the listeners of the object manager that the objects at `path` have come.
    public func emitObjectAdded(_ path: String) throws(BusError) {
        try checkBus(sd_bus_emit_object_added(raw, path), "tell of a new object")
    }

    /// Tells the listeners of the object manager that the objects at `path` have gone.
    public func emitObjectRemoved(_ path: String) throws(BusError) {
        try checkBus(sd_bus_emit_object_removed(raw, path), "tell of a removed object")
    }

    /// `prefix` with `name` as one more, escaped, element (sd_bus_path_encode(3)).
    public nonisolated static func path(_ prefix: String, encoding name: String) -> String? {
        var path: UnsafeMutablePointer<CChar>?
        guard sd_bus_path_encode(prefix, name, &path) >= 0, let path else { return nil }
        defer { free(path) }
        return String(cString: path)
    }

    /// The name behind `path`, where it is one element below `prefix`.
    public nonisolated static func name(in path: String, below prefix: String) -> String? {
        var name: UnsafeMutablePointer<CChar>?
        guard sd_bus_path_decode(path, prefix, &name) > 0, let name else { return nil }
        defer { free(name) }
        return String(cString: name)
    }
}

/// Keeps a registration with a ``Bus`` alive and ends it when it goes.
public final class BusSlot {
    private let handle: OwnedHandle
    /// What libsystemd's `userdata` points to: it must live as long as the slot.
    private let handler: AnyObject

    init(owning raw: OpaquePointer?, handler: AnyObject) throws(BusError) {
        do throws(SystemError) {
            handle = try OwnedHandle(raw, "register with the bus", release: sd_bus_slot_unref)
        } catch { throw BusError(error) }
        self.handler = handler
    }
}
