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

    /// What becomes 0, 1 and 2 of the script.
    private nonisolated struct Streams: ~Copyable {
        let input: Descriptor
        let output: Descriptor
        let errors: Descriptor

        init() throws(StartFailure) {
            let input = try Self.opened { () throws(SystemError) in try .open("/dev/null", O_RDONLY) }
            let output = try Self.opened { () throws(SystemError) in try Self.forScript(STDOUT_FILENO) }
            let errors = try Self.opened { () throws(SystemError) in try Self.forScript(STDERR_FILENO) }
            self.input = input
            self.output = output
            self.errors = errors
        }

        private static func opened(_ open: () throws(SystemError) -> Descriptor) throws(StartFailure) -> Descriptor {
            do throws(SystemError) { return try open() } catch { throw StartFailure(error) }
        }

        /// Our own output, for the script. A terminal is opened anew and write-only: through a descriptor that can be
        /// read a script could wait for input after all.
        private static func forScript(_ number: Int32) throws(SystemError) -> Descriptor {
            if isatty(number) == 1,
                let terminal = try? Descriptor.open("/proc/self/fd/\(number)", O_WRONLY | O_NOCTTY)
            {
                return terminal
            }
            return Descriptor(
                owning: try retryingInterrupts("hand on the output") { fcntl(number, F_DUPFD_CLOEXEC, 3) })
        }
    }

    /// How the script itself ended; nil while it runs.
    public private(set) var end: ScriptEnd?
    /// Whether no process is left.
    public private(set) var isOver = false

    private let pid: pid_t
    private let group: ControlGroup?
    private var childSource: EventSource?
    private var groupSource: EventSource?
    private let loop: EventLoop

    /// Starts the script with `/dev/null` for input, our own output (write-only where it is a terminal), a session of
    /// its own and so no controlling terminal, and no other descriptor.
    public init(_ request: Request, loop: EventLoop) throws(StartFailure) {
        self.loop = loop
        let group = ControlGroup.delegated(to: request.unit)
        let streams = try Streams()
        do throws(SystemError) { try Self.becomeSubreaper() } catch { throw StartFailure(error) }

        var step = LO_SPAWN_FORK
        let isInUnit = group != nil || Identity.unit() == request.unit
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
        guard started > 0 else {
            group?.remove()
            throw Self.startFailure(-started, step, request)
        }
        pid = started
        self.group = group
        do throws(SystemError) {
            childSource = try loop.onSignal(SIGCHLD) { [unowned self] _ in reap() }
        } catch { throw StartFailure(error) }
        // It may have ended before the signal was waited for.
        reap()
    }

    /// Sends `signal` to the script and everything it started.
    public func signal(_ signal: Int32) {
        if let group { group.signal(signal) } else { signalTree(signal) }
    }

    /// Ends them all, whatever they do; ``isOver`` says when it is done.
    public func killAll() {
        if let group { group.killAll() } else { signalTree(SIGKILL) }
        isKilling = true
    }

    private var isKilling = false

    private func signalTree(_ signal: Int32) {
        for pid in ProcessTree.descendants(of: getpid()) { kill(pid, signal) }
    }

    /// Takes note of every child that has ended: the script, and what was left to us as the subreaper. There is no
    /// other child in this process that somebody else could be waiting for.
    private func reap() {
        while true {
            var bySignal: Int32 = 0
            var status: Int32 = 0
            let ended = lo_reap(&bySignal, &status)
            if ended == pid { end = bySignal != 0 ? .killed(signal: status) : .exited(status) }
            if ended == -ECHILD { return waitForGroup() }
            // Somebody still lives; who forked while the tree was being killed is killed now.
            if ended <= 0 {
                if isKilling && group == nil { signalTree(SIGKILL) }
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
