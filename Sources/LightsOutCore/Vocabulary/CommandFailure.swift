/// Why a command did not do what it was called for: one line for people (object, cause, remedy) and its exit status.
public struct CommandFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public let message: String
    /// One of ``ExitStatus``.
    public let status: Int32

    public init(message: String, status: Int32) {
        self.message = message
        self.status = status
    }

    public var description: String { message }
}
