import CSpawn
import Glibc
public import LightsOutCore
public import Systemd

/// The script's process and everything it started, seen until the last of them has ended.
///
/// This process is their subreaper (PR_SET_CHILD_SUBREAPER of prctl(2)): a descendant whose parent ends becomes our
/// child, whatever it did to its session, group or descriptors. So there is a descendant as long as we have a child.
public final class ScriptProcess {
    /// What is to be started, and as whom.
    public struct Request {
        public var path: String
        public var arguments: [String]
        public var environment: ScriptEnvironment
        public var user: User
        /// The unit whose delegated cgroup the processes are gathered in, where this process runs in it.
        public var unit: String

        public init(path: String, arguments: [String], environment: ScriptEnvironment, user: User, unit: String) {
            self.path = path
            self.arguments = arguments
            self.environment = environment
            self.user = user
            self.unit = unit
        }
    }

    /// A step of the start that failed.
    public nonisolated struct StartFailure: Error, Equatable, CustomStringConvertible {
        public let description: String
        /// Whether the script or the configuration is at fault, not the machine.
        public let isConfiguration: Bool

        init(description: String, isConfiguration: Bool) {
            self.description = description
            self.isConfiguration = isConfiguration
        }

        init(_ error: SystemError) { self.init(description: error.description, isConfiguration: false) }
    }

    /// How the script itself ended; nil while it runs.
    public private(set) var end: ScriptEnd?
    /// Whether no process is left.
    public private(set) var isOver = false

    /// What survivors of the run are told by, should this process be killed; nil where the script has ended already.
    public private(set) var identity: RunNotes.Script?

    private let pid: pid_t
    private let unit: String
    private let relays: OutputRelay.Pair
    private let group: ControlGroup?
    private var childSource: EventSource?
    private var groupSource: EventSource?
    private let loop: EventLoop
    /// Tells whom systemd has signalled; nil outside of a unit.
    private let witness: SignalWitness?

    /// Starts the script with the ``ScriptStreams``, a session of its own and so no controlling terminal, and no other
    /// descriptor.
    public init(_ request: Request, loop: EventLoop) throws(StartFailure) {
        self.loop = loop
        unit = request.unit
        let group = ControlGroup.delegated(to: request.unit)
        let isInUnit = group != nil || Identity.unit() == request.unit
        do throws(SystemError) {
            try Self.becomeSubreaper()
            relays = isInUnit
                ? try OutputRelay.Pair(of: request.environment.backup, for: request.user, loop: loop) : OutputRelay.Pair()
        } catch { throw StartFailure(error) }
        let streams: ScriptStreams
        do throws(SystemError) { streams = try ScriptStreams(relays: relays) } catch { throw StartFailure(error) }

        var step = LO_SPAWN_FORK
        let started = Self.withCStrings([request.path] + request.arguments) { argv in
            Self.withCStrings(request.environment.assignments) { environment in
                request.user.groups.withUnsafeBufferPointer { groups in
                    var raw = lo_spawn_request()
                    raw.path = UnsafePointer(argv[0])
                    raw.argv = UnsafePointer(argv)
                    raw.envp = UnsafePointer(environment)
                    raw.stdin_fd = streams.input.number
                    raw.stdout_fd = streams.output.number
                    raw.stderr_fd = streams.errors.number
                    raw.cgroup_procs_fd = group?.procs.number ?? -1
                    raw.change_user = request.user.uid != geteuid() || geteuid() == 0 ? 1 : 0
                    raw.uid = request.user.uid
                    raw.mask = ProcessStanding.scriptMask
                    raw.gid = request.user.gid
                    raw.groups = groups.baseAddress
                    raw.group_count = groups.count
                    // systemd ends the whole unit when its main process dies; elsewhere the kernel does what it can.
                    raw.parent_death_signal = isInUnit ? 0 : SIGKILL
                    // In its unit the script starts where `WorkingDirectory=` says; from a shell, where that cannot matter.
                    return Self.spawn(&raw, directory: isInUnit ? nil : "/", &step)
                }
            }
        }
        withExtendedLifetime(streams) {}
        guard started > 0 else {
            group?.remove()
            throw Self.startFailure(-started, step, request)
        }
        pid = started
        self.group = group
        witness = isInUnit ? try? SignalWitness(loop) : nil
        identity = ProcessStat(of: started).map { RunNotes.Script(pid: started, start: $0.start, uid: request.user.uid) }
        for relay in relays.all { relay.scriptHasStarted() }
        do throws(SystemError) {
            childSource = try loop.onSignal(SIGCHLD) { [unowned self] _ in reap() }
        } catch { throw StartFailure(error) }
        // It may have ended before the signal was waited for.
        reap()
    }

    /// Whom a signal is for.
    public enum Reach {
        /// The script and everything it started.
        case all
        /// Of these, those that have left the unit (systemd-run(1) `--scope`) and that its manager does not reach.
        case outsideUnit
    }

