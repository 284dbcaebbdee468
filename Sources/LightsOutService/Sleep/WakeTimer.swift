import Glibc
import LightsOutCore
import Systemd

/// The timer that wakes the machine: CLOCK_REALTIME_ALARM, of which the kernel sets the hardware clock's alarm when it
/// falls asleep.
final class WakeTimer {
    /// Why the machine cannot be woken; nil where it can. Found out once.
    let obstacle: String?

    private let source: EventSource?

    init(_ loop: EventLoop, onElapse: @escaping () -> Void) {
        do throws(SystemError) {
            let source = try loop.at(.max, .realtimeAlarm, onElapse)
            source.disable()
            self.source = source
            obstacle = nil
        } catch {
            source = nil
            obstacle =
                switch error.code {
                case EPERM: "lightsoutd may not set the alarm of the hardware clock (it needs CAP_WAKE_ALARM)"
                case EOPNOTSUPP, EINVAL: "it has no hardware clock (RTC) that could"
                default: "the alarm of the hardware clock cannot be set (\(error.reason))"
                }
        }
    }

    /// Sets the alarm; nil for none.
    func arm(_ time: Timestamp?) throws(SystemError) {
        guard let source else { return }
        guard let time else { return source.disable() }
        try source.rearm(at: UInt64(max(0, time.microseconds)))
    }
}
