import Glibc

/// A system call or libsystemd function that failed: the one place where errno and negative returns become errors.
///
/// It says what was being done and to what, so that the line a person reads is whole without its caller's help.
public nonisolated struct SystemError: Error, Equatable, CustomStringConvertible {
    /// The error number, positive, as in errno(3).
    public let code: Int32
    /// What was being done, object included: `open /etc/lightsout/lightsout.yaml`.
    public let operation: String

    public init(code: Int32, operation: String) {
        self.code = code
        self.operation = operation
    }

    /// What errno(3) says of the code, in words.
    public var reason: String { String(cString: strerror(code)) }

    public var description: String { "\(operation): \(reason)" }
}

/// Takes the result of a libsystemd function, which returns a negative errno where it failed.
/// - Throws: ``SystemError`` for a negative result.
@discardableResult
nonisolated func check(_ result: Int32, _ operation: @autoclosure () -> String) throws(SystemError) -> Int32 {
    guard result >= 0 else { throw SystemError(code: -result, operation: operation()) }
    return result
}

/// Makes a system call that returns −1 and sets errno where it fails, again for as long as a signal interrupts it.
/// - Throws: ``SystemError`` with errno.
@discardableResult
public nonisolated func retryingInterrupts<Number: SignedInteger>(
    _ operation: @autoclosure () -> String, _ call: () -> Number
) throws(SystemError) -> Number {
    while true {
        let result = call()
        if result != -1 { return result }
        let code = errno
        if code != EINTR { throw SystemError(code: code, operation: operation()) }
    }
}
