import CSystemd
import Glibc

/// One message of the bus, written or read in the order of its signature (sd_bus_message_append_basic(3),
/// sd_bus_message_read_basic(3)). Whatever a peer sent is checked by libsystemd against the type that is asked for.
public final class BusMessage {
    private let handle: OwnedHandle

    var raw: OpaquePointer { handle.raw }

    /// Takes over the reference that `raw` holds.
    init(owning raw: OpaquePointer?) throws(BusError) {
        do {
            handle = try OwnedHandle(raw, "make a bus message", release: sd_bus_message_unref)
        } catch { throw BusError(error) }
    }

    /// Takes a reference of its own.
    convenience init(sharing raw: OpaquePointer?) throws(BusError) {
        try self.init(owning: sd_bus_message_ref(raw))
    }

    // MARK: What it is

    /// The sender's unique name, as `:1.42`; the bus daemon vouches for it.
    public var sender: String? { text(sd_bus_message_get_sender(raw)) }
    /// Whom it is addressed to; nil for a signal that was broadcast.
    public var destination: String? { text(sd_bus_message_get_destination(raw)) }
    public var path: String? { text(sd_bus_message_get_path(raw)) }
    public var interface: String? { text(sd_bus_message_get_interface(raw)) }
    public var member: String? { text(sd_bus_message_get_member(raw)) }
    public var signature: String { text(sd_bus_message_get_signature(raw, 1)) ?? "" }
    /// Whether the caller permits polkit to ask the user for a password meanwhile.
    public var allowsInteractiveAuthorization: Bool {
        sd_bus_message_get_allow_interactive_authorization(raw) > 0
    }

    /// Whether the caller waits for an answer.
    public var expectsReply: Bool { sd_bus_message_get_expect_reply(raw) > 0 }

    /// A call without its contents and descriptors, which can be answered as the call itself can.
    func returnAddress() throws(BusError) -> BusMessage {
        var copy: OpaquePointer?
        let operation = "keep a call that waits"
        try checkBus(
            sd_bus_message_new_method_call(
                sd_bus_message_get_bus(raw), &copy, nil, sd_bus_message_get_path(raw), sd_bus_message_get_interface(raw),
                sd_bus_message_get_member(raw)), operation)
        let message = try BusMessage(owning: copy)
        try checkBus(sd_bus_message_set_sender(copy, sd_bus_message_get_sender(raw)), operation)
        try checkBus(sd_bus_message_set_expect_reply(copy, expectsReply ? 1 : 0), operation)
        try checkBus(
            sd_bus_message_set_allow_interactive_authorization(copy, allowsInteractiveAuthorization ? 1 : 0), operation)
        var cookie: UInt64 = 0
        try checkBus(sd_bus_message_get_cookie(raw, &cookie), operation)
        try checkBus(sd_bus_message_seal(copy, cookie, 0), operation)
        return message
    }

    private func text(_ pointer: UnsafePointer<CChar>?) -> String? { pointer.map { String(cString: $0) } }

    // MARK: Writing

    public func append(_ text: String) throws(BusError) { try appendText(text, "s") }
    public func append(objectPath: String) throws(BusError) { try appendText(objectPath, "o") }
    public func append(signature: String) throws(BusError) { try appendText(signature, "g") }
    public func append(_ flag: Bool) throws(BusError) {
        var value: Int32 = flag ? 1 : 0
        try checkBus(sd_bus_message_append_basic(raw, code("b"), &value), "write a bus message")
    }
    public func append(_ number: UInt8) throws(BusError) { try appendNumber(number, "y") }
    public func append(_ number: Int32) throws(BusError) { try appendNumber(number, "i") }
    public func append(_ number: UInt32) throws(BusError) { try appendNumber(number, "u") }
    public func append(_ number: Int64) throws(BusError) { try appendNumber(number, "x") }
    public func append(_ number: UInt64) throws(BusError) { try appendNumber(number, "t") }
    /// Appends a descriptor; the message keeps a duplicate of its own.
    public func append(descriptor: Int32) throws(BusError) { try appendNumber(descriptor, "h") }

    public func append(strings: [String]) throws(BusError) {
        try container("a", "s") { (message) throws(BusError) in
            for text in strings { try message.append(text) }
        }
    }

    /// Opens a container of `type` (`a`, `r`, `e`, `v`), lets `body` fill it and closes it.
    public func container(
        _ type: Character, _ contents: String, _ body: (BusMessage) throws(BusError) -> Void
    ) throws(BusError) {
        try checkBus(sd_bus_message_open_container(raw, code(type), contents), "write a bus message")
        try body(self)
        try checkBus(sd_bus_message_close_container(raw), "write a bus message")
    }

    /// Appends a variant with the one value that `body` writes.
    public func variant(_ contents: String, _ body: (BusMessage) throws(BusError) -> Void) throws(BusError) {
        try container("v", contents, body)
    }

    private func appendText(_ text: String, _ type: Character) throws(BusError) {
        // A C string ends at NUL, and so does every string of D-Bus: what follows one is not sent.
        let result = text.withCString { sd_bus_message_append_basic(raw, code(type), $0) }
        try checkBus(result, "write a bus message")
    }

    private func appendNumber<Number: FixedWidthInteger>(_ number: Number, _ type: Character) throws(BusError) {
        var value = number
        try checkBus(sd_bus_message_append_basic(raw, code(type), &value), "write a bus message")
    }

