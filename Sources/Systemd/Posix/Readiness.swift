import Glibc

/// Waiting for a descriptor (poll(2)).
public nonisolated enum Readiness {
    /// Waits until one of `events` is there, a signal comes, or it is `end`.
    /// - Parameters:
    ///   - events: `POLLIN`, `POLLOUT`.
    ///   - end: of ``Clock/monotonic``, microseconds.
    /// - Returns: whether something is there.
    @discardableResult
    public static func wait(for events: Int32, of number: Int32, until end: UInt64) -> Bool {
        let now = Clock.monotonic
        guard now < end else { return false }
        var watched = pollfd(fd: number, events: Int16(events), revents: 0)
        return poll(&watched, 1, Int32(clamping: (end - now) / 1000 + 1)) > 0
    }
}
