import CLinux
import Glibc

/// Waits until journald has dealt with everything that was sent to it before, as `journalctl --sync` does. What is not in
/// the journal then was dropped, and does not come any more.
///
/// It is a call of the interface io.systemd.Journal over varlink.org's protocol; only root may make it.
public final class JournalSync {
    private nonisolated static let path = "/run/systemd/journal/io.systemd.journal"
    private nonisolated static let call = Array(#"{"method":"io.systemd.Journal.Synchronize","parameters":{}}"#.utf8) + [0]
    private nonisolated static let longestReply = 4096

    private let connection: Descriptor
    private var reply: [UInt8] = []
    private var sources: [EventSource] = []
    private var done: ((Bool) -> Void)?

    /// Asks journald, and waits for its answer in `loop`.
    /// - Parameters:
    ///   - timeout: how long it may take; microseconds.
    ///   - done: told once whether journald has dealt with everything.
    /// - Throws: ``SystemError`` where journald cannot be asked.
    public init(_ loop: EventLoop, timeout: UInt64, done: @escaping (Bool) -> Void) throws(SystemError) {
        connection = try Self.ask()
        self.done = done
        sources = [
            try loop.onEvents(Linux.canBeRead, of: connection.number) { [unowned self] _ in read() },
            try loop.after(timeout) { [unowned self] in finish(false) },
        ]
    }

    /// Asks journald, and blocks until it answers.
    /// - Parameter timeout: how long it may take; microseconds.
    /// - Returns: whether journald has dealt with everything.
    public nonisolated static func wait(timeout: UInt64) -> Bool {
        guard let connection = try? ask() else { return false }
        let end = Clock.monotonic + timeout
        var reply: [UInt8] = []
        while Clock.monotonic < end {
            guard Readiness.wait(for: POLLIN, of: connection.number, until: end) else { continue }
            if let answer = take(from: connection, into: &reply) { return answer }
        }
        return false
    }

    private nonisolated static func ask() throws(SystemError) -> Descriptor {
        let connection = Descriptor(
            owning: try retryingInterrupts("ask journald") { lo_connect(path, Int32(SOCK_STREAM.rawValue)) })
        let number = connection.number
        try retryingInterrupts("ask journald") { send(number, call, call.count, Int32(MSG_NOSIGNAL)) }
        return connection
    }

    /// Reads what there is.
    /// - Returns: the answer, where it is complete.
    private nonisolated static func take(from connection: borrowing Descriptor, into reply: inout [UInt8]) -> Bool? {
        var part = [UInt8](repeating: 0, count: 1024)
        let count = recv(connection.number, &part, part.count, Int32(MSG_DONTWAIT))
        if count < 0 { return errno == EAGAIN || errno == EINTR ? nil : false }
        reply += part.prefix(count)
        if count == 0 || reply.count > longestReply { return false }
        guard reply.last == 0 else { return nil }
        return !String(decoding: reply, as: UTF8.self).contains(#""error""#)
    }

    private func read() {
        if let answer = Self.take(from: connection, into: &reply) { finish(answer) }
    }

    private func finish(_ isSynced: Bool) {
        sources = []
        let done = done
        self.done = nil
        done?(isSynced)
    }
}
