import ArgumentParser
import Glibc
import LightsOutCore
import LightsOutService
import Systemd

/// The command's entry: parses, runs, and turns every error into one line and its exit status.
let arguments = Array(CommandLine.arguments.dropFirst())
do {
    // ArgumentParser takes longer than the rest of our start together. Scripts report often, the units' runs should cost
    // next to nothing, and a look at the status is repeated: these do without it.
    if ReportArguments.describe(arguments) {
        try Report(try ReportArguments(arguments)).send()
        Glibc.exit(0)
    }
    switch (arguments.first, arguments.dropFirst().first) {
    case ("run"?, let name?) where arguments.count == 2 && !name.hasPrefix("-"): try Run.run(name)
    case ("conclude"?, let name?) where arguments.count == 2 && !name.hasPrefix("-"):
        try Conclude.conclude(name)
        Glibc.exit(0)
    case (nil, _), ("status"?, nil):
        try StatusQuery(Surroundings()).show(nil, json: false)
        Glibc.exit(0)
    default: break
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
    let message = Lightsout.message(for: error)
    StandardError.say("\(message)\(message.last.map(".?!".contains) ?? false ? "" : ".") See: lightsout --help")
    Glibc.exit(ExitStatus.usage)
}
