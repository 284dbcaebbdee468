import CLinux
import Glibc

/// A connected unix(7) socket that takes messages with descriptors along. What was sent is safe as soon as it was sent: a
/// descriptor in the queue stays open, also when its sender ends before the receiver has read it.
public nonisolated struct DescriptorChannel: ~Copyable {
    /// A message and the descriptors that came with it; they are closed with the value unless they are taken.
    public struct Message: ~Copyable {
        public let text: String
        private var numbers: [Int32]

        fileprivate init(text: String, numbers: [Int32]) {
            self.text = text
            self.numbers = numbers
        }

        deinit { for number in numbers { close(number) } }

        /// How many descriptors there are.
        public var count: Int { numbers.count }

        /// Takes the first descriptor; nil where there is none left.
        public mutating func takeDescriptor() -> Descriptor? {
            numbers.isEmpty ? nil : Descriptor(owning: numbers.removeFirst())
        }
    }

    private let socket: Descriptor
    /// The socket's number, for a call that borrows it.
    public var number: Int32 { socket.number }

    /// Connects to the socket at `path`; its calls wait so many seconds at most.
    public init(connectingTo path: String, patience: Int32 = 5) throws(SystemError) {
        let number = try retryingInterrupts("connect to \(path)") { lo_connect(path, Int32(SOCK_SEQPACKET.rawValue)) }
        try self.init(Descriptor(owning: number), patience: patience)
    }

    /// Accepts the next connection to the socket `listening`.
    public init(acceptedFrom listening: Int32, patience: Int32 = 5) throws(SystemError) {
        let number = try retryingInterrupts("accept a connection") { accept(listening, nil, nil) }
        let socket = Descriptor(owning: number)
        try retryingInterrupts("close a connection on exec") { fcntl(number, F_SETFD, FD_CLOEXEC) }
        try self.init(socket, patience: patience)
    }

    private init(_ socket: consuming Descriptor, patience: Int32) throws(SystemError) {
        let number = socket.number
        try retryingInterrupts("limit the waiting of a connection") { lo_limit_waiting(number, patience) }
        self.socket = socket
    }

    /// The user at the other end; nil where that is not known.
    public var peer: UInt32? { UInt32(exactly: lo_peer_user(number)) }

    /// Sends a message; the descriptors stay the caller's too.
    public func send(_ text: String, _ descriptors: [Int32] = []) throws(SystemError) {
        let bytes = Array(text.utf8)
        let socket = number
        try retryingInterrupts("pass descriptors on") {
            lo_send_descriptors(socket, bytes, bytes.count, descriptors, descriptors.count)
        }
    }

    /// Waits for the next message; nil at the end of the connection.
    public func receive() throws(SystemError) -> Message? {
        var bytes = [UInt8](repeating: 0, count: Self.longestMessage)
        var numbers = [Int32](repeating: -1, count: Int(LO_DESCRIPTORS_MAX))
        var count = 0
        let socket = number
        let length = try retryingInterrupts("receive descriptors") {
            lo_receive_descriptors(socket, &bytes, bytes.count, &numbers, &count)
        }
        guard length > 0 else { return nil }
        return Message(text: String(decoding: bytes[..<length], as: UTF8.self), numbers: Array(numbers[..<count]))
    }

    private static let longestMessage = 4096
}
