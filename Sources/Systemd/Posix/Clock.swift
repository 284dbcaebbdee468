import CLinux
import Glibc

/// Readings of the kernel's clocks in microseconds, as sd-event and the journal count them; see clock_gettime(2).
public nonisolated enum Clock {
    /// CLOCK_REALTIME: the wall clock, since 1970; jumps when it is set.
    public static var realtime: Int64 { Int64(read(CLOCK_REALTIME)) }
    /// CLOCK_MONOTONIC: since boot; stands still while the machine sleeps.
    public static var monotonic: UInt64 { read(CLOCK_MONOTONIC) }
    /// CLOCK_BOOTTIME: since boot; counts sleep too.
    public static var boottime: UInt64 { read(CLOCK_BOOTTIME) }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        // It fails only for a clock that the kernel does not have, and every Linux has these.
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
    }
}
