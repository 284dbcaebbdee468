import Glibc
import LightsOutCore
import Systemd

/// Carries what the script prints from a pipe into the journal's stream, line by line as it comes, through an
/// ``OutputFilter``; a last line that the script did not end is ended, so that journald does not keep it back until after
/// the result.
///
/// The stream itself is no good for a script: it breaks when journald is stopped, and SIGPIPE would end the script; and
/// being a socket it cannot be opened by name (`echo … >/dev/stderr`). The pipe stays. When the stream breaks, a new one
/// is asked for; until there is one the output is counted and dropped, so that the backup goes on. A journald that is
/// merely slow slows the script down as ever: nothing is piled up here but one buffer.
final class OutputRelay {
    /// Bytes that no journal took.
    private(set) var lost: UInt64 = 0

    private let loop: EventLoop
    /// Those of our standard output and error that are the stream to journald.
    private let streams: [Int32]
    private let identifier: String
    private let pipe: Pipe
    private var pipeSource: EventSource?
    private var streamSource: EventSource?

    private var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    private var filter = OutputFilter()
    /// What is still to be sent.
    private var waiting: ArraySlice<UInt8> = []
    /// Fires when the filter has something to give without new output.
    private var deadline: EventSource?
    private var deadlineTime: UInt64?
    private var isBroken = false
    private var nextAttempt: UInt64 = 0

    /// How often a new stream is asked for, and how long the last output may take; microseconds.
    private static let attemptsEvery: UInt64 = 1_000_000
    private static let patience: UInt64 = 5_000_000

    /// - Parameters:
    ///   - streams: `STDOUT_FILENO`, `STDERR_FILENO`, or both where they are one stream.
    ///   - user: who may open the script's end by name.
    init(_ streams: [Int32], identifier: String, user: User, loop: EventLoop) throws(SystemError) {
        self.loop = loop
        self.streams = streams
        self.identifier = identifier
        pipe = try Pipe(owner: user)
        pipeSource = try loop.onEvents(Linux.canBeRead, of: pipe.exit.number) { [unowned self] _ in carry() }
    }

    /// The pipe's end for the script; it goes from here with ``scriptHasStarted()``.
    func duplicateEntrance() throws(SystemError) -> Descriptor { try pipe.duplicateEntrance() }

    /// Leaves the pipe's end to the script alone.
    func scriptHasStarted() { pipe.closeEntrance() }

    /// Hands on what is left after the last of the script's processes has ended.
    func finish() {
        pipeSource = nil
        streamSource = nil
        let end = Clock.monotonic + Self.patience
        send(until: end)
        while fill() && Clock.monotonic < end { send(until: end) }
        deadline = nil
        waiting += filter.finish()
        send(until: end)
        drop()
    }

    /// Sends what waits, and waits for the stream until `end`.
    private func send(until end: UInt64) {
        flush()
        while !waiting.isEmpty && Clock.monotonic < end {
            Readiness.wait(for: POLLOUT, of: streams[0], until: end)
            flush()
        }
    }

    private func carry() {
        guard fill() else { return }
        hand()
    }

    /// Sends what waits; what the stream does not take is sent when it does.
    private func hand() {
        flush()
        watchDeadline()
        guard !waiting.isEmpty, streamSource == nil else { return }
        // journald is behind: the script waits for it, in its own write(2).
        pipeSource?.disable()
        streamSource = try? loop.onEvents(Linux.canBeWritten, of: streams[0]) { [unowned self] _ in
            flush()
            if waiting.isEmpty { resume() }
        }
        if streamSource == nil { drop(); resume() }
    }

    private func resume() {
        streamSource = nil
        pipeSource?.enable()
    }

    private func watchDeadline() {
        guard filter.deadline != deadlineTime else { return }
        deadlineTime = filter.deadline
        deadline = deadlineTime.flatMap { time in
            let now = Clock.monotonic
            return try? loop.after(time > now ? time - now : 0) { [unowned self] in
                deadlineTime = nil
                waiting += filter.tick(now: Clock.monotonic)
                hand()
            }
        }
    }

    /// Reads from the pipe where all that was read has gone.
    /// - Returns: whether there was something to read, or is something to send.
    private func fill() -> Bool {
        guard waiting.isEmpty else { return true }
        let exit = pipe.exit.number
        let count = buffer.withUnsafeMutableBytes { read(exit, $0.baseAddress, $0.count) }
        if count > 0 {
            let now = Clock.monotonic
            let output = buffer.withUnsafeBytes { filter.take(UnsafeRawBufferPointer(rebasing: $0[..<count]), now: now) }
            waiting = output[...]
        } else if count == 0 {
            pipeSource = nil // nobody is left who could write
        }
        return count > 0
    }

