import CLinux
import Glibc

extension EventLoop {
    /// Calls `handler` whenever CLOCK_REALTIME is set, ahead or back (TFD_TIMER_CANCEL_ON_SET of timerfd_create(2)).
    /// A resume from sleep counts as well: the kernel sets the clock then.
    public func onClockSet(_ handler: @escaping () -> Void) throws(SystemError) -> ClockWatch {
        try ClockWatch(self, handler)
    }
}

/// Keeps the watch of ``EventLoop/onClockSet(_:)``.
public final class ClockWatch {
    private let timer: Descriptor
    private var source: EventSource?

    fileprivate init(_ loop: EventLoop, _ handler: @escaping () -> Void) throws(SystemError) {
        let timer = Descriptor(
            owning: try retryingInterrupts("watch the clock") {
                timerfd_create(CLOCK_REALTIME, Int32(TFD_CLOEXEC | TFD_NONBLOCK))
            })
        let number = timer.number
        try retryingInterrupts("watch the clock") { lo_watch_clock(number) }
        self.timer = timer
        source = try loop.onEvents(UInt32(EPOLLIN.rawValue), of: number) { _ in
            var count: UInt64 = 0
            let got = read(number, &count, MemoryLayout<UInt64>.size)
            guard got < 0, errno == ECANCELED else { return }
            // Armed anew first: a second change while the first is dealt with is not lost.
            _ = lo_watch_clock(number)
            handler()
        }
    }
}
