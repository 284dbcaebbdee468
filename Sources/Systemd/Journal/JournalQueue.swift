import CLinux
import Glibc

/// Writes records to the journal and never waits: while journald does not read, they are kept in their order and sent when it
/// reads again. For whoever has an event loop that others depend on.
public final class JournalQueue {
    private let loop: EventLoop
    private var waiting: ArraySlice<JournalDatagram> = []
    private var socket: JournalSocket?
    private var writable: EventSource?
    private var lost = 0

    /// Records of a daemon are a few hundred bytes.
    static let limit = 2000

    public init(_ loop: EventLoop) { self.loop = loop }

    /// Hands a record over, now or when journald reads again.
    /// - Throws: ``SystemError`` where nobody listens.
    public func send(_ fields: [(name: String, value: String)]) throws(SystemError) {
        let datagram = JournalDatagram(fields)
        guard waiting.isEmpty else { return keep(datagram) }
        let socket = JournalSocket(try Journal.connect())
        do throws(SystemError) { try datagram.send(to: socket.descriptor) } catch {
            guard error.code == EAGAIN else { throw error }
            keep(datagram)
            try wait(socket)
        }
    }

    /// How many records wait for journald.
    public var count: Int { waiting.count }

    private func keep(_ datagram: JournalDatagram) {
        if waiting.count >= Self.limit {
            waiting.removeFirst()
            lost += 1
        }
        waiting.append(datagram)
    }

    private func wait(_ socket: JournalSocket) throws(SystemError) {
        self.socket = socket
        writable = try loop.onEvents(Linux.canBeWritten, of: socket.descriptor.number) { [unowned self] _ in flush() }
    }

    /// Sends what waits, as far as journald takes it.
    private func flush() {
        guard let socket else { return }
        while let next = waiting.first {
            do throws(SystemError) { try next.send(to: socket.descriptor) } catch {
                if error.code == EAGAIN { return }
                // journald was started anew, or is gone: then nobody takes these.
                return connectAgain(error)
            }
            waiting.removeFirst()
        }
        tellLoss(socket)
        stopWaiting()
    }

    private func connectAgain(_ error: SystemError) {
        stopWaiting()
        do throws(SystemError) {
            let socket = JournalSocket(try Journal.connect())
            if let next = waiting.first {
                do throws(SystemError) { try next.send(to: socket.descriptor) } catch {
                    guard error.code == EAGAIN else { throw error }
                    return try wait(socket)
                }
                waiting.removeFirst()
            }
            try wait(socket)
        } catch {
            StandardError.say("the journal cannot be written to: \(error.reason). \(waiting.count) records are not in it")
            waiting = []
        }
    }

    private func tellLoss(_ socket: JournalSocket) {
        guard lost > 0 else { return }
        let text = "\(lost) records are not in the journal: journald did not read for too long"
        try? JournalDatagram([("MESSAGE", text), ("PRIORITY", "4"), ("SYSLOG_IDENTIFIER", "lightsout")]).send(to: socket.descriptor)
        lost = 0
    }

    private func stopWaiting() {
        writable = nil
        socket = nil
    }

    /// Sends what waits before the process ends.
    /// - Parameter patience: how long journald may take, microseconds.
    public func finish(patience: UInt64 = 1_000_000) {
        let end = Clock.monotonic + patience
        while !waiting.isEmpty, let socket, Clock.monotonic < end {
            Readiness.wait(for: POLLOUT, of: socket.descriptor.number, until: end)
            flush()
        }
    }
}

/// A descriptor that a class may hold and let go.
private final class JournalSocket {
    let descriptor: Descriptor
    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
}
