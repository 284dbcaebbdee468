import Glibc
public import LightsOutCore
public import Systemd

/// How lightsoutd and runners speak with the keeper (`lightsout-keeper.service`), which holds locks for as long as their owner
/// is away. systemd starts it with the first connection to its socket; it ends when it has nothing to hold.
///
/// A message is one line of text, with descriptors along.
public nonisolated enum LockKeeper {
    /// Where `lightsout-keeper.socket` listens; for root only.
    public static let socketPath = "/run/lightsout-keeper"
    public static let socketUnit = "lightsout-keeper.socket"

    public enum Message: Hashable, Sendable {
        /// Holds a reported backup until its process ends. Run exclusion, pidfd and, where there is one, standby lock come
        /// along.
        case keep(BackupName, hasLock: Bool)
        /// Asks for everything that is held: a ``keep(_:hasLock:)`` each, and then ``end``.
        case take
        case end
        /// The other side holds what it was given.
        case taken

        public var text: String {
            switch self {
            case .keep(let backup, let hasLock): "keep \(backup) \(hasLock ? "lock" : "no-lock")"
            case .take: "take"
            case .end: "end"
            case .taken: "taken"
            }
        }

        public init?(text: String) {
            let words = text.split(separator: " ").map { String($0) }
            switch (words.first, words.count) {
            case ("keep", 3):
                guard let backup = try? BackupName(words[1]), ["lock", "no-lock"].contains(words[2]) else { return nil }
                self = .keep(backup, hasLock: words[2] == "lock")
            case ("take", 1): self = .take
            case ("end", 1): self = .end
            case ("taken", 1): self = .taken
            default: return nil
            }
        }
    }

    /// Connects to the keeper.
    public static func connect() throws(SystemError) -> DescriptorChannel {
        let channel = try DescriptorChannel(connectingTo: socketPath)
        // Whoever listens there gets locks: nobody but root.
        guard channel.peer == 0 else { throw SystemError(code: EPERM, operation: "connect to \(socketPath)") }
        return channel
    }
}

extension DescriptorChannel {
    public nonisolated func send(_ message: LockKeeper.Message, _ descriptors: [Int32] = []) throws(SystemError) {
        try send(message.text, descriptors)
    }
}
