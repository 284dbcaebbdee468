public import Systemd

/// Passes on the progress of a run no more often than somebody can look: the first value at once, then at most one in
/// each ``interval``, and always the last. What it costs does not depend on how many come.
public final class ProgressThrottle {
    /// Microseconds.
    public static let interval: UInt64 = 250_000

    private let loop: EventLoop
    private let publish: (UInt8) -> Void
    private var last: UInt8?
    private var waiting: UInt8?
    private var timer: EventSource?
    private var isResting = false

    /// - Parameter last: what was published before, by a process that is gone.
    public init(loop: EventLoop, last: UInt8? = nil, publish: @escaping (UInt8) -> Void) {
        self.loop = loop
        self.last = last
        self.publish = publish
    }

    public func report(_ percent: UInt8) {
        guard !isResting else {
            waiting = percent
            return
        }
        tell(percent)
    }

    private func tell(_ percent: UInt8) {
        guard percent != last else { return }
        last = percent
        publish(percent)
        rest()
    }

    private func rest() {
        do throws(SystemError) {
            if let timer {
                try timer.rearm(at: Clock.monotonic + Self.interval)
            } else {
                timer = try loop.after(Self.interval) { [unowned self] in wake() }
            }
            isResting = true
        } catch {
            // Without a timer each value is told when it comes: more than wanted, and none is lost.
            isResting = false
        }
    }

    private func wake() {
        isResting = false
        guard let percent = waiting else { return }
        waiting = nil
        tell(percent)
    }
}
