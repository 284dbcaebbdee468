import LightsOutCore
import LightsOutRunner
import Systemd

/// Sees the machine's sleeps for all reported backups, as ``RunSleepWatch`` does for one run.
final class LeaseSleeps {
    private let bus: Bus
    private let see: ((inout SleptTimes) -> Void) -> Void
    private var signals: BusSlot?
    private var clock: ClockWatch?
    private var question: SleepUnits.Question?
    private var begun: UInt64 = 0

    init(_ bus: Bus, _ loop: EventLoop, see: @escaping ((inout SleptTimes) -> Void) -> Void) {
        self.bus = bus
        self.see = see
        clock = try? loop.onClockSet { see { $0.look(.now, isPermitted: false) } }
        signals = try? bus.matchAsync(Logind.prepareForSleepRule) { [unowned self] message in
            guard let isBeginning = try? message.readBool() else { return }
            if isBeginning { begins() } else { ends() }
        }
    }

    private func begins() {
        begun = Clock.monotonic
        see { $0.begins(.now, isPermitted: false) }
    }

    private func ends() {
        let clocks = SleptTimes.Clocks.now
        question = try? SleepUnits.findFailure(since: begun, on: bus) { [unowned self] hasFailed in
            question = nil
            see { $0.ends(clocks, isPermitted: false) { _ in hasFailed } }
        }
    }
}
