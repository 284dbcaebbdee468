import CSystemd
import Glibc

/// An interface that this process offers on the bus: its methods, properties and signals. libsystemd checks calls
/// against the signatures, answers introspection and properties, and keeps the object manager (sd_bus_add_object_vtable(3)).
///
///     let interface = BusInterface("org.example1.Counter", members: [
///         .method("Add", takes: "u", ["count"], gives: "u", ["sum"]) { call in … },
///         .property("Sum", "u", changes: .announced) { path, message in try message.append(sum) },
///     ])
///     let registration = try bus.serve(interface, at: "/org/example1")
public struct BusInterface {
    /// A call of one of our methods: the message to read from, and the one answer to give, now or later.
    ///
    /// What it was called with must be read before the handler returns: a call that waits for its answer keeps neither the
    /// arguments nor the descriptors that came with it.
    public final class MethodCall {
        public private(set) var message: BusMessage
        private var isAnswered = false

        init(_ message: BusMessage) { self.message = message }

        /// Whether anybody waits for the answer.
        public var expectsReply: Bool { message.expectsReply }

        /// Keeps of the message only what an answer needs.
        func keepOnlyReturnAddress() {
            guard !isAnswered else { return }
            do throws(BusError) { message = try message.returnAddress() } catch { fail(error) }
        }

        /// The object that is called.
        public var path: String { message.path ?? "" }

        /// Answers with what `write` appends.
        public func reply(_ write: (BusMessage) throws(BusError) -> Void = { _ in }) {
            guard !isAnswered else { return }
            do throws(BusError) {
                var raw: OpaquePointer?
                try checkBus(sd_bus_message_new_method_return(message.raw, &raw), "answer a call")
                let reply = try BusMessage(owning: raw)
                try write(reply)
                // The caller may have gone; nobody waits for the answer then.
                sd_bus_send(nil, reply.raw, nil)
                isAnswered = true
            } catch { fail(error) }
        }

        /// Answers with an error.
        public func fail(_ error: BusError) {
            guard !isAnswered else { return }
            isAnswered = true
            var raw = sd_bus_error()
            sd_bus_error_set(&raw, error.name, error.message)
            sd_bus_reply_method_error(message.raw, &raw)
            sd_bus_error_free(&raw)
        }
    }

    /// How listeners learn that a property has changed.
    public enum Change {
        /// By PropertiesChanged with the new value.
        case announced
        /// It never changes.
        case constant
        /// Not at all.
        case silent

        var flags: UInt64 {
            switch self {
            case .announced: UInt64(SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)
            case .constant: UInt64(SD_BUS_VTABLE_PROPERTY_CONST)
            case .silent: 0
            }
        }
    }

    public struct Member {
        enum Kind {
            case method(signature: String, result: String, handler: (MethodCall) throws(BusError) -> Void)
            case property(signature: String, change: Change, read: (String, BusMessage) throws(BusError) -> Void)
            case signal(signature: String)
        }

        let name: String
        let parameterNames: [String]
        let kind: Kind

        /// A method; anybody may call it, and its handler decides who is answered.
        public static func method(
            _ name: String, takes signature: String = "", _ names: [String] = [], gives result: String = "",
            _ resultNames: [String] = [], handler: @escaping (MethodCall) throws(BusError) -> Void
        ) -> Member {
            Member(
                name: name, parameterNames: names + resultNames,
                kind: .method(signature: signature, result: result, handler: handler))
        }

        /// A property; `read` appends the value for the object at the path it is given.
        public static func property(
            _ name: String, _ signature: String, changes change: Change = .announced,
            read: @escaping (String, BusMessage) throws(BusError) -> Void
        ) -> Member {
            Member(name: name, parameterNames: [], kind: .property(signature: signature, change: change, read: read))
        }

        public static func signal(_ name: String, _ signature: String, _ names: [String]) -> Member {
            Member(name: name, parameterNames: names, kind: .signal(signature: signature))
        }
    }

    public let name: String
    public let members: [Member]

    public init(_ name: String, members: [Member]) {
        self.name = name
        self.members = members
    }
}

/// Keeps what is offered on the bus offered; it is withdrawn when this goes.
public final class BusRegistration {
    /// The strings and the table that libsystemd reads for as long as the slot lives. A class of its own, so that they
    /// go after the slot.
    private final class Table {
        var methods: [String: (BusInterface.MethodCall) throws(BusError) -> Void] = [:]
        var properties: [String: (String, BusMessage) throws(BusError) -> Void] = [:]
        var find: ((String) -> Bool)?
        var children: (() -> [String])?
        nonisolated(unsafe) var strings: [UnsafeMutablePointer<CChar>] = []
        nonisolated(unsafe) var entries: UnsafeMutablePointer<sd_bus_vtable>?

        var pointer: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

        static func from(_ pointer: UnsafeMutableRawPointer?) -> Table? {
            pointer.map { Unmanaged<Table>.fromOpaque($0).takeUnretainedValue() }
        }

        /// A C string that lives as long as the table; `bytes` may hold NULs and is followed by two.
        func string(_ bytes: some Collection<UInt8>) -> UnsafePointer<CChar> {
            let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count + 2)
            for (index, byte) in bytes.enumerated() { copy[index] = CChar(bitPattern: byte) }
            copy[bytes.count] = 0
            copy[bytes.count + 1] = 0
            strings.append(copy)
            return UnsafePointer(copy)
        }

