import Glibc
public import LightsOutCore
import LightsOutRunner
import Systemd

/// Sets the hardware clock's alarm before the machine goes off in a way that the kernel sets none for, and takes it back
/// afterwards: what lightsout-wakealarm@.service calls.
///
/// The kernel sets the clock for CLOCK_REALTIME_ALARM when it suspends, and neither when it hibernates nor when the machine
/// powers off.
public struct AlarmSetter {
    private let directories: Directories
    private let clocks: String
    private let journal: (JournalRecord) -> Void

    /// - Parameter isUnit: whether our output goes to the journal.
    public init(_ directories: Directories, isUnit: Bool) {
        let log = RunLog(isUnit: isUnit)
        self.init(directories, clocks: HardwareClock.directory) { log.write($0) }
    }

    init(_ directories: Directories, clocks: String, journal: @escaping (JournalRecord) -> Void) {
        self.directories = directories
        self.clocks = clocks
        self.journal = journal
    }

    // MARK: Setting

    /// Sets the alarm for what the daemon has left word of, and journals it, or why not. No word: no record.
    public func arm(for kind: SleepKind) {
        let order: WakeOrder?
        do throws(DamagedState) { order = try WakeOrderFile(directory: directories.runtime).read() } catch {
            journal(
                .alarm(
                    .failed,
                    "nothing wakes the machine \(kind.whence): what lightsoutd left in \(directories.runtime)/wake cannot be used (\(error.reason))"))
            return
        }
        guard let order else { return }
        do throws(AlarmFailure) { if let record = try set(order, for: kind) { journal(record) } } catch {
            journal(
                .alarm(
                    .failed,
                    "nothing wakes the machine \(kind.whence) for \(order.backups.listed), due \(Self.show(order.due)): \(error.why)"))
        }
    }

    /// - Returns: what is to be said; nil where it is set already, and has been said.
    private func set(_ order: WakeOrder, for kind: SleepKind) throws(AlarmFailure) -> JournalRecord? {
        let clock: HardwareClock
        do throws(HardwareClock.Obstacle) { clock = try HardwareClock.choose(from: HardwareClock.all(in: clocks)) } catch {
            throw AlarmFailure(why: "\(error)")
        }
        let attribute = AlarmAttribute(clock, in: clocks)
        let reading = try attribute.read()
        let alarm = ClockAlarm(reading: reading, now: Timestamp(microseconds: Clock.realtime))
        let before = record()
        let ours = before?.clock == clock.name ? before?.value : nil
        switch alarm.decide(order, ours: ours) {
        case .stale:
            throw AlarmFailure(why: "that was long ago, and lightsoutd, which would know what is due next, does not run")
        case .keep(let at):
            forget()
            return .alarm(
                .kept,
                "another program's alarm of the hardware clock (\(clock.name)) stands at \(Self.show(at)), before lightsout's \(Self.show(order.at)) for \(order.backups.listed): it is left as it is")
        case .set(let value, _, _) where reading.pending == ours && ours.map { [value &- 1, value, value &+ 1].contains($0) } ?? false:
            // The same but for the rounding of the clocks.
            return nil
        case .set(let value, let at, let instead):
            // What stood there before lightsout's own is still to come back.
            let instead = instead ?? (reading.pending == ours ? before?.instead : nil)
            try attribute.set(value, at: at)
            remember(SetAlarm(clock: clock.name, value: value, instead: instead))
            return .alarm(
                .set,
                "the alarm of the hardware clock (\(clock.name)) is set: it \(kind.wakes) at \(Self.show(at)) for \(order.backups.listed), due \(Self.show(order.due))"
                    + Self.note(on: instead.map(alarm.systemTime(of:)), kind))
        }
    }

    private static func note(on instead: Timestamp?, _ kind: SleepKind) -> String {
        guard let instead else { return "" }
        return kind == .poweroff
            ? ". Another program's alarm at \(show(instead)) is lost: the clock has but one"
            : ". Another program's alarm at \(show(instead)) is set again afterwards"
    }

    // MARK: Taking back

    /// Takes back what was set, where it is still there, and sets again what another program had set.
    public func disarm() {
        guard let set = record() else { return }
        forget()
        guard let clock = HardwareClock.all(in: clocks).first(where: { $0.name == set.clock }) else { return }
        do throws(AlarmFailure) {
            let attribute = AlarmAttribute(clock, in: clocks)
            let reading = try attribute.read()
            // It is another program's by now.
            guard reading.alarm == nil || reading.alarm == set.value else { return }
            if let instead = set.instead, instead > reading.clock {
                try attribute.set(instead, at: nil)
            } else if reading.alarm != nil {
                try attribute.clear()
            }
        } catch {
            journal(.alarm(.failed, "the alarm of the hardware clock (\(clock.name)) cannot be taken back: \(error.why)"))
        }
    }

    // MARK: What was set

    private static let name = "wake-alarm"

    private func record() -> SetAlarm? {
        let path = "\(directories.runtime)/\(Self.name)"
        guard let text = try? AtomicFile.read(path, limit: StateLines.maximumLength) else { return nil }
        return try? SetAlarm(text: text)
    }

    private func remember(_ alarm: SetAlarm) {
        do throws(SystemError) {
            let folder = try AtomicFile.openDirectory(directories.runtime, mode: 0o755)
            try AtomicFile.write(alarm.text, to: Self.name, below: folder, mode: 0o644, durable: false)
        } catch {
            journal(
                .notice(
                    "the alarm of the hardware clock stays set after the machine is back, as it cannot be noted: \(error)",
                    priority: .warning))
        }
    }

    private func forget() { unlink("\(directories.runtime)/\(Self.name)") }

    private static func show(_ time: Timestamp) -> String { LocalTime.short(time.microseconds) }
}

nonisolated extension SleepKind {
    /// Completes "nothing wakes the machine …".
    var whence: String {
        switch self {
        case .suspend: "from suspend"
        case .hibernate: "from hibernation"
        case .hybridSleep: "from hybrid sleep"
        case .suspendThenHibernate: "once it hibernates"
        case .poweroff: "from power-off"
        }
    }

    /// Completes "the alarm …".
    fileprivate var wakes: String {
        switch self {
        case .poweroff: "turns the machine on"
        case .suspendThenHibernate: "wakes the machine from suspend and from hibernation"
        case .suspend, .hibernate, .hybridSleep: "wakes the machine \(whence)"
        }
    }
}
