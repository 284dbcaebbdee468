import CLinux
import Glibc

/// Files that are whole at every instant, also across a crash: written beside, made durable, renamed over.
public nonisolated enum AtomicFile {
    /// Makes `name` in the directory `directory` hold `text`.
    /// - Parameter durable: whether it must outlive a loss of power: the file and then its directory are fsynced.
    public static func write(
        _ text: String, to name: String, below directory: borrowing Descriptor, mode: UInt32, durable: Bool
    ) throws(SystemError) {
        let temporary = ".\(name).new"
        let number = directory.number
        let file = try Descriptor.open(
            temporary, below: directory, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: mode)
        do throws(SystemError) {
            try file.writeAll(text.utf8)
            if durable { try retryingInterrupts("make \(name) durable") { fsync(file.number) } }
            try retryingInterrupts("rename \(temporary)") { renameat(number, temporary, number, name) }
            if durable { try retryingInterrupts("make \(name) durable") { fsync(number) } }
        } catch {
            unlinkat(number, temporary, 0)
            throw error
        }
    }

    /// Removes `name` from the directory `directory`, durably; it need not be there.
    public static func remove(_ name: String, below directory: borrowing Descriptor) throws(SystemError) {
        let number = directory.number
        do throws(SystemError) {
            try retryingInterrupts("remove \(name)") { unlinkat(number, name, 0) }
        } catch {
            if error.code == ENOENT { return }
            throw error
        }
        try retryingInterrupts("make the removal of \(name) durable") { fsync(number) }
    }

    /// Waits until all that was written to the file system of `directory` is on the disk.
    public static func synchronise(_ directory: borrowing Descriptor) throws(SystemError) {
        let number = directory.number
        try retryingInterrupts("wait for the disk") { lo_syncfs(number) }
    }

    /// The text of `name` in `directory`; nil where it does not exist.
    /// - Throws: ``SystemError``; EFBIG where it is longer than `limit` bytes, EILSEQ where it is no UTF-8, EINVAL
    ///   where it is no regular file.
    public static func read(
        _ name: String, below directory: borrowing Descriptor, limit: Int
    ) throws(SystemError) -> String? {
        let number = directory.number
        return try read(name, limit: limit) { flags in openat(number, name, flags) }
    }

    /// The same of the file `path`; nil also where its directory does not exist.
    public static func read(_ path: String, limit: Int) throws(SystemError) -> String? {
        try read(path, limit: limit) { flags in open(path, flags) }
    }

    private static func read(
        _ name: String, limit: Int, _ open: (_ flags: Int32) -> Int32
    ) throws(SystemError) -> String? {
        let file: Descriptor
        do throws(SystemError) {
            let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC
            file = Descriptor(owning: try retryingInterrupts("open \(name)") { open(flags) })
        } catch {
            if error.code == ENOENT { return nil }
            throw error
        }
        guard try file.status().st_mode & S_IFMT == S_IFREG else {
            throw SystemError(code: EINVAL, operation: "read \(name), which is no regular file")
        }
        guard let bytes = try file.readSmallFile(limit: limit) else {
            throw SystemError(code: EFBIG, operation: "read \(name)")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw SystemError(code: EILSEQ, operation: "read \(name)")
        }
        return text
    }

    /// Opens the directory `path`, made with its parents where it is missing.
    public static func openDirectory(_ path: String, mode: UInt32) throws(SystemError) -> Descriptor {
        do throws(SystemError) {
            return try Descriptor.open(path, O_RDONLY | O_DIRECTORY)
        } catch {
            guard error.code == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
                throw error
            }
            _ = try openDirectory(String(path[..<slash]), mode: 0o755)
            if mkdir(path, mode) < 0, errno != EEXIST {
                throw SystemError(code: errno, operation: "make the directory \(path)")
            }
            return try Descriptor.open(path, O_RDONLY | O_DIRECTORY)
        }
    }
}
