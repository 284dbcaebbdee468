import CLinux
import Glibc
public import LightsOutCore
import LightsOutRunner
public import Systemd

/// The daemon: keeps the schedule, starts the backups' units when they are due, and tells everybody how things stand.
///
/// It decides nothing itself: ``Scheduler`` does, as a pure function of what happens; this type tells it what happens
/// and carries out what it wants. All of it is on one thread, in one event loop, and nothing in it waits.
public final class Daemon {
    let directories: Directories
    let loop: EventLoop
    let log: RunLog
    private let records: JournalQueue
    let tracker: RunTracker
    let memory: ScheduleMemoryStore
    let writer: ScheduleMemoryWriter
    let requirements: Requirements

    var scheduler = Scheduler()
    var settings = GlobalSettings()
    var backups: [BackupName: BackupConfiguration] = [:]
    /// What holds for a backup that the configuration says nothing of.
    var defaults = BackupSettings()
    /// The last run of each backup that has one, or the one under way.
    var runs: [BackupName: RunState] = [:]
    /// The run before, of each backup whose run is under way and was seen to begin.
    var endedRuns: [BackupName: RunState] = [:]
    var localZone: ZoneRules
    /// What is wrong with the configuration that could not be taken over; nil where nothing is.
    var configurationProblem: String?
    /// What keeps the journal from being the record of all results; nil for nothing.
    private var journalProblem: String?
    /// Starts that systemd was asked for and that no run has come of yet, each with a number of its own: the job of the run
    /// before may end only now.
    var starting: [BackupName: UInt64] = [:]
    /// Those of them that it was asked for twice.
    var startingAgain: Set<BackupName> = []
    private var startCount: UInt64 = 0
    /// Starts that are over while nobody could see whether they had become runs.
    var undecidedStarts: [BackupName: EventSource] = [:]

    private(set) lazy var sleep = SleepCoordinator(self)
    private(set) lazy var power = PowerCoordinator(self)
    private(set) lazy var leases = Leases(self)
    private(set) lazy var dueLocks = DueLocks(self)
    let forwarder: ReportForwarder

    var bus: BusConnection?
    /// The earliest elapse that the machine has to be awake for.
    var wakeTime: Timestamp?
    private var sources: [EventSource] = []
    private var clockWatch: ClockWatch?
    /// Until the machine has booted.
    private var boot: BootWatch?
    private var timer: EventSource?
    private var reconnect: EventSource?
    private var reconnectDelay: UInt64 = 0
    private(set) var isReady = false
    var statusTeller: EventSource?

    /// - Parameter directories: where configuration, state and runtime files are.
    public init(directories: Directories) throws(SystemError) {
        // One caller's ten mebibytes are not to be held for ever.
        lo_give_back_blocks(256 * 1024)
        self.directories = directories
        loop = try EventLoop()
        records = JournalQueue(loop)
        log = RunLog(isUnit: true, queue: records)
        tracker = RunTracker(loop: loop, directories: directories, log: log)
        memory = ScheduleMemoryStore(directory: directories.state)
        writer = ScheduleMemoryWriter(memory, loop)
        requirements = Requirements(loop)
        forwarder = ReportForwarder(loop: loop, runtimeDirectory: directories.runtime)
        localZone = Self.readLocalZone(log)
    }

    /// Runs until SIGTERM or SIGINT.
    /// - Returns: the exit status.
    public func run() throws(SystemError) -> Int32 {
        try handleSignals()
        let now = self.now
        tracker.onEvent = { [unowned self] event in handle(event) }
        requirements.onChange = { [unowned self] in recheckWaiting() }
        writer.onFailure = { [unowned self] error in error.map { complainOfDisk($0) } ?? tellOfDisk() }
        let found = takeStock()
        // First the bus: what is due now is started now, or when the machine has booted.
        holdStartsWhileBooting()
        connectToBus()
        load(found, now: now)
        try watchClockAndZone()
        try loop.answerWatchdog()
        if bus == nil { becomeReady() }
        let status = try loop.run()
        writer.finish()
        leases.handOver()
        sleep.end()
        records.finish()
        ServiceManager.stopping(status: "Stopping; running backups go on")
        return status
    }

    /// The wall clock's time.
    var now: Timestamp { Timestamp(microseconds: Clock.realtime) }

    /// Notes that systemd is about to be asked for a start; the start's number.
    func beginStart(_ name: BackupName) -> UInt64 {
        startCount += 1
        starting[name] = startCount
        return startCount
    }

    // MARK: Start

    private func handleSignals() throws(SystemError) {
        Glibc.signal(SIGPIPE, SIG_IGN)
        for signal in [SIGTERM, SIGINT] {
            sources.append(try loop.onSignal(signal) { [unowned self] _ in loop.exit(0) })
        }
        sources.append(try loop.onSignal(SIGHUP) { [unowned self] _ in _ = reload() })
    }

    private func holdStartsWhileBooting() {
        scheduler.boots()
        boot = BootWatch(loop) { [unowned self] in
            boot = nil
            carryOut(scheduler.booted(now: now))
        }
    }

    /// Begins to watch the runs, and then sees what there is. A runtime directory that cannot be watched leaves the schedule
    /// working.
    private func takeStock() -> [BackupName: (state: RunState, isRunning: Bool)] {
        var isWatching = true
        do throws(SystemError) { try tracker.start() } catch {
            isWatching = false
            log.write(
                .notice(
                    "runs cannot be followed: \(error). Backups are started all the same, but how they end is not seen. Make \(directories.runtime) a directory that root can write",
                    priority: .error))
        }
        var stock = RunStock(directories, log: log)
        leases.restore(&stock) { dueLocks.adopt($0) }
        return isWatching ? tracker.takeIn(stock) : [:]
    }

