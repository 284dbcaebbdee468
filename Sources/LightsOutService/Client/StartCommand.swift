import Glibc
public import LightsOutCore
import LightsOutRunner
import Systemd

/// `lightsout start`: starts a backup's unit, through the daemon or, without it, through systemd itself, and follows the
/// run to its end. The run is the unit's: nothing that happens to us happens to it.
public final class StartCommand {
    private let name: BackupName
    private let surroundings: Surroundings
    private let client: ServiceClient
    private let loop: EventLoop
    private var registrations: [BusSlot] = []
    private var sources: [EventSource] = []
    private var line: ProgressLine
    private var failure: CommandFailure?
    /// How the unit's start job ended, once it has.
    private var endedJob: String?
    private var exitStatus: Int32?
    /// The last run before ours, by the state file.
    private let runBefore: RunIdentifier?
    private let store: RunStateStore

    public init(_ name: BackupName, _ surroundings: Surroundings) throws(CommandFailure) {
        self.name = name
        self.surroundings = surroundings
        store = RunStateStore(directory: surroundings.directories.state)
        runBefore = Self.lastState(of: name, store, surroundings)?.run
        client = try .connect()
        line = ProgressLine(name: name, startedAt: Clock.monotonic, output: surroundings.output)
        do throws(SystemError) { loop = try EventLoop() } catch {
            throw CommandFailure(message: error.description, status: ExitStatus.unavailable)
        }
    }

    /// Starts the backup and leaves it to itself.
    public func runWithoutWaiting() throws(CommandFailure) {
        try start()
        try surroundings.output.write("\(name) is started. Its result will be in: lightsout history \(name)")
    }

    /// Starts the backup and waits for its end.
    /// - Returns: the exit status that its result has.
    public func run() throws(CommandFailure) -> Int32 {
        do throws(BusError) {
            do throws(SystemError) { try client.bus.attach(to: loop) } catch { throw BusError(error) }
            // systemd sends its signals to those who asked for them only.
            try client.bus.call(.systemd1, "Subscribe", timeout: 10_000_000)
            try listen()
        } catch { throw error.commandFailure }
        defer { client.bus.detach() }
        try start()
        let status: Int32
        do throws(SystemError) {
            try handleInterrupt()
            if surroundings.output.isTerminal { try drawEverySecond() }
            status = try loop.run()
        } catch { throw CommandFailure(message: error.description, status: ExitStatus.unavailable) }
        if let failure { throw failure }
        return status
    }

    // MARK: Starting

    private func start() throws(CommandFailure) {
        do throws(BusError) {
            try client.call("StartBackup", interactive: ServiceClient.mayAsk) { (message) throws(BusError) in
                try message.append(name.text)
            }
        } catch {
            guard error.meansNoDaemon else { throw error.commandFailure }
            try startUnit()
        }
    }

    private func startUnit() throws(CommandFailure) {
        do throws(BusError) {
            // systemd would join a start that is under way, and we would wait for somebody else's run.
            // After a restart that the runner refused, the unit is "deactivating" until the run ends.
            let look = RunExclusion.look(at: name, runtimeDirectory: surroundings.directories.runtime)
            let isStarting = try client.state(of: name.unit) == "activating"
            if look.underWay != nil || isStarting {
                let leftovers = look.underWay?.leftoversText(of: name).map { "\(name) is running already: \($0)" }
                throw BusError(
                    name: BusError.alreadyRunning,
                    message: leftovers ?? "\(name) is running already. See: lightsout status \(name)")
            }
            try client.bus.call(.systemd1, "StartUnit", timeout: 180_000_000, interactive: ServiceClient.mayAsk) {
                (message) throws(BusError) in
                try message.append(name.unit)
                try message.append("replace")
            }
        } catch { throw error.commandFailure }
    }

    // MARK: Following

    private func listen() throws(BusError) {
        registrations.append(
            try client.bus.match(BackupUnits.jobRemovedRule) { [unowned self] message in
                guard (try? message.readUInt32()) != nil, (try? message.readObjectPath()) != nil,
                    (try? message.readString()) == name.unit, let result = try? message.readString()
                else { return }
                jobEnded(result)
            })
        if let unitPath {
            registrations.append(
                try client.bus.match(.propertiesChanged(.name("org.freedesktop.systemd1"), path: unitPath)) { [unowned self] _ in endIfRunIsOver() })
        }
        guard let path = BusConnection.path(of: name) else { return }
        registrations.append(
            try client.bus.match(
                .propertiesChanged(.name(BusConnection.name), path: path, of: BusConnection.backupInterface)
            ) { [unowned self] message in
                guard (try? message.readString()) != nil, let change = try? StandingChange(message) else { return }
                line.take(change)
                draw()
            })
        registrations.append(
            try client.bus.onDisconnect { [unowned self] in
                fail("the system bus is gone; \(name) goes on. Its result will be in: lightsout history \(name)")
            })
    }

    /// The unit's start job is over. The run may go on: the runner cancels a restart, and the start job with it.
    private func jobEnded(_ result: String) {
        switch result {
        case "done", "failed", "canceled":
            endedJob = endedJob ?? result
            endIfRunIsOver()
        default:
            // A job that somebody else asks for during the run says nothing about the run.
            guard endedJob == nil else { return }
            line.clear()
            fail("systemd does not start \(name): its start job was \(result.escapedForTerminal). See: systemctl status \(name.unit)")
        }
    }

