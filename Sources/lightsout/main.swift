import ArgumentParser
import Glibc
import LightsOutCore
import LightsOutService
import Systemd

/// The command's entry: parses, runs, and turns every error into one line and its exit status.
let arguments = Array(CommandLine.arguments.dropFirst())
do {
    // ArgumentParser takes longer than the rest of our start together. Scripts report often, and the units' runs should
    // cost next to nothing: these two do without it.
    if ReportArguments.describe(arguments) {
        try Report(try ReportArguments(arguments)).send()
        Glibc.exit(0)
    }
    if arguments.count == 2, arguments[0] == "run", !arguments[1].hasPrefix("-") {
        try Run.run(arguments[1])
    }
    var command = try Lightsout.parseAsRoot(arguments)
    try command.run()
} catch let exit as ExitCode {
    Glibc.exit(exit.rawValue)
} catch let failure as CommandFailure {
    StandardError.say(failure.message)
    Glibc.exit(failure.status)
} catch {
    let status = Lightsout.exitCode(for: error)
    if status == .success {
        // Help and version were asked for: they are the output.
        print(Lightsout.fullMessage(for: error))
        Glibc.exit(0)
    }
    StandardError.say("\(Lightsout.message(for: error)). See: lightsout --help")
    Glibc.exit(ExitStatus.usage)
}