        deinit {
            entries?.deallocate()
            for string in strings { string.deallocate() }
        }
    }

    private let slots: [OwnedHandleBox]
    private let table: Table

    private final class OwnedHandleBox {
        let handle: OwnedHandle
        init(_ handle: consuming OwnedHandle) { self.handle = handle }
    }

    fileprivate init(
        _ bus: Bus, _ interface: BusInterface, path: String, find: ((String) -> Bool)?, children: (() -> [String])?
    ) throws(BusError) {
        let table = Table()
        table.find = find
        table.children = children
        let entries = UnsafeMutablePointer<sd_bus_vtable>.allocate(capacity: interface.members.count + 2)
        table.entries = entries
        entries[0] = lo_vtable_start(0)
        for (index, member) in interface.members.enumerated() {
            let name = table.string(member.name.utf8)
            let names = table.string(member.parameterNames.flatMap { Array($0.utf8) + [0] })
            switch member.kind {
            case .method(let signature, let result, let handler):
                table.methods[member.name] = handler
                entries[index + 1] = lo_vtable_method(
                    name, table.string(signature.utf8), table.string(result.utf8), names, Self.onCall,
                    UInt64(SD_BUS_VTABLE_UNPRIVILEGED))
            case .property(let signature, let change, let read):
                table.properties[member.name] = read
                entries[index + 1] = lo_vtable_property(
                    name, table.string(signature.utf8), Self.onRead, change.flags)
            case .signal(let signature):
                entries[index + 1] = lo_vtable_signal(name, table.string(signature.utf8), names, 0)
            }
        }
        entries[interface.members.count + 1] = lo_vtable_end()

        var slots: [OwnedHandleBox] = []
        var slot: OpaquePointer?
        if find == nil {
            try checkBus(
                sd_bus_add_object_vtable(bus.raw, &slot, path, interface.name, entries, table.pointer),
                "offer \(interface.name)")
        } else {
            try checkBus(
                sd_bus_add_fallback_vtable(bus.raw, &slot, path, interface.name, entries, Self.onFind, table.pointer),
                "offer \(interface.name)")
        }
        slots.append(try Self.box(slot))
        if children != nil {
            var enumerator: OpaquePointer?
            try checkBus(
                sd_bus_add_node_enumerator(bus.raw, &enumerator, path, Self.onEnumerate, table.pointer),
                "list the objects below \(path)")
            slots.append(try Self.box(enumerator))
        }
        self.slots = slots
        self.table = table
    }

    fileprivate init(objectManagerOf bus: Bus, at path: String) throws(BusError) {
        var slot: OpaquePointer?
        try checkBus(sd_bus_add_object_manager(bus.raw, &slot, path), "offer an object manager")
        slots = [try Self.box(slot)]
        table = Table()
    }

    private static func box(_ raw: OpaquePointer?) throws(BusError) -> OwnedHandleBox {
        do throws(SystemError) {
            return OwnedHandleBox(try OwnedHandle(raw, "register with the bus", release: sd_bus_slot_unref))
        } catch { throw BusError(error) }
    }

    // MARK: What libsystemd calls

    private static let onCall: sd_bus_message_handler_t = { raw, userdata, _ in
        guard let table = Table.from(userdata), let message = try? BusMessage(sharing: raw), let member = message.member,
            let handler = table.methods[member]
        else { return 0 }
        let call = BusInterface.MethodCall(message)
        do throws(BusError) { try handler(call) } catch { call.fail(error) }
        call.keepOnlyReturnAddress()
        return 1
    }

    private static let onRead: sd_bus_property_get_t = { _, path, _, property, reply, userdata, returned in
        guard let table = Table.from(userdata), let path, let property,
            let read = table.properties[String(cString: property)], let message = try? BusMessage(sharing: reply)
        else { return -ENOENT }
        do throws(BusError) {
            try read(String(cString: path), message)
            return 1
        } catch { return sd_bus_error_set(returned, error.name, error.message) }
    }

    private static let onFind: sd_bus_object_find_t = { _, path, _, userdata, found, _ in
        guard let table = Table.from(userdata), let path, table.find?(String(cString: path)) == true else { return 0 }
        found?.pointee = userdata
        return 1
    }

    private static let onEnumerate: sd_bus_node_enumerator_t = { _, _, userdata, nodes, _ in
        let paths = Table.from(userdata)?.children?() ?? []
        // libsystemd frees the list and its strings with free(3).
        guard let list = calloc(paths.count + 1, MemoryLayout<UnsafeMutablePointer<CChar>?>.stride) else { return -ENOMEM }
        let strings = list.assumingMemoryBound(to: UnsafeMutablePointer<CChar>?.self)
        for (index, path) in paths.enumerated() { strings[index] = strdup(path) }
        nodes?.pointee = strings
        return 0
    }
}

extension Bus {
    /// Offers `interface` at `path`.
    public func serve(_ interface: BusInterface, at path: String) throws(BusError) -> BusRegistration {
        try BusRegistration(self, interface, path: path, find: nil, children: nil)
    }

    /// Offers `interface` at every path below `prefix` that `exists` says is an object; `children` lists them.
    public func serve(
        _ interface: BusInterface, below prefix: String, exists: @escaping (String) -> Bool,
        children: @escaping () -> [String]
    ) throws(BusError) -> BusRegistration {
        try BusRegistration(self, interface, path: prefix, find: exists, children: children)
    }

    /// Offers org.freedesktop.DBus.ObjectManager at `path`.
    public func serveObjectManager(at path: String) throws(BusError) -> BusRegistration {
        try BusRegistration(objectManagerOf: self, at: path)
    }
}
