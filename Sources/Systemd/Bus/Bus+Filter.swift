import CSystemd

extension Bus {
    /// Hands every call of `member` of `interface` at `path` to `handler`, ahead of what libsystemd would do with it. The
    /// arguments are not checked.
    public func intercept(
        _ path: String, _ interface: String, _ member: String, _ handler: @escaping (BusInterface.MethodCall) -> Void
    ) throws(BusError) -> BusSlot {
        let box = Interception(path: path, interface: interface, member: member, handler: handler)
        return try addFilter(box, keeping: true) { raw, userdata, _ in
            guard let box = Interception.from(userdata),
                sd_bus_message_is_method_call(raw, box.interface, box.member) > 0,
                let message = try? BusMessage(sharing: raw), message.path == box.path
            else { return 0 }
            let call = BusInterface.MethodCall(message)
            box.handler(call)
            call.keepOnlyReturnAddress()
            return 1
        }
    }

    /// Calls `callback` with `handler` for every message; the filter that is added last comes first.
    /// - Parameter keeping: whether the registration keeps `handler` alive. One that holds its own registration must not be.
    func addFilter(
        _ handler: AnyObject, keeping: Bool = false, _ callback: @escaping sd_bus_message_handler_t
    ) throws(BusError) -> BusSlot {
        var slot: OpaquePointer?
        try checkBus(
            sd_bus_add_filter(raw, &slot, callback, Unmanaged.passUnretained(handler).toOpaque()), "see every message")
        return try BusSlot(owning: slot, handler: keeping ? handler : Nothing())
    }

    private final class Nothing {}

    private final class Interception {
        let path: String
        let interface: String
        let member: String
        let handler: (BusInterface.MethodCall) -> Void

        init(path: String, interface: String, member: String, handler: @escaping (BusInterface.MethodCall) -> Void) {
            self.path = path
            self.interface = interface
            self.member = member
            self.handler = handler
        }

        static func from(_ pointer: UnsafeMutableRawPointer?) -> Interception? {
            pointer.map { Unmanaged<Interception>.fromOpaque($0).takeUnretainedValue() }
        }
    }
}

/// The contents of an answer, written once and sent to many.
public final class BusAnswer {
    private let contents: BusMessage

    /// - Parameter write: appends the contents.
    public init(_ bus: Bus, _ write: (BusMessage) throws(BusError) -> Void) throws(BusError) {
        var raw: OpaquePointer?
        try checkBus(
            sd_bus_message_new_signal(bus.raw, &raw, "/", "org.lightsout1.Answer", "Contents"), "make an answer")
        contents = try BusMessage(owning: raw)
        try write(contents)
        // Only a sealed message can be copied.
        try checkBus(sd_bus_message_seal(raw, 1, 0), "make an answer")
    }

    /// Answers `call` with the contents.
    public func send(to call: BusInterface.MethodCall) {
        call.reply { (message) throws(BusError) in
            try checkBus(sd_bus_message_rewind(contents.raw, 1), "copy an answer")
            try checkBus(sd_bus_message_copy(message.raw, contents.raw, 1), "copy an answer")
        }
    }
}
