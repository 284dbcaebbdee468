import CSystemd
import Glibc

/// An error of the bus: its name, as `org.freedesktop.login1.OperationInProgress`, and the words that came with it.
/// Callers match the name, never the words.
public nonisolated struct BusError: Error, Equatable, CustomStringConvertible {
    public let name: String
    public let message: String

    public init(name: String, message: String) {
        self.name = name
        self.message = message
    }

    /// The bus error that stands for an errno (sd_bus_error_set_errno(3)).
    public init(_ error: SystemError) {
        var raw = sd_bus_error()
        sd_bus_error_set_errno(&raw, error.code)
        defer { sd_bus_error_free(&raw) }
        name = raw.name.map { String(cString: $0) } ?? "org.freedesktop.DBus.Error.Failed"
        message = error.description
    }

    /// Takes what a failed call left behind; `result` is its negative errno where the error itself is empty.
    init(_ raw: UnsafePointer<sd_bus_error>?, result: Int32, operation: String) {
        if let raw, let name = raw.pointee.name {
            self.init(
                name: String(cString: name), message: raw.pointee.message.map { Self.start(of: $0) } ?? "")
        } else {
            self.init(SystemError(code: -result, operation: operation))
        }
    }

    /// As much of a message as people read. Others may have a say in it.
    private static func start(of message: UnsafePointer<CChar>) -> String {
        let bytes = UnsafeRawBufferPointer(start: message, count: strnlen(message, 1024))
        return String(decoding: bytes, as: UTF8.self)
    }

    public var description: String { message.isEmpty ? name : message }

    public static let operationInProgress = "org.freedesktop.login1.OperationInProgress"
    public static let accessDenied = "org.freedesktop.DBus.Error.AccessDenied"
    public static let interactiveAuthorizationRequired = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
    public static let invalidArguments = "org.freedesktop.DBus.Error.InvalidArgs"
    public static let serviceUnknown = "org.freedesktop.DBus.Error.ServiceUnknown"
    public static let nameHasNoOwner = "org.freedesktop.DBus.Error.NameHasNoOwner"
    public static let noReply = "org.freedesktop.DBus.Error.NoReply"
    public static let timeout = "org.freedesktop.DBus.Error.Timeout"
    public static let disconnected = "org.freedesktop.DBus.Error.Disconnected"
    public static let unknownObject = "org.freedesktop.DBus.Error.UnknownObject"
    public static let failed = "org.freedesktop.DBus.Error.Failed"
}

/// Takes the result of a bus function as a ``BusError``.
@discardableResult
nonisolated func checkBus(_ result: Int32, _ operation: @autoclosure () -> String) throws(BusError) -> Int32 {
    guard result >= 0 else { throw BusError(SystemError(code: -result, operation: operation())) }
    return result
}
