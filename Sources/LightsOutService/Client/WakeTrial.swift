import Glibc
public import LightsOutCore
import LightsOutRunner
import Systemd

/// `lightsout check --wake`: puts the machine to sleep, has its hardware clock wake it, and says how that went.
public struct WakeTrial {
    private let kind: SleepKind
    private let output: Output
    private let directories: Directories

    /// How long the machine may take until it sleeps: programs with delay locks are waited for, and a hibernation image is
    /// written.
    private static let patience = TimeSpan.minutes(5)
    /// The clocks are looked at so often, in microseconds.
    private static let interval: UInt32 = 20_000

    /// - Parameter kind: `suspend`, `hibernate` or `hybridSleep`.
    public init(_ kind: SleepKind, _ surroundings: Surroundings) {
        self.kind = kind
        output = surroundings.output
        directories = surroundings.directories
    }

    /// Runs the trial.
    /// - Parameter isAgreed: whether nobody is to be asked before.
    /// - Throws: ``CommandFailure`` where the machine does not sleep or wake, or cannot be tried.
    public func run(isAgreed: Bool) throws(CommandFailure) {
        guard geteuid() == 0 else {
            throw CommandFailure(message: "only root can try whether the machine wakes up. Do it with sudo", status: ExitStatus.notAllowed)
        }
        let bus = try connect()
        let clock = try clock()
        try makeSure(bus)
        try warn(clock, isAgreed: isAgreed)
        // Somebody may have thought about it for long.
        try makeSure(bus)
        let alarm = try TrialAlarm.set(kind, clock, ahead: ahead)
        let report = try sleep(until: alarm, bus)
        alarm.takeBack()
        try tell(report, clock)
    }

    /// From the question to the alarm.
    private var ahead: TimeSpan { kind == .suspend ? .minutes(1) : ClockAlarm.shortest }

    // MARK: Before

    private func connect() throws(CommandFailure) -> Bus {
        do throws(SystemError) { return try Bus.system() } catch {
            throw CommandFailure(message: "the system bus cannot be reached: \(error)", status: ExitStatus.unavailable)
        }
    }

    private func clock() throws(CommandFailure) -> HardwareClock {
        if kind != .suspend, let obstacle = AlarmUnit.obstacle(to: kind) { throw cannot(obstacle) }
        do throws(HardwareClock.Obstacle) { return try HardwareClock.choose(from: HardwareClock.all()) } catch {
            throw cannot("\(error)")
        }
    }

    private func cannot(_ why: String) -> CommandFailure {
        CommandFailure(message: "this machine cannot be woken \(kind.whence): \(why)", status: ExitStatus.unavailable)
    }

    /// Makes sure that logind can do it and that nobody forbids it: root's request would pass over a lock on some
    /// versions of systemd.
    private func makeSure(_ bus: Bus) throws(CommandFailure) {
        do throws(BusError) {
            let answer = try bus.call(.login1, "Can\(kind.loginMethod)", timeout: 10_000_000).readString()
            guard answer != "na", answer != "no" else {
                throw BusError(name: "", message: "logind says that this machine cannot \(kind.infinitive)")
            }
        } catch {
            let why = error.name.isEmpty ? error.message : "logind cannot be asked: \(error)"
            throw CommandFailure(message: why.escapedForTerminal, status: ExitStatus.unavailable)
        }
        let locks = (try? Logind(bus).inhibitors(timeout: 10_000_000)) ?? []
        if let lock = locks.first(where: { $0.mode.hasPrefix("block") && $0.what.split(separator: ":").contains("sleep") }) {
            throw CommandFailure(
                message: "the machine is not put to sleep now: \(lock.who.quotedForPeople) forbids it: \(lock.why.quotedForPeople). Try again when that is over",
                status: ExitStatus.tryLater)
        }
    }

    private func warn(_ clock: HardwareClock, isAgreed: Bool) throws(CommandFailure) {
        guard isAgreed || (isatty(STDIN_FILENO) == 1 && output.isTerminal) else {
            throw CommandFailure(
                message: "there is no terminal to ask at whether to go on. To go on without being asked: lightsout check --wake=\(kind.rawValue) --yes",
                status: ExitStatus.usage)
        }
        let at = Timestamp(microseconds: Clock.realtime) + ahead
        try output.write(
            """
            The machine is to \(kind.infinitive) now. Its hardware clock (\(clock.name)) is to wake it in \(ahead.forPeople), at \(LocalTime.short(at.microseconds)).
            Save your work first. If it does not wake up by itself, press its power button.
            """)
        if isAgreed { return }
        try output.write(raw: "Go on? [y/N] ")
        guard let answer = readLine(), ["y", "yes"].contains(answer.lowercased()) else {
            throw CommandFailure(message: "nothing was done", status: ExitStatus.tryLater)
        }
    }

    // MARK: The sleep

    private static func moment() -> WakeTrialReport.Moment {
        let (boot, awake) = (Clock.boottime, Clock.monotonic)
        return WakeTrialReport.Moment(
            boot: TimeSpan(microseconds: boot), slept: TimeSpan(microseconds: boot > awake ? boot - awake : 0))
    }

