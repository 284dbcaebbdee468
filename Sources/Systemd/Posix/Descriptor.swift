public import Glibc

/// Owns one file descriptor and closes it once.
public nonisolated struct Descriptor: ~Copyable, Sendable {
    /// The number, for a call that borrows it.
    public let number: Int32

    /// Takes over `number`, which nobody else may close from now on.
    public init(owning number: Int32) { self.number = number }

    deinit { close(number) }

    /// Opens `path` with O_CLOEXEC added to `flags`, as in open(2).
    public static func open(_ path: String, _ flags: Int32, mode: mode_t = 0) throws(SystemError) -> Descriptor {
        Descriptor(
            owning: try retryingInterrupts("open \(path)") { Glibc.open(path, flags | O_CLOEXEC, mode) })
    }

    /// Opens `name` below the directory `directory`, with O_CLOEXEC added to `flags`, as in openat(2).
    public static func open(
        _ name: String, below directory: borrowing Descriptor, _ flags: Int32, mode: mode_t = 0
    ) throws(SystemError) -> Descriptor {
        let number = directory.number
        return Descriptor(
            owning: try retryingInterrupts("open \(name)") { Glibc.openat(number, name, flags | O_CLOEXEC, mode) })
    }

    /// A second descriptor of the same open file, closed on exec.
    public func duplicate() throws(SystemError) -> Descriptor {
        Descriptor(owning: try retryingInterrupts("duplicate a descriptor") { fcntl(number, F_DUPFD_CLOEXEC, 3) })
    }

    /// Gives the number away: the caller closes it.
    public consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }

    /// fstat(2) of the open file.
    public func status() throws(SystemError) -> stat {
        var buffer = stat()
        try retryingInterrupts("read the status of a file") { fstat(number, &buffer) }
        return buffer
    }

    /// Reads at most `limit` bytes from here to the end.
    public func readAll(limit: Int) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < limit {
            let part = try readPart(limit: min(max(Self.firstPart, bytes.count), limit - bytes.count))
            if part.isEmpty { break }
            if bytes.isEmpty { bytes = part } else { bytes += part }
        }
        return bytes
    }

    /// The first line of the file at `path`, such as an attribute in /sys or /proc; nil where it cannot be read.
    public static func firstLine(of path: String) -> String? {
        guard let file = try? open(path, O_RDONLY), let bytes = try? file.readAll(limit: 4096) else { return nil }
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    /// Reads a regular file of at most `limit` bytes in one call, and says nothing of a longer one but that it is longer.
    /// - Returns: nil where there are more than `limit` bytes.
    ///
    /// A read of a regular file returns less than was asked for at its end only (read(2)), so that the second call, which
    /// elsewhere tells the end, is not needed.
    public func readSmallFile(limit: Int) throws(SystemError) -> [UInt8]? {
        let bytes = try readPart(limit: limit + 1)
        return bytes.count <= limit ? bytes : nil
    }

    private static let firstPart = 4096

    private func readPart(limit: Int) throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, filled in
            do throws(SystemError) {
                filled = try retryingInterrupts("read a file") { read(number, buffer.baseAddress, limit) }
            } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Writes all of `bytes`.
    public func writeAll(_ bytes: some Collection<UInt8>) throws(SystemError) {
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let written = try rest.withUnsafeBufferPointer { (buffer) throws(SystemError) in
                try retryingInterrupts("write a file") { write(number, buffer.baseAddress, buffer.count) }
            }
            rest = rest.dropFirst(written)
        }
    }
}
