import CLinux
import Glibc

/// An alarm of the kernel's that wakes a suspended machine (CLOCK_REALTIME_ALARM), without an event loop.
public nonisolated enum KernelAlarm {
    /// Sets one for that second since 1970. It is taken back when the descriptor is closed.
    /// - Throws: ``SystemError``; EPERM without CAP_WAKE_ALARM, EOPNOTSUPP or EINVAL without a hardware clock.
    public static func set(at seconds: Int64) throws(SystemError) -> Descriptor {
        Descriptor(owning: try retryingInterrupts("set an alarm that wakes the machine") { lo_wake_timer(seconds) })
    }
}
