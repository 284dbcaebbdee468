import LightsOutCore
import Systemd

/// Sees the machine sleep during one run: by the clock, which the kernel sets at each resume, and by logind's signals.
final class RunSleepWatch {
    private(set) var times: SleptTimes
    private let lock: StandbyLock
    private var clock: ClockWatch?
    private let tell: (String) -> Void

    /// - Parameter tell: told of each sleep when it is over, with all so far in one sentence.
    init(_ lock: StandbyLock, loop: EventLoop, tell: @escaping (String) -> Void) {
        self.lock = lock
        self.tell = tell
        times = SleptTimes(Self.now)
        clock = try? loop.onClockSet { [unowned self] in
            change { $0.look(Self.now, isPermitted: lock.isLetGo) }
        }
        lock.onSleep = { [unowned self] isBeginning in
            change {
                if isBeginning {
                    $0.begins(Self.now, isPermitted: lock.isLetGo)
                } else {
                    $0.ends(Self.now, isPermitted: lock.isLetGo) { SleepUnits.hasFailed(since: $0.monotonic) }
                }
            }
        }
    }

    /// The run is over.
    func finish() {
        change { $0.finish(Self.now, isPermitted: lock.isLetGo) }
        clock = nil
        lock.onSleep = { _ in }
    }

    /// All sleeps so far; nil if there was none.
    var text: String? { times.text { LocalTime.short($0.microseconds) } }

    private func change(_ event: (inout SleptTimes) -> Void) {
        let before = times.count
        event(&times)
        if times.count != before, let text { tell(text) }
    }

    private static var now: SleptTimes.Clocks { .now }
}

extension SleptTimes.Clocks {
    /// The clocks as they are.
    public nonisolated static var now: SleptTimes.Clocks {
        SleptTimes.Clocks(realtime: Clock.realtime, monotonic: Clock.monotonic, boottime: Clock.boottime)
    }
}
