import Glibc
import LightsOutCore
import Systemd

/// What becomes 0, 1 and 2 of the script; a value lives until the script has them.
///
/// - Input is `/dev/null`.
/// - Where our output goes to the unit's journal, the script gets a pipe, which an ``OutputRelay`` empties.
/// - A terminal is opened anew and write-only: through a descriptor that can be read a script could wait for input.
/// - Anything else is handed on as it is.
final class ScriptStreams {
    let input: Descriptor
    let output: Descriptor
    let errors: Descriptor

    init(relays: OutputRelay.Pair) throws(SystemError) {
        let input = try Descriptor.open("/dev/null", O_RDONLY)
        let output = try Self.stream(STDOUT_FILENO, relays.output)
        let errors = try Self.stream(STDERR_FILENO, relays.errors)
        self.input = input
        self.output = output
        self.errors = errors
    }

    private static func stream(_ number: Int32, _ relay: OutputRelay?) throws(SystemError) -> Descriptor {
        if let relay { return try relay.duplicateEntrance() }
        if isatty(number) == 1,
            let terminal = try? Descriptor.open("/proc/self/fd/\(number)", O_WRONLY | O_NOCTTY)
        {
            return terminal
        }
        return Descriptor(
            owning: try retryingInterrupts("hand on the output") { fcntl(number, F_DUPFD_CLOEXEC, 3) })
    }
}