    // MARK: The clock

    private func watchClockAndZone() throws(SystemError) {
        clockWatch = try loop.onClockSet { [unowned self] in
            // The end of a sleep sets the clock too, and is told of by itself.
            if !sleep.isAsleep { carryOut(scheduler.clockChanged(now: now)) }
            sleep.clockChanged()
        }
        let mask = UInt32(IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_CLOSE_WRITE | IN_ONLYDIR)
        sources.append(
            try loop.onChange(of: "/etc", mask) { [unowned self] change in
                if change.name == "localtime" || change.name == "timezone" { zoneMayHaveChanged() }
            })
    }

    private func zoneMayHaveChanged() {
        ZoneDatabase.system.reload()
        let zone = Self.readLocalZone(log)
        guard zone.name != localZone.name else { return }
        log.write(
            .notice(
                "the machine's time zone is \(zone.name) now, and was \(localZone.name): times of the schedule are the new zone's from here on",
                priority: .notice))
        localZone = zone
        replan(zoneChanged: true)
    }

    private static func readLocalZone(_ log: RunLog) -> ZoneRules {
        do throws(ZoneError) { return try ZoneRules.local() } catch {
            log.write(
                .notice(
                    "the machine's time zone cannot be read (\(error)); the schedule goes by UTC. Set it with: timedatectl set-timezone …",
                    priority: .warning))
            return .utc
        }
    }

    /// Arms the timer for the next thing that the scheduler waits for; nil for nothing.
    func arm(_ time: Timestamp?) {
        guard let time else {
            timer?.disable()
            return
        }
        let microseconds = UInt64(max(0, time.microseconds))
        do throws(SystemError) {
            if let timer {
                try timer.rearm(at: microseconds)
            } else {
                timer = try loop.at(microseconds, .realtime, accuracy: 1000) { [unowned self] in
                    carryOut(scheduler.tick(now: now))
                }
            }
        } catch {
            log.write(.notice("the schedule's timer cannot be set: \(error)", priority: .error))
        }
    }

    // MARK: The bus

    /// Connects to the bus, now and again after it was lost: everything but starting units goes on without it.
    private func connectToBus() {
        do throws(BusError) {
            let connection = try BusConnection(self)
            bus = connection
            leases.connected(to: connection.bus)
            dueLocks.connected(to: connection.bus)
            boot?.ask(connection.bus)
            reconnectDelay = 0
            findStarts()
            sleep.connected(to: connection.bus)
            if scheduler.isWithoutBus { carryOut(scheduler.busFound(now: now)) }
        } catch {
            scheduler.busLost()
            if reconnectDelay == 0 {
                log.write(
                    .notice("the system bus cannot be used: \(error). Trying again until it can", priority: .warning))
            }
            connectLater()
        }
    }

    /// The bus is gone; it comes back.
    func busWasLost() {
        bus = nil
        scheduler.busLost()
        sleep.disconnected()
        leases.disconnected()
        dueLocks.disconnected()
        log.write(.notice("the connection to the system bus was lost; connecting again", priority: .notice))
        becomeReady()
        connectLater()
    }

    /// Says that start-up is done, once: when our name is on the bus, or the bus cannot be had.
    private func becomeReady() {
        guard !isReady else { return }
        isReady = true
        ServiceManager.ready(status: statusLine)
        checkJournal()
    }

    /// Says once where the journal does not keep what is recorded.
    private func checkJournal() {
        guard directories.areInstalled else { return }
        let problems = JournalCheck.problems()
        guard !problems.isEmpty else { return }
        for problem in problems { log.write(.notice(problem.summary, priority: .warning)) }
        journalProblem = "the journal does not keep all results, see: lightsout check"
        ServiceManager.status(statusLine)
    }

    func nameWasAnswered(_ answer: Result<Void, BusError>) {
        if case .failure(let error) = answer {
            log.write(
                .notice(
                    "the bus name \(BusConnection.name) cannot be had: \(error). The schedule holds, but neither lightsout nor other programs reach it",
                    priority: .error))
        }
        becomeReady()
    }

    func systemdIsMute(_ error: BusError) {
        log.write(
            .notice(
                "systemd does not tell what becomes of its jobs: \(error). A backup that it cannot start is not tried again before it is next due",
                priority: .warning))
    }

    private func connectLater() {
        reconnectDelay = min(max(reconnectDelay * 2, 250_000), 30_000_000)
        reconnect = try? loop.after(reconnectDelay) { [unowned self] in connectToBus() }
    }

    // MARK: What people see

    /// The line of `systemctl status lightsoutd`: `3 backups, next: server Tue 02:30`.
    var statusLine: String {
        var line = "\(scheduler.count) backup\(scheduler.count == 1 ? "" : "s")"
        let running = runs.values.count { $0.isRunning && $0.trigger != .report }
        if running > 0 { line += ", \(running) running" }
        if leases.count > 0 { line += ", \(leases.count) reported" }
        if let next = scheduler.next {
            line += ", next: \(next.name) \(next.due.brief(in: localZone, now: now))"
        } else {
            line += ", nothing scheduled"
        }
        for problem in [configurationProblem, journalProblem].compactMap({ $0 }) { line += "; \(problem)" }
        return line
    }
}
