import Glibc
public import LightsOutCore
public import Systemd

/// Keeps two runs of one backup apart, whoever begins them, and tells root's processes what runs: a locked file in the
/// runtime directory (`/run/lightsout/NAME.lock`) that holds the run's ``RunState``. The kernel gives the lock back when
/// its holder ends, however it ends, and whoever watches the directory hears of it.
public nonisolated struct RunExclusion: ~Copyable {
    /// Why it could not be had.
    public enum Failure: Error {
        /// A run is under way; which one is nil in the instant before its process has said so.
        case held(by: RunState?)
        case system(SystemError)
    }

    /// What a look at a backup's lock file finds.
    public struct Look: Equatable, Sendable {
        /// Whether a process holds the lock now.
        public var isHeld: Bool
        /// What the holder, or the last one, wrote; nil where nobody did or it is being written.
        public var state: RunState?
        /// Whether the file is there and could not be opened, and nothing is known.
        public var hasFailed = false

        /// The run that is under way; nil where none is.
        public var underWay: RunState? {
            guard isHeld, let state, case .running = state.phase else { return nil }
            return state
        }

        /// Of a backup that has no lock file: it has not run since the boot.
        public static let noFile = Look(isHeld: false)
    }

    /// What the holder before us wrote: of this boot, and also where the disk took nothing.
    public let previous: RunState?

    private let file: Descriptor

    /// Takes the right to run `backup`.
    public init(_ backup: BackupName, runtimeDirectory: String) throws(Failure) {
        file = try Self.lockedFile(backup, runtimeDirectory)
        previous = Self.state(in: file)
    }

    /// Takes over a descriptor that was another exclusion's ``number``, and with it the right to run: the lock belongs to
    /// the open file, whichever process has it open.
    public init(adopting file: consuming Descriptor) {
        lseek(file.number, 0, SEEK_SET)
        previous = Self.state(in: file)
        self.file = file
    }

    /// The descriptor, for a holder that outlives this process to keep a copy of.
    public var number: Int32 { file.number }

    /// Gives the right back at once, although copies of the descriptor may be open elsewhere.
    public func release() {
        var lock = Self.wholeFile(F_UNLCK)
        _ = fcntl(file.number, Linux.setDescriptionLock, &lock)
    }

    /// Writes down what becomes of the run. In memory (/run is a tmpfs), so it can hardly fail, and nothing but what
    /// others see depends on it.
    public func note(_ state: RunState) { Self.note(state, in: file.number) }

    /// The same for a holder that has kept the ``number``.
    static func note(_ state: RunState, in number: Int32) {
        let bytes = Array(state.text.utf8)
        let written = bytes.withUnsafeBytes { pwrite(number, $0.baseAddress, $0.count, 0) }
        if written >= 0 { ftruncate(number, written) }
    }

    private static func lockedFile(_ backup: BackupName, _ runtimeDirectory: String) throws(Failure) -> Descriptor {
        do throws(SystemError) {
            let directory = try AtomicFile.openDirectory(runtimeDirectory, mode: 0o755)
            // Nobody else may open it: who can read a file can also lock it, and keep every run from beginning.
            let file = try Descriptor.open(
                fileName(backup), below: directory, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
            // An open file description's lock, not a process's: nothing else that this process closes drops it.
            // The file stays when the run ends: a lock on a name that is removed and made again keeps nobody apart.
            let number = file.number
            var lock = wholeFile(F_WRLCK)
            try retryingInterrupts("lock \(runtimeDirectory)/\(fileName(backup))") {
                fcntl(number, Linux.setDescriptionLock, &lock)
            }
            return file
        } catch {
            guard error.code == EAGAIN || error.operation.hasPrefix("lock") && error.code == EACCES else {
                throw .system(error)
            }
            throw .held(by: look(at: backup, runtimeDirectory: runtimeDirectory).state)
        }
    }

    /// Sees who runs `backup`. It asks without locking, so that looking disturbs no run. Only who may make the run may
    /// look: to others there seems to be none, and they go by the ``RunStateStore``.
    public static func look(at backup: BackupName, runtimeDirectory: String) -> Look {
        let file: Descriptor
        do throws(SystemError) {
            file = try Descriptor.open("\(runtimeDirectory)/\(fileName(backup))", O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        } catch {
            return error.code == ENOENT ? .noFile : Look(isHeld: false, hasFailed: true)
        }
        var lock = wholeFile(F_WRLCK)
        let isHeld = fcntl(file.number, Linux.getDescriptionLock, &lock) == 0 && Int32(lock.l_type) != F_UNLCK
        return Look(isHeld: isHeld, state: state(in: file))
    }

    /// The backup whose lock file is called `name`; nil for another file.
    public static func backup(ofFile name: String) -> BackupName? {
        let ending = "\(suffix)"
        guard name.hasSuffix(ending) else { return nil }
        return try? BackupName(String(name.dropLast(ending.count)))
    }

    /// The backups that have a lock file: those that ran since the machine booted.
    public static func backups(inRuntimeDirectory directory: String) -> [BackupName] {
        DirectoryEntries.stems(in: directory, endingIn: suffix).compactMap { try? BackupName($0) }
    }

    private static func state(in file: borrowing Descriptor) -> RunState? {
        guard let bytes = try? file.readSmallFile(limit: StateLines.maximumLength) else { return nil }
        return String(validating: bytes, as: UTF8.self).flatMap { try? RunState(text: $0) }
    }

    /// Takes the file of `backup` away, of which nothing is to be remembered and nobody but the caller makes runs.
    public static func forget(_ backup: BackupName, runtimeDirectory: String) {
        unlink("\(runtimeDirectory)/\(fileName(backup))")
    }

    private static let suffix: StaticString = ".lock"
    private static func fileName(_ backup: BackupName) -> String { "\(backup.text)\(suffix)" }

    private static func wholeFile(_ type: Int32) -> flock {
        var lock = flock()
        lock.l_type = Int16(type)
        lock.l_whence = Int16(SEEK_SET)
        return lock
    }
}
