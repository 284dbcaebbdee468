import Glibc

/// What a command left behind when it had ended.
struct Completed: Sendable, CustomStringConvertible {
    /// The exit status as a shell would give it: 128 and the signal's number for a command that a signal ended.
    var status: Int32
    var stdout: String
    var stderr: String

    /// Standard output without the line ends after it.
    var output: String { stdout.trimmingSuffix { $0.isNewline } }
    var succeeded: Bool { status == 0 }

    var description: String { "status \(status), stdout \(stdout.debugDescription), stderr \(stderr.debugDescription)" }
}

extension String {
    fileprivate func trimmingSuffix(while predicate: (Character) -> Bool) -> String {
        var end = endIndex
        while end > startIndex, predicate(self[index(before: end)]) { end = index(before: end) }
        return String(self[..<end])
    }
}

/// A command of the host's that has been started and is waited for with ``finish()``.
///
/// Its output is collected in unnamed files: a command never waits for its reader, and nobody has to read while it runs.
struct Command: ~Copyable {
    private let pid: pid_t
    private let stdout: Int32
    private let stderr: Int32

    /// Starts `arguments`, whose first is looked up in PATH. `input` becomes the command's standard input and is not closed here.
    init(_ arguments: [String], environment: [String: String]? = nil, input: Int32? = nil) throws {
        let output = try Self.unnamedFile()
        let complaints = try Self.unnamedFile()

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, complaints, 2)

        // Whatever the test process has blocked or ignores, its commands begin as a shell's do.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t(), all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        let argv = arguments.map { strdup($0) } + [nil]
        let envp = environment.map { $0.map { strdup("\($0.key)=\($0.value)") } + [nil] }
        defer {
            argv.forEach { free($0) }
            envp?.forEach { free($0) }
        }
        var child: pid_t = 0
        let failure = posix_spawnp(&child, arguments[0], &actions, &attributes, argv, envp ?? Self.ownEnvironment)
        guard failure == 0 else { throw MachineError("cannot start \(arguments[0]): \(String(cString: strerror(failure)))") }
        (pid, stdout, stderr) = (child, output, complaints)
    }

    private static func unnamedFile() throws -> Int32 {
        let path = "/tmp/lightsout-tests.\(getpid()).\(UInt64.random(in: 0 ... .max))"
        let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw MachineError("cannot make \(path): \(String(cString: strerror(errno)))") }
        unlink(path)
        return file
    }

    deinit {
        close(stdout)
        close(stderr)
    }

    private static var ownEnvironment: [UnsafeMutablePointer<CChar>?] {
        var copied: [UnsafeMutablePointer<CChar>?] = []
        var next = environ
        while let variable = next.pointee {
            copied.append(variable)
            next += 1
        }
        return copied + [nil]
    }

    /// Whether it still runs.
    func isRunning() -> Bool {
        var information = siginfo_t()
        return waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG | WNOWAIT) == 0 && information.si_signo == 0
    }

    func send(signal: Int32) {
        kill(pid, signal)
    }

    /// Standard output as far as it has come.
    func outputSoFar() -> String { Self.contents(of: stdout) }

    /// Waits for its end.
    consuming func finish() -> Completed {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7f
        return Completed(
            status: signal == 0 ? (status >> 8) & 0xff : 128 + signal,
            stdout: Self.contents(of: stdout), stderr: Self.contents(of: stderr))
    }

    /// Starts `arguments` and waits for their end.
    static func run(_ arguments: [String], environment: [String: String]? = nil) throws -> Completed {
        try Command(arguments, environment: environment).finish()
    }

    private static func contents(of file: Int32) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = pread(file, &buffer, buffer.count, off_t(bytes.count))
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }
}
