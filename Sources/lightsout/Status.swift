import ArgumentParser
import LightsOutCore
import LightsOutService

struct Status: Command {
    static let configuration = CommandConfiguration(
        abstract: "Show how the backups stand: what runs, what came of the last run, what is next.",
        discussion: "Without lightsoutd it shows as much as files and the journal tell.")

    @Argument(help: "The backup; all of them without it.", completion: .backupNames)
    var name: String?

    @OptionGroup var json: JSONOption

    func run(in surroundings: Surroundings) throws {
        try StatusQuery(surroundings).show(try name.map(BackupName.argument), json: json.isWanted, commands: Lightsout.commandNames)
    }
}

/// The names of the backups, a line each: for the shells' completion.
struct Names: Command {
    static let configuration = CommandConfiguration(abstract: "List the backups' names.", shouldDisplay: false)

    func run(in surroundings: Surroundings) throws {
        try surroundings.output.write(lines: StatusQuery(surroundings).names())
    }
}