    /// Sends as much as the stream takes without waiting.
    private func flush() {
        while !waiting.isEmpty {
            if isBroken && !renewStream() { return drop() }
            let sent = waiting.withUnsafeBytes {
                Glibc.send(streams[0], $0.baseAddress, $0.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
            }
            if sent >= 0 {
                waiting = waiting.dropFirst(sent)
            } else if errno == EAGAIN || errno == ENOBUFS {
                return
            } else if errno != EINTR {
                isBroken = true
            }
        }
    }

    private func drop() {
        lost += UInt64(waiting.count)
        waiting = []
    }

    /// Puts a new stream to journald in the place of the broken one, also for what we say ourselves.
    private func renewStream() -> Bool {
        guard Clock.monotonic >= nextAttempt else { return false }
        nextAttempt = Clock.monotonic + Self.attemptsEvery
        guard let stream = try? Journal.stream(identifier: identifier) else { return false }
        for number in streams { dup2(stream.number, number) }
        isBroken = false
        return true
    }
}

extension OutputRelay {
    /// The relays of standard output and standard error: one and the same where both go to one place, so that lines keep
    /// their order; nil where our own stream is handed on as it is.
    struct Pair {
        private(set) var output: OutputRelay?
        private(set) var errors: OutputRelay?

        /// No relays.
        init() {}

        /// Relays for those of our streams that are sockets: in a unit, the journal's.
        init(of backup: BackupName, for user: User, loop: EventLoop) throws(SystemError) {
            let identifier = "\(backup)_backup"
            let (output, errors) = (FileStatus(STDOUT_FILENO), FileStatus(STDERR_FILENO))
            if output.isSocket && output == errors {
                let both = try OutputRelay(
                    [STDOUT_FILENO, STDERR_FILENO], identifier: identifier, user: user, loop: loop)
                (self.output, self.errors) = (both, both)
                return
            }
            if output.isSocket {
                self.output = try OutputRelay([STDOUT_FILENO], identifier: identifier, user: user, loop: loop)
            }
            if errors.isSocket {
                self.errors = try OutputRelay([STDERR_FILENO], identifier: identifier, user: user, loop: loop)
            }
        }

        /// Each relay once.
        var all: [OutputRelay] { [output, errors === output ? nil : errors].compactMap { $0 } }
    }

    /// What is behind one of our own streams.
    private struct FileStatus: Equatable {
        let isSocket: Bool
        let device: dev_t
        let inode: ino_t

        init(_ number: Int32) {
            var status = stat()
            fstat(number, &status)
            isSocket = status.st_mode & S_IFMT == S_IFSOCK
            (device, inode) = (status.st_dev, status.st_ino)
        }
    }

    /// A pipe whose exit never waits.
    private final class Pipe {
        let exit: Descriptor
        private var entrance: Descriptor?

        /// - Parameter owner: who may open it by name, as `/dev/stdout`.
        init(owner: User) throws(SystemError) {
            var ends: (Int32, Int32) = (-1, -1)
            try retryingInterrupts("make a pipe for the output") {
                withUnsafeMutableBytes(of: &ends) { Glibc.pipe($0.assumingMemoryBound(to: Int32.self).baseAddress) }
            }
            exit = Descriptor(owning: ends.0)
            entrance = Descriptor(owning: ends.1)
            // pipe2(2) is not to be had; nothing can be executed between, for there is one thread.
            for end in [ends.0, ends.1] {
                try retryingInterrupts("make a pipe for the output") { fcntl(end, F_SETFD, FD_CLOEXEC) }
            }
            try retryingInterrupts("make a pipe for the output") { fcntl(ends.0, F_SETFL, O_NONBLOCK) }
            if owner.uid != geteuid() {
                try retryingInterrupts("give the output's pipe to \(owner.name)") {
                    fchown(ends.1, owner.uid, owner.gid)
                }
            }
        }

        func duplicateEntrance() throws(SystemError) -> Descriptor {
            guard let copy = try entrance?.duplicate() else {
                throw SystemError(code: EBADF, operation: "hand on the output")
            }
            return copy
        }

        func closeEntrance() { entrance = nil }
    }
}