    /// The script comes first: else it may see its own command end, and exit before the signal reaches it.
    public func signal(_ signal: Int32, to reach: Reach = .all) {
        var others = processes
        for pid in [others.remove(pid)].compactMap({ $0 }) + others
        where reach == .all || Identity.unit(of: pid) != unit {
            kill(pid, signal)
        }
    }

    /// Passes on a signal that systemd has sent to this process, to those who did not get it.
    public func passOn(_ signal: Int32) {
        let pass = { [unowned self] (all: Bool) in
            guard !isOver else { return }
            if all { return self.signal(signal, to: .outsideUnit) }
            self.signal(signal)
            self.signal(SIGCONT)
        }
        // Without a witness: `systemctl stop` signals them all.
        if let witness { witness.wereAllSignalled(pass) } else { pass(true) }
    }

    /// Ends them all, whatever they do; ``isOver`` says when it is done.
    public func killAll() {
        isKilling = true
        signal(SIGKILL)
        group?.killAll()
        // Who left the cgroup and forked meanwhile is met again when a child ends.
    }

    private var isKilling = false

    /// A process can leave the cgroup, and one can be put into it from outside: both belong to the run.
    private var processes: Set<pid_t> {
        Set(ProcessTree.descendants(of: getpid())).union(group?.processes ?? []).subtracting([witness?.pid].compactMap { $0 })
    }

    /// The processes that are left of it, whatever became of the script itself.
    var left: [pid_t] { Array(processes) }

    /// Those of ``left`` that the unit's manager ends together with the unit.
    var leftInUnit: [pid_t] { processes.filter { Identity.unit(of: $0) == unit } }

    /// Waits no longer for what is left.
    public func abandon() {
        guard !isOver else { return }
        childSource = nil
        groupSource = nil
        finish()
    }

    /// Bytes of the output that are lost, for nobody took them.
    public var lostOutput: UInt64 { relays.all.reduce(0) { $0 + $1.lost } }

    /// Takes note of every child that has ended: the script, and what was left to us as the subreaper. There is no
    /// other child in this process that somebody else could be waiting for.
    private func reap() {
        while true {
            var bySignal: Int32 = 0
            var status: Int32 = 0
            let ended = lo_reap(&bySignal, &status)
            if ended == pid { end = bySignal != 0 ? .killed(signal: status) : .exited(status) }
            if ended == -ECHILD { return waitForGroup() }
            // Somebody still lives; who forked while all were being killed is killed now.
            if ended <= 0 {
                if isKilling { signal(SIGKILL) }
                return
            }
        }
    }

    /// No child is left. A process that was put into the script's cgroup from outside still counts.
    private func waitForGroup() {
        guard let group, group.isPopulated else { return finish() }
        guard groupSource == nil else { return }
        groupSource = try? loop.onChange(of: group.eventsPath, UInt32(IN_MODIFY)) { [unowned self] _ in
            if !group.isPopulated { finish() }
        }
        // Between the look and the watch it may have become empty.
        if groupSource == nil || !group.isPopulated { finish() }
    }

    private func finish() {
        isOver = true
        witness?.dismiss()
        for relay in relays.all { relay.finish() }
        group?.remove()
    }

    // MARK: Starting

    private static func becomeSubreaper() throws(SystemError) {
        try retryingInterrupts("become the subreaper of the script's processes") {
            lo_become_subreaper()
        }
    }

    private static func spawn(
        _ request: inout lo_spawn_request, directory: String?, _ step: inout lo_spawn_step
    ) -> pid_t {
        guard let directory else { return lo_spawn(&request, &step) }
        return directory.withCString { path in
            request.directory = path
            return lo_spawn(&request, &step)
        }
    }

    private static func startFailure(_ code: Int32, _ step: lo_spawn_step, _ request: Request) -> StartFailure {
        let reason = String(cString: strerror(code))
        switch step {
        case LO_SPAWN_EXEC:
            return StartFailure(
                description: "\(request.path.plainOrQuoted) cannot be executed: \(reason)", isConfiguration: true)
        case LO_SPAWN_USER:
            return StartFailure(
                description: "the user \(request.user.name) cannot be taken on: \(reason). Run lightsout as root for it",
                isConfiguration: false)
        case LO_SPAWN_CGROUP:
            return StartFailure(description: "the script's cgroup cannot be entered: \(reason)", isConfiguration: false)
        default:
            return StartFailure(description: "the script cannot be started: \(reason)", isConfiguration: false)
        }
    }

    private static func withCStrings<Value>(
        _ texts: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Value
    ) -> Value {
        let strings = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: texts.count + 1)
        for (index, text) in texts.enumerated() { strings[index] = strdup(text) }
        strings[texts.count] = nil
        defer {
            for index in texts.indices { free(strings[index]) }
            strings.deallocate()
        }
        return body(strings)
    }
}
