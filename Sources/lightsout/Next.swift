import ArgumentParser
import LightsOutCore
import LightsOutService

struct Next: Command {
    static let configuration = CommandConfiguration(
        abstract: "Show what runs when, and what of it wakes the machine.")

    @Argument(help: "The backup; all of them without it.", completion: .backupNames)
    var name: String?

    @Option(name: [.customShort("n", allowingJoined: true), .customLong("lines")], help: "Show so many.")
    var count = 10

    @OptionGroup var json: JSONOption

    func run(in surroundings: Surroundings) throws {
        try UpcomingElapses(surroundings).show(
            try name.map(BackupName.argument), count: try checkedCount(count, option: "-n", upTo: 100_000),
            json: json.isWanted)
    }
}
