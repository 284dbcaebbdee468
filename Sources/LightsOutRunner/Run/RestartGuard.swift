import Glibc
import Systemd

/// Keeps a run alive when somebody restarts its unit.
///
/// systemd stops a unit in order to restart it. For these units it then sends SIGURG (`RestartKillSignal=`), which a script
/// ignores by default, and waits for the run's end. The guard removes that time limit and cancels the job, so that the
/// caller gets an answer at once and nothing starts a second time. From then on systemd regards the unit as being stopped
/// and sends no signal for a later stop, so the guard watches systemd's jobs for one.
final class RestartGuard {
    /// What a new job for the unit leads to.
    enum Verdict: Equatable {
        case cancel
        case stop
        case leave

        nonisolated init(jobType: String) {
            switch jobType {
            case "stop": self = .stop
            case "restart", "start": self = .cancel
            default: self = .leave
            }
        }
    }

    /// The signal that `RestartKillSignal=` of the unit names.
    static let signal = SIGURG

    /// Longer than any backup; systemd takes no infinite time here.
    private static let farAway: UInt64 = 100 * 365 * 86_400 * 1_000_000

    private let unit: String
    private let loop: EventLoop
    private let onRefusal: (_ jobType: String) -> Void
    private let onStop: () -> Void
    private let onProblem: (String) -> Void
    private var bus: Bus?
    private var subscriptions: [BusSlot] = []
    private var retry: EventSource?

    init(
        unit: String, loop: EventLoop, onRefusal: @escaping (_ jobType: String) -> Void, onStop: @escaping () -> Void,
        onProblem: @escaping (String) -> Void
    ) {
        self.unit = unit
        self.loop = loop
        self.onRefusal = onRefusal
        self.onStop = onStop
        self.onProblem = onProblem
    }

    /// Refuses the restart that systemd has just begun, and from then on every start and restart until the run ends.
    func refuseRestart() {
        ServiceManager.extendTimeout(Self.farAway)
        if bus == nil { connect(saysProblem: true) } else { handleJobs() }
    }

    func close() {
        retry = nil
        subscriptions = []
        bus?.close()
        bus = nil
    }

    /// Connects to systemd directly: its signals then come without a subscription, also while the bus is down.
    private func connect(saysProblem: Bool) {
        do throws(BusError) {
            let bus: Bus
            do throws(SystemError) {
                bus = try Bus.systemdItself()
                try bus.attach(to: loop)
            } catch { throw BusError(error) }
            self.bus = bus
            subscriptions = [
                try bus.match(SignalRule(.peer, interface: "org.freedesktop.systemd1.Manager", member: "JobNew")) {
                    [unowned self] message in
                    guard (try? message.readUInt32()) != nil, (try? message.readObjectPath()) != nil,
                        (try? message.readString()) == unit
                    else { return }
                    handleJobs()
                },
                try bus.onDisconnect { [unowned self] in connectAgain() },
            ]
        } catch {
            if saysProblem { onProblem("\(error)") }
            return connectAgain()
        }
        handleJobs()
    }

    /// systemd closes its connections when it executes itself again (`systemctl daemon-reexec`).
    private func connectAgain() {
        close()
        retry = try? loop.after(1_000_000) { [unowned self] in connect(saysProblem: false) }
    }

    private func handleJobs() {
        guard let bus else { return }
        do throws(BusError) {
            for job in try SystemJob.all(bus) where job.unit == unit {
                switch Verdict(jobType: job.type) {
                case .leave: break
                case .stop: onStop()
                case .cancel:
                    try bus.call(
                        Bus.Address("org.freedesktop.systemd1", job.path, "org.freedesktop.systemd1.Job"), "Cancel",
                        timeout: 5_000_000)
                    onRefusal(job.type)
                }
            }
        } catch { onProblem("\(error)") }
    }
}
