import ArgumentParser
import LightsOutCore
import LightsOutService

struct Check: Command {
    static let configuration = CommandConfiguration(
        abstract: "Check the configuration and the backups' scripts, or whether the machine can be woken.",
        usage: "lightsout check [<file> ...] [--json]\nlightsout check --wake[=<kind>] [--yes]",
        discussion: """
            Exits with 0 where nothing is wrong, warnings aside, and with 78 otherwise. With --wake: 0 where the hardware \
            clock woke the machine, 1 where it did not.
            """)

    /// The sleeps that can be tried.
    enum Kind: String, ExpressibleByArgument, CaseIterable, Sendable {
        case suspend, hibernate
        case hybridSleep = "hybrid-sleep"

        var sleepKind: SleepKind {
            switch self {
            case .suspend: .suspend
            case .hibernate: .hibernate
            case .hybridSleep: .hybridSleep
            }
        }
    }

    @Argument(help: "Files to check instead of the installed configuration, each alone.", completion: .file(extensions: ["yaml"]))
    var files: [String] = []

    @Option(
        help: ArgumentHelp(
            "Really put the machine to sleep, have its hardware clock wake it, and say how that went. Without a kind: suspend.",
            valueName: "kind"))
    var wake: Kind?

    @Flag(help: "With --wake: do not ask before.")
    var yes = false

    @OptionGroup var json: JSONOption

    func validate() throws {
        guard wake == nil || (files.isEmpty && !json.isWanted) else {
            throw ValidationError("--wake goes with --yes, and with nothing else")
        }
        guard wake != nil || !yes else { throw ValidationError("--yes goes with --wake") }
    }

    func run(in surroundings: Surroundings) throws {
        if let wake { return try WakeTrial(wake.sleepKind, surroundings).run(isAgreed: yes) }
        let check = ConfigurationCheck(
            surroundings.directories, calendar: CalendarContext(now: surroundings.now, localZone: surroundings.zone))
        let findings = files.isEmpty ? check.installed() : check.files(files)
        if json.isWanted {
            try surroundings.output.write(JSONValue.document(findings.problems.map(\.json)))
        } else {
            let output = surroundings.output
            try output.write(lines: findings.problems.map { $0.lines { output.styled($0, $1) } })
            try output.write(findings.summary)
        }
        if findings.hasErrors { throw ExitCode(ExitStatus.configuration) }
    }
}