    private func sleep(until alarm: borrowing TrialAlarm, _ bus: Bus) throws(CommandFailure) -> WakeTrialReport {
        let began = Self.moment()
        let ahead = alarm.at.since(Timestamp(microseconds: Clock.realtime))
        do throws(BusError) {
            try bus.call(.login1, kind.loginMethod, timeout: 30_000_000) { (message) throws(BusError) in try message.append(false) }
        } catch {
            throw CommandFailure(
                message: "logind did not let the machine \(kind.infinitive): \(error)".escapedForTerminal, status: ExitStatus.tryLater)
        }
        var back = began
        while !hasSlept(began, back), back.boot < began.boot + Self.patience, isUnderWay(bus) {
            usleep(Self.interval)
            back = Self.moment()
        }
        let report = WakeTrialReport(kind: kind, began: began, back: back, alarm: ahead)
        // Only then may it be put to sleep again, and backups start.
        let end = Self.moment().boot + .minutes(1)
        while isUnderWay(bus), Self.moment().boot < end { usleep(Self.interval) }
        return report
    }

    private func hasSlept(_ began: WakeTrialReport.Moment, _ now: WakeTrialReport.Moment) -> Bool {
        now.slept.microseconds >= began.slept.microseconds + WakeTrialReport.shortestSleep.microseconds
    }

    /// Whether logind is on its way to sleep, or not yet back from it.
    private func isUnderWay(_ bus: Bus) -> Bool {
        let isPreparing = try? bus.property(.login1, "PreparingForSleep", "b", timeout: 10_000_000) { (message) throws(BusError) in
            try message.readBool()
        }
        return isPreparing ?? false
    }

    // MARK: After

    private func tell(_ report: WakeTrialReport, _ clock: HardwareClock) throws(CommandFailure) {
        let log = RunLog(isUnit: true)
        switch report.verdict {
        case .woken(let fallingAsleep, let asleep, let wakingUp):
            log.write(.notice("check --wake: the hardware clock (\(clock.name)) woke the machine \(kind.whence)", priority: .info))
            try output.write(
                """
                It works: the hardware clock (\(clock.name)) woke the machine \(kind.whence).
                  falling asleep  \(fallingAsleep.inTenths)
                  asleep          \(asleep.inTenths)
                  waking up       \(wakingUp.inTenths)
                """)
        case .early(let asleep, let before):
            throw failed("something else woke the machine \(kind.whence) after \(asleep.inTenths), \(before.inTenths) before the alarm: a key, its lid, the network. Whether its hardware clock wakes it is not known", log)
        case .late(let after):
            throw failed("the machine is back \(after.forPeople) after the alarm: its hardware clock did not wake it \(kind.whence). The firmware may have a setting for it (\"RTC wake\", \"resume by alarm\")", log)
        case .didNotSleep:
            throw failed("the machine did not \(kind.infinitive). Why: journalctl -b -u systemd-logind -u systemd-\(kind.rawValue).service", log)
        }
    }

    private func failed(_ message: String, _ log: RunLog) -> CommandFailure {
        log.write(.notice("check --wake: \(message)", priority: .warning))
        return CommandFailure(message: message, status: 1)
    }
}

/// The alarm of a trial: what the daemon sets for such a sleep. The kernel's own for suspend, the hardware clock's for
/// what the kernel sets none for.
struct TrialAlarm: ~Copyable {
    let at: Timestamp
    /// The kernel's; taken back when it is closed.
    private let timer: Descriptor?
    private let clocks: ClocksAlarm?

    private struct ClocksAlarm {
        var attribute: AlarmAttribute
        var value: Int64
        /// A later one of another program that stood there.
        var instead: Int64?
    }

    private init(at: Timestamp, timer: consuming Descriptor?, clocks: ClocksAlarm?) {
        self.at = at
        self.timer = timer
        self.clocks = clocks
    }

    static func set(_ kind: SleepKind, _ clock: HardwareClock, ahead: TimeSpan) throws(CommandFailure) -> TrialAlarm {
        let now = Timestamp(microseconds: Clock.realtime)
        guard kind == .suspend else { return try set(AlarmAttribute(clock), at: now + ahead) }
        let at = Timestamp(microseconds: (now + ahead).seconds * 1_000_000)
        do throws(SystemError) {
            return TrialAlarm(at: at, timer: try KernelAlarm.set(at: at.seconds), clocks: nil)
        } catch {
            throw CommandFailure(message: "no alarm can be set: \(error)", status: ExitStatus.unavailable)
        }
    }

    private static func set(_ attribute: AlarmAttribute, at time: Timestamp) throws(CommandFailure) -> TrialAlarm {
        do throws(AlarmFailure) {
            let alarm = ClockAlarm(reading: try attribute.read(), now: Timestamp(microseconds: Clock.realtime))
            let value = alarm.clockTime(of: time)
            let other = alarm.reading.pending
            if let other, other <= value {
                let first = LocalTime.short(alarm.systemTime(of: other).microseconds)
                throw AlarmFailure(why: "another program's alarm comes first, at \(first)")
            }
            let at = alarm.systemTime(of: value)
            try attribute.set(value, at: at)
            return TrialAlarm(
                at: at, timer: nil, clocks: ClocksAlarm(attribute: attribute, value: value, instead: other))
        } catch {
            throw CommandFailure(message: "no alarm can be set: \(error.why)", status: ExitStatus.tryLater)
        }
    }

    /// Leaves the clock as it was found. The kernel's alarm is taken back by itself.
    func takeBack() {
        guard let clocks, let reading = try? clocks.attribute.read(), reading.alarm == nil || reading.alarm == clocks.value else {
            return
        }
        if let instead = clocks.instead, instead > reading.clock {
            try? clocks.attribute.set(instead, at: nil)
        } else {
            try? clocks.attribute.clear()
        }
    }
}

nonisolated extension TimeSpan {
    /// Seconds with one decimal: `57.8s`.
    fileprivate var inTenths: String {
        let tenths = (microseconds + 50_000) / 100_000
        return "\(tenths / 10).\(tenths % 10)s"
    }
}
