import ArgumentParser
import Glibc
import LightsOutCore
import LightsOutRunner
import LightsOutService
import Systemd

/// A complaint of the parser's as one sentence in one line: it repeats what was typed, whatever that was.
func oneLine(_ complaint: String) -> String {
    let words = complaint.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    let line = words.escapedForTerminal.cut(toWidth: 300)
    return line.hasSuffix(".") || line.hasSuffix("?") ? line : line + "."
}

/// The command's entry: parses, runs, and turns every error into one line and its exit status.
ProcessStanding.takeDescriptors()
let arguments = Array(CommandLine.arguments.dropFirst())
do {
    // ArgumentParser takes longer than the rest of our start together. Scripts report often, the units' runs should cost
    // next to nothing, and a look at the status is repeated: these do without it.
    if ReportArguments.describe(arguments) {
        try Report(try ReportArguments(arguments)).send()
        Glibc.exit(0)
    }
    if let stray = ReportArguments.stray(in: arguments) {
        throw CommandFailure.usage("\(stray.quotedForPeople) is for reports, which go with no other command. See: lightsout --help")
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
    var command = try Lightsout.parseAsRoot(TimeArguments.withKindOfSleep(TimeArguments.joined(arguments)))
    try command.run()
} catch let exit as ExitCode {
    Glibc.exit(exit.rawValue)
} catch let failure as CommandFailure {
    StandardError.say(failure.message.escapedForTerminal)
    Glibc.exit(failure.status)
} catch {
    let status = Lightsout.exitCode(for: error)
    if status == .success {
        // Help and version were asked for: they are the output.
        print(Lightsout.fullMessage(for: error))
        Glibc.exit(0)
    }
    StandardError.say("\(oneLine(Lightsout.message(for: error))) See: lightsout --help")
    Glibc.exit(ExitStatus.usage)
}