    /// Ends the waiting when the run has its result, or when nothing of the unit goes on.
    private func endIfRunIsOver() {
        guard let endedJob else { return }
        // systemd forgets it soon after the unit's end.
        exitStatus = exitStatusOfUnit ?? exitStatus
        let state = stateOfOurRun
        guard state?.outcome != nil || isUnitAtRest else { return }
        line.clear()
        // The runner may have written its result between the two looks.
        end(RunEnd(state: state?.outcome == nil ? stateOfOurRun : state, exitStatus: exitStatus, job: endedJob, unit: name.unit))
    }

    /// A unit that systemd cannot describe has nothing to wait for.
    private var isUnitAtRest: Bool {
        guard let state = try? client.state(of: name.unit) else { return true }
        return state != "activating" && state != "deactivating"
    }

    /// What the runner wrote at its end; nil where it wrote nothing.
    private var stateOfOurRun: RunState? {
        Self.lastState(of: name, store, surroundings).flatMap { $0.run == runBefore ? nil : $0 }
    }

    /// The state of the last run: the lock file has it too where the disk takes nothing, for those who may look.
    private static func lastState(of name: BackupName, _ store: RunStateStore, _ surroundings: Surroundings) -> RunState? {
        RunExclusion.look(at: name, runtimeDirectory: surroundings.directories.runtime).state ?? store.peek(name)
    }

    private func fail(_ message: String) {
        failure = CommandFailure(message: message, status: ExitStatus.unavailable)
        loop.exit(ExitStatus.unavailable)
    }

    private func end(_ end: RunEnd) {
        let span = TimeSpan(microseconds: Clock.monotonic - line.startedAt).forPeople
        let output = surroundings.output
        // Where the output cannot be written, the exit status still tells.
        try? output.write(
            "\(name): \(output.styled(end.word, end.style)) after \(span)\(end.reason.map { ": " + $0 } ?? "")")
        loop.exit(end.status)
    }

    /// What the unit's main process, `lightsout run`, exited with (org.freedesktop.systemd1(5)); nil where it did not begin
    /// since we asked, where a signal ended it, and where systemd has forgotten it already, as it does where nothing failed.
    private var exitStatusOfUnit: Int32? {
        guard let path = unitPath else { return nil }
        let unit = Bus.Address("org.freedesktop.systemd1", path, "org.freedesktop.systemd1.Service")
        func property<Value>(_ name: String, _ type: String, _ read: (BusMessage) throws(BusError) -> Value) -> Value? {
            try? client.bus.property(unit, name, type, timeout: 10_000_000, read)
        }
        func number(_ name: String) -> Int32? { property(name, "i") { (message) throws(BusError) in try message.readInt32() } }
        // A unit that systemd did not start now still has what its last process exited with.
        let begun = property("ExecMainStartTimestampMonotonic", "t") { (message) throws(BusError) in try message.readUInt64() }
        guard let begun, begun >= line.startedAt, number("ExecMainCode") == Int32(CLD_EXITED) else { return nil }
        return number("ExecMainStatus")
    }

    private var unitPath: String? { Bus.path("/org/freedesktop/systemd1/unit", encoding: name.unit) }

    // MARK: The terminal

    /// Ctrl-C ends the waiting, never the backup.
    private func handleInterrupt() throws(SystemError) {
        sources.append(
            try loop.onSignal(SIGINT) { [unowned self] _ in
                line.clear()
                StandardError.say(
                    "\(name) goes on. Its result will be in: lightsout history \(name). To end it: lightsout stop \(name)")
                loop.exit(128 + SIGINT)
            })
    }

    private func drawEverySecond() throws(SystemError) {
        draw()
        let timer = try loop.after(1_000_000) { [unowned self] in
            draw()
            try? sources.last?.rearm(at: Clock.monotonic + 1_000_000)
        }
        sources.append(timer)
    }

    private func draw() { line.draw(at: Clock.monotonic) }
}

/// How a run ended that was waited for: told by its state, else by its unit. Its start job alone tells of no run.
nonisolated struct RunEnd: Hashable {
    let word: String
    let style: Style
    let reason: String?
    /// What `lightsout start` exits with.
    let status: Int32

    /// - Parameters:
    ///   - state: of the run itself, where it could be written.
    ///   - exitStatus: of the unit's main process, where it exited and systemd still knows.
    ///   - job: what became of the unit's start job: `done`, `failed` or `canceled`.
    ///   - unit: the name of the unit, to look at.
    init(state: RunState?, exitStatus: Int32?, job: String, unit: String) {
        if let outcome = state?.outcome {
            self.init(outcome.result, outcome.reason)
        } else if exitStatus == ExitStatus.tryLater {
            self.init("not run", .warning, "another run is under way", ExitStatus.tryLater)
        } else if let exitStatus {
            self.init(RunResult.allCases.first { $0.exitStatus == exitStatus } ?? .unknown, nil)
        } else if state != nil || job == "canceled" {
            // A run that began and has no end was killed, and its runner too.
            self.init(.aborted, nil)
        } else if job == "failed" {
            self.init(.failed, "its unit failed before the script was run, see: systemctl status \(unit)")
        } else {
            // Such as where a condition of the unit's (systemd.unit(5)) is not met: to systemd that is no failure.
            self.init(
                "not run", .warning, "systemd began no run of it, see: systemctl status \(unit)", ExitStatus.tryLater)
        }
    }

    private init(_ result: RunResult, _ reason: String?) {
        self.init(result.rawValue, result.style, reason?.escapedForTerminal, result.exitStatus)
    }

    private init(_ word: String, _ style: Style, _ reason: String?, _ status: Int32) {
        self.word = word
        self.style = style
        self.reason = reason
        self.status = status
    }
}