    // MARK: Reading

    /// The most bytes of a text for which the reader names no limit of its own.
    public static let longestText = 4096

    /// Reads a text.
    /// - Throws: ``BusError/invalidArguments`` for one of more than `limit` bytes. It is not copied then.
    public func readString(atMost limit: Int = longestText) throws(BusError) -> String { try readText("s", atMost: limit) }
    /// Reads a text of which only the first `limit` bytes are wanted; `…` stands for the rest.
    public func readString(cutTo limit: Int) throws(BusError) -> String {
        let text = try readPointer("s")
        let length = strlen(text)
        guard length > limit else { return String(cString: text) }
        var end = limit
        // A character is not cut in two: its second and later bytes begin with the bits 10.
        while end > 0, UInt8(bitPattern: text[end]) & 0xc0 == 0x80 { end -= 1 }
        return String(decoding: UnsafeRawBufferPointer(start: text, count: end), as: UTF8.self) + "…"
    }
    public func readObjectPath() throws(BusError) -> String { try readText("o", atMost: Self.longestText) }
    public func readSignature() throws(BusError) -> String { try readText("g", atMost: Self.longestText) }
    public func readUInt8() throws(BusError) -> UInt8 { try readNumber("y") }
    public func readInt32() throws(BusError) -> Int32 { try readNumber("i") }
    public func readUInt32() throws(BusError) -> UInt32 { try readNumber("u") }
    public func readInt64() throws(BusError) -> Int64 { try readNumber("x") }
    public func readUInt64() throws(BusError) -> UInt64 { try readNumber("t") }
    public func readBool() throws(BusError) -> Bool {
        let value: Int32 = try readNumber("b")
        return value != 0
    }

    /// Reads a descriptor and duplicates it: the one in the message goes with the message.
    public func readDescriptor() throws(BusError) -> Descriptor {
        let number: Int32 = try readNumber("h")
        let copy = fcntl(number, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else {
            throw BusError(SystemError(code: errno, operation: "duplicate a descriptor that came over the bus"))
        }
        return Descriptor(owning: copy)
    }

    public func readStrings() throws(BusError) -> [String] {
        try readArray("s") { (message) throws(BusError) in try message.readString() }
    }

    /// Reads an array whose elements have the signature `contents`.
    public func readArray<Element>(
        _ contents: String, _ element: (BusMessage) throws(BusError) -> Element
    ) throws(BusError) -> [Element] {
        try checkBus(sd_bus_message_enter_container(raw, code("a"), contents), "read a bus message")
        var elements: [Element] = []
        while sd_bus_message_at_end(raw, 0) == 0 { elements.append(try element(self)) }
        try checkBus(sd_bus_message_exit_container(raw), "read a bus message")
        return elements
    }

    /// Enters a struct (`r`), dictionary entry (`e`) or variant (`v`) of `contents`, lets `body` read it and leaves it.
    public func readContainer<Value>(
        _ type: Character, _ contents: String, _ body: (BusMessage) throws(BusError) -> Value
    ) throws(BusError) -> Value {
        try checkBus(sd_bus_message_enter_container(raw, code(type), contents), "read a bus message")
        let value = try body(self)
        try checkBus(sd_bus_message_exit_container(raw), "read a bus message")
        return value
    }

    /// Reads an `a{sv}`: `entry` is called with each name and reads the value, or passes it by with ``skip(_:)``.
    public func readProperties(_ entry: (String, BusMessage) throws(BusError) -> Void) throws(BusError) {
        _ = try readArray("{sv}") { (message) throws(BusError) in
            try message.readContainer("e", "sv") { (message) throws(BusError) in
                try entry(try message.readString(), message)
            }
        }
    }

    /// Passes by what has the signature `types`.
    public func skip(_ types: String) throws(BusError) {
        try checkBus(sd_bus_message_skip(raw, types), "read a bus message")
    }

    /// The signature inside the container that comes next, such as the variant of a property.
    public func peekContents() throws(BusError) -> String {
        var type: CChar = 0
        var contents: UnsafePointer<CChar>?
        try checkBus(sd_bus_message_peek_type(raw, &type, &contents), "read a bus message")
        return contents.map { String(cString: $0) } ?? ""
    }

    private func readText(_ type: Character, atMost limit: Int) throws(BusError) -> String {
        let value = try readPointer(type)
        guard strnlen(value, limit + 1) <= limit else {
            throw BusError(
                name: BusError.invalidArguments, message: "a text in the message is too long: at most \(limit) bytes")
        }
        return String(cString: value)
    }

    /// The text that comes next, where it lies in the message.
    private func readPointer(_ type: Character) throws(BusError) -> UnsafePointer<CChar> {
        var value: UnsafePointer<CChar>?
        let got = try checkBus(sd_bus_message_read_basic(raw, code(type), &value), "read a bus message")
        guard got > 0, let value else { throw Self.tooShort }
        return value
    }

    private func readNumber<Number: FixedWidthInteger>(_ type: Character) throws(BusError) -> Number {
        var value: Number = 0
        let got = try checkBus(sd_bus_message_read_basic(raw, code(type), &value), "read a bus message")
        guard got > 0 else { throw Self.tooShort }
        return value
    }

    private static let tooShort = BusError(
        name: BusError.invalidArguments, message: "the message ends before it should")

    private func code(_ type: Character) -> CChar { CChar(bitPattern: type.asciiValue ?? 0) }
}
