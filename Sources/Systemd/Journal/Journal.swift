import CSystemd
import Glibc

/// Writes to the systemd journal (sd_journal_send(3)).
public nonisolated enum Journal {
    /// Where journald listens. sd_journal_sendv(3) says "sent" also when nobody does; who must know asks first.
    private static let socketPath = "/run/systemd/journal/socket"

    /// Writes one record. Values may hold any bytes, newlines too.
    /// - Throws: ``SystemError`` where the record could not be handed to journald: ENOENT where there is none.
    public static func send(_ fields: [(name: String, value: String)]) throws(SystemError) {
        guard access(socketPath, W_OK) == 0 else {
            throw SystemError(code: errno, operation: "write to the journal")
        }
        var buffers = fields.map { field in Array("\(field.name)=\(field.value)".utf8) }
        var vectors: [iovec] = []
        vectors.reserveCapacity(buffers.count)
        let result = withPinned(&buffers, &vectors) { sd_journal_sendv($0.baseAddress, Int32($0.count)) }
        try check(result, "write to the journal")
    }

    /// A stream to the journal, each line of which becomes a record (sd_journal_stream_fd(3)).
    /// - Throws: ``SystemError`` where nobody listens.
    public static func stream(identifier: String) throws(SystemError) -> Descriptor {
        Descriptor(
            owning: try check(sd_journal_stream_fd(identifier, LOG_INFO, 1), "open a stream to the journal"))
    }

    /// Calls `body` with vectors over `buffers`, which stay where they are for as long as it runs.
    private static func withPinned(
        _ buffers: inout [[UInt8]], _ vectors: inout [iovec], _ body: (UnsafeBufferPointer<iovec>) -> Int32
    ) -> Int32 {
        let next = vectors.count
        guard next < buffers.count else { return vectors.withUnsafeBufferPointer(body) }
        var buffer = buffers[next]
        return buffer.withUnsafeMutableBytes { bytes in
            vectors.append(iovec(iov_base: bytes.baseAddress, iov_len: bytes.count))
            return withPinned(&buffers, &vectors, body)
        }
    }
}
