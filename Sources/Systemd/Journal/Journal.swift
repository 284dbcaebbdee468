import CLinux
import CSystemd
import Glibc

/// Writes to the systemd journal (sd_journal_send(3)).
public nonisolated enum Journal {
    /// Where journald listens.
    private static let socketPath = "/run/systemd/journal/socket"

    /// Hands one record to journald. Values may hold any bytes, newlines too. Whether the record is kept is not known
    /// before it is seen in the journal.
    ///
    /// sd_journal_sendv(3) waits without limit while journald does not read; the datagram is therefore sent from here
    /// (systemd.io/JOURNAL_NATIVE_PROTOCOL), and a record that is too large for one goes by the library.
    /// - Throws: ``SystemError`` where the record could not be handed over: ENOENT and ECONNREFUSED where nobody listens,
    ///   EAGAIN where journald has not read for ``patience``.
    public static func send(_ fields: [(name: String, value: String)]) throws(SystemError) {
        let operation = "write to the journal"
        let socket = Descriptor(
            owning: try retryingInterrupts(operation) { lo_connect(socketPath, Int32(SOCK_DGRAM.rawValue)) })
        let datagram = encode(fields)
        let number = socket.number
        let end = Clock.monotonic + patience
        while true {
            do throws(SystemError) {
                try retryingInterrupts(operation) { Glibc.send(number, datagram, datagram.count, Int32(MSG_NOSIGNAL)) }
                return
            } catch {
                switch error.code {
                case EMSGSIZE, ENOBUFS: return try sendLarge(fields)
                case EAGAIN where Clock.monotonic < end: Readiness.wait(for: POLLOUT, of: number, until: end)
                default: throw error
                }
            }
        }
    }

    /// How long a journald that does not read is waited for; microseconds.
    private static let patience: UInt64 = 200_000

    private static func encode(_ fields: [(name: String, value: String)]) -> [UInt8] {
        var bytes: [UInt8] = []
        for field in fields {
            bytes += field.name.utf8
            if field.value.utf8.contains(UInt8(ascii: "\n")) {
                bytes.append(UInt8(ascii: "\n"))
                withUnsafeBytes(of: UInt64(field.value.utf8.count).littleEndian) { bytes += $0 }
            } else {
                bytes.append(UInt8(ascii: "="))
            }
            bytes += field.value.utf8
            bytes.append(UInt8(ascii: "\n"))
        }
        return bytes
    }

    private static func sendLarge(_ fields: [(name: String, value: String)]) throws(SystemError) {
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
