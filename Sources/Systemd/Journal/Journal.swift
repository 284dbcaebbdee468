import CLinux
import CSystemd
import Glibc

/// Writes to the systemd journal (sd_journal_send(3)).
public nonisolated enum Journal {
    /// Where journald listens.
    static let socketPath = "/run/systemd/journal/socket"

    /// Hands one record to journald. Values may hold any bytes, newlines too. Whether the record is kept is not known
    /// before it is seen in the journal.
    ///
    /// sd_journal_sendv(3) waits without limit while journald does not read; the datagram is therefore sent from here
    /// (systemd.io/JOURNAL_NATIVE_PROTOCOL). A value that is too long for it is cut.
    /// - Throws: ``SystemError`` where the record could not be handed over: ENOENT and ECONNREFUSED where nobody listens,
    ///   EAGAIN where journald has not read for ``patience``.
    public static func send(_ fields: [(name: String, value: String)]) throws(SystemError) {
        let socket = try connect()
        let end = Clock.monotonic + patience
        while true {
            do throws(SystemError) { return try JournalDatagram(fields).send(to: socket) } catch {
                guard error.code == EAGAIN, Clock.monotonic < end else { throw error }
                Readiness.wait(for: POLLOUT, of: socket.number, until: end)
            }
        }
    }

    /// A connection to where journald listens.
    static func connect() throws(SystemError) -> Descriptor {
        Descriptor(owning: try retryingInterrupts(operation) { lo_connect(socketPath, Int32(SOCK_DGRAM.rawValue)) })
    }

    static let operation = "write to the journal"

    /// How long a journald that does not read is waited for; microseconds.
    private static let patience: UInt64 = 200_000

    /// A stream to the journal, each line of which becomes a record (sd_journal_stream_fd(3)).
    /// - Throws: ``SystemError`` where nobody listens.
    public static func stream(identifier: String) throws(SystemError) -> Descriptor {
        Descriptor(
            owning: try check(sd_journal_stream_fd(identifier, LOG_INFO, 1), "open a stream to the journal"))
    }
}
