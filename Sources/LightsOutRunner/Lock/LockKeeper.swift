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
        /// Holds a lock for the processes of a run that outlived its runner. The run exclusion comes along.
        case survivors(BackupName)
        /// Asks for everything that is held: a ``keep(_:hasLock:)`` each, and then ``end``.
        case take
        case end
        /// The other side holds what it was given.
        case taken

        public var text: String {
            switch self {
            case .keep(let backup, let hasLock): "keep \(backup) \(hasLock ? "lock" : "no-lock")"
            case .survivors(let backup): "survivors \(backup)"
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
            case ("survivors", 2):
                guard let backup = try? BackupName(words[1]) else { return nil }
                self = .survivors(backup)
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

    /// Hands the processes of a run that outlived its runner to the keeper, with the right to run `backup`. What is in the
    /// socket counts: the caller may end.
    /// - Throws: also where there is no keeper for these directories, as in a trial.
    public static func keepSurvivors(
        of backup: BackupName, _ exclusion: borrowing RunExclusion, _ directories: Directories
    ) throws(SystemError) {
        guard directories == Directories() else {
            throw SystemError(code: ENOTSUP, operation: "hand them to \(socketUnit) from a directory of one's own")
        }
        try connect().send(.survivors(backup), [exclusion.number])
    }
}

extension DescriptorChannel {
    public nonisolated func send(_ message: LockKeeper.Message, _ descriptors: [Int32] = []) throws(SystemError) {
        try send(message.text, descriptors)
    }
}
