import Glibc

/// What /proc says of a process or a thread in `stat` (proc_pid_stat(5)), as far as anybody asks.
public nonisolated struct ProcessStat: Hashable, Sendable {
    /// One letter, such as `D` for uninterruptible sleep or `Z` for a process that has ended and is waited for.
    public let state: Character
    public let parent: Int32
    public let session: Int32
    /// In the kernel's ticks since boot: with the pid it names one process of a boot.
    public let start: UInt64

    /// - Parameter path: the file, `/proc/PID/stat`.
    /// - Returns: nil where there is no such process.
    public init?(at path: String) {
        // The second field, the command's name, is in parentheses and may hold any.
        guard let file = try? Descriptor.open(path, O_RDONLY), let bytes = try? file.readAll(limit: 4096),
            let end = bytes.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = String(decoding: bytes[bytes.index(after: end)...], as: UTF8.self).split(separator: " ")
        // These are fields 3, 4, 6 and 22 of the line.
        guard fields.count > 19, let state = fields[0].first, let parent = Int32(fields[1]), let session = Int32(fields[3]),
            let start = UInt64(fields[19])
        else { return nil }
        (self.state, self.parent, self.session, self.start) = (state, parent, session, start)
    }

    public init?(of pid: Int32) { self.init(at: "/proc/\(pid)/stat") }
}
