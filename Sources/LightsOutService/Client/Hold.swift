import Glibc
public import LightsOutCore
import Systemd

/// `lightsout hold`: keeps the machine awake for as long as a command runs.
public struct Hold {
    private let who: String
    private let why: String
    private let command: [String]

    /// - Parameters:
    ///   - who: as the list of locks shows it; nil is the command's name.
    ///   - command: what to run, found on the search path.
    public init(who: String?, why: String?, command: [String]) {
        self.command = command
        let program = command.first.map { String($0.split(separator: "/").last ?? "") } ?? ""
        self.who = who ?? program
        self.why = why ?? "\(program) is running"
    }

    /// Takes the lock, runs the command, and gives the lock back when it has ended.
    /// - Returns: the command's exit status; 128 and the number of the signal that ended it.
    public func run() throws(CommandFailure) -> Int32 {
        let lock = try takeLock()
        let status = try runCommand()
        // The lock lives until here, and no longer.
        _ = consume lock
        return status
    }

    // MARK: The lock

    /// From the daemon, which shows it to everybody; without the daemon from logind.
    private func takeLock() throws(CommandFailure) -> Descriptor {
        do throws(BusError) {
            let client = try ServiceClient()
            do throws(BusError) {
                let reply = try client.call("Hold", interactive: ServiceClient.mayAsk) { (message) throws(BusError) in
                    try message.append(who)
                    try message.append(why)
                }
                return try reply.readDescriptor()
            } catch {
                guard error.meansNoDaemon else { throw error }
                return try takeLock(from: Logind(client.bus))
            }
        } catch {
            // Not the daemon alone is missing: logind is too, or the bus.
            guard error.meansNoDaemon else { throw error.commandFailure }
            throw CommandFailure(
                message: "the machine cannot be kept awake: neither lightsoutd nor logind can be reached (\(error)). The command was not run",
                status: ExitStatus.unavailable)
        }
    }

    private func takeLock(from logind: Logind) throws(BusError) -> Descriptor {
        while true {
            do throws(BusError) {
                return try logind.inhibit(
                    what: [InhibitedAction.sleep, .lidSwitch].logindText, who: who, why: why, mode: "block")
            } catch {
                // A sleep is under way; it ends.
                guard error.name == BusError.operationInProgress else { throw error }
                usleep(200_000)
            }
        }
    }

    // MARK: The command

    /// What ends us ends the command first: standby must not be possible while it runs on.
    private static let passedOn = [SIGTERM, SIGHUP, SIGUSR1, SIGUSR2]
    /// A terminal sends these to the command as well.
    private static let leftToCommand = [SIGINT, SIGQUIT]

    private func runCommand() throws(CommandFailure) -> Int32 {
        var awaited = sigset_t()
        sigemptyset(&awaited)
        for signal in Self.passedOn + Self.leftToCommand + [SIGCHLD] { sigaddset(&awaited, signal) }
        var original = sigset_t()
        sigprocmask(SIG_BLOCK, &awaited, &original)
        let child = try spawn(mask: original)
        while true {
            let signal = sigwaitinfo(&awaited, nil)
            if Self.passedOn.contains(signal) { kill(child, signal) }
            guard signal == SIGCHLD else { continue }
            var status: Int32 = 0
            guard waitpid(child, &status, WNOHANG) == child else { continue }
            // The status of wait(2): the exit status in the second byte, the signal in the low seven bits.
            let signalNumber = status & 0x7f
            return signalNumber == 0 ? status >> 8 & 0xff : 128 + signalNumber
        }
    }

    /// Starts the command with the signals as they were for us. It inherits no lock: that is closed on exec.
    private func spawn(mask: sigset_t) throws(CommandFailure) -> pid_t {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var mask = mask
        posix_spawnattr_setsigmask(&attributes, &mask)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var words: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) }
        defer { for word in words { free(word) } }
        words.append(nil)
        var child: pid_t = 0
        let code = posix_spawnp(&child, command[0], nil, &attributes, words, environ)
        guard code == 0 else {
            // As shells and env(1) have it.
            throw CommandFailure(
                message: "\(command[0].plainOrQuoted) cannot be run: \(String(cString: strerror(code)))",
                status: code == ENOENT ? 127 : 126)
        }
        return child
    }
}
