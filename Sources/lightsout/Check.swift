import ArgumentParser
import LightsOutCore
import LightsOutService

struct Check: Command {
    static let configuration = CommandConfiguration(
        abstract: "Check the configuration and the backups' scripts.",
        discussion: "Exits with 0 where nothing is wrong, warnings aside, and with 78 otherwise.")

    @Argument(help: "Files to check instead of the installed configuration, each alone.", completion: .file(extensions: ["yaml"]))
    var files: [String] = []

    @OptionGroup var json: JSONOption

    func run(in surroundings: Surroundings) throws {
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
