import Glibc
import LightsOutCore
import Systemd

/// Keeps two runs of one backup apart, whoever begins them: a locked file in the runtime directory
/// (`/run/lightsout/NAME.lock`). The kernel gives the lock back when its holder ends, however it ends.
public nonisolated struct RunExclusion: ~Copyable {
    /// Who holds it, as the file says.
    public struct Holder: Equatable, Sendable {
        public let pid: pid_t
        public let since: Timestamp
    }

    /// Why it could not be had.
    public enum Failure: Error {
        /// A run is under way; who runs it is nil in the instant before its process has said so.
        case held(by: Holder?)
        case system(SystemError)
    }

    private let file: Descriptor

    /// Takes the right to run `backup`.
    public init(_ backup: BackupName, runtimeDirectory: String) throws(Failure) {
        file = try Self.lockedFile(backup, runtimeDirectory)
    }

    private static func lockedFile(_ backup: BackupName, _ runtimeDirectory: String) throws(Failure) -> Descriptor {
        let name = "\(backup.text).lock"
        do throws(SystemError) {
            let directory = try AtomicFile.openDirectory(runtimeDirectory, mode: 0o755)
            let file = try Descriptor.open(name, below: directory, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o644)
            // An open file description's lock, not a process's: nothing else that this process closes drops it.
            // The file stays when the run ends: a lock on a name that is removed and made again keeps nobody apart.
            let number = file.number
            var lock = wholeFile(F_WRLCK)
            do throws(SystemError) {
                try retryingInterrupts("lock \(runtimeDirectory)/\(name)") { fcntl(number, Linux.setDescriptionLock, &lock) }
            } catch {
                guard error.code == EAGAIN || error.code == EACCES else { throw error }
                throw SystemError(code: EWOULDBLOCK, operation: "lock \(runtimeDirectory)/\(name)")
            }
            try retryingInterrupts("empty the lock file") { ftruncate(number, 0) }
            try file.writeAll("\(getpid()) \(Clock.realtime)\n".utf8)
            return file
        } catch {
            guard error.code == EWOULDBLOCK else { throw .system(error) }
            throw .held(by: holder(of: backup, runtimeDirectory: runtimeDirectory))
        }
    }

    /// Who runs `backup` now; nil where nobody does. It asks without locking, so that looking disturbs no run.
    public static func holder(of backup: BackupName, runtimeDirectory: String) -> Holder? {
        guard
            let file = try? Descriptor.open(
                "\(runtimeDirectory)/\(backup.text).lock", O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        else { return nil }
        var lock = wholeFile(F_WRLCK)
        guard fcntl(file.number, Linux.getDescriptionLock, &lock) == 0, Int32(lock.l_type) != F_UNLCK else { return nil }
        return holder(in: file)
    }

    private static func wholeFile(_ type: Int32) -> Glibc.flock {
        var lock = Glibc.flock()
        lock.l_type = Int16(type)
        lock.l_whence = Int16(SEEK_SET)
        return lock
    }

    private static func holder(in file: borrowing Descriptor) -> Holder? {
        guard let bytes = try? file.readAll(limit: 64), let text = String(validating: bytes, as: UTF8.self) else {
            return nil
        }
        let parts = text.split(whereSeparator: \.isWhitespace)
        guard parts.count == 2, let pid = pid_t(parts[0]), let since = Int64(parts[1]) else { return nil }
        return Holder(pid: pid, since: Timestamp(microseconds: since))
    }
}
