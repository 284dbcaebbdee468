import ArgumentParser
import LightsOutCore
import LightsOutService

struct Stop: Command {
    static let configuration = CommandConfiguration(
        abstract: "Stop the run of a backup that is under way.", discussion: "Its result will be: aborted.")

    @Argument(help: "The backup.", completion: .backupNames)
    var name: String

    func run(in surroundings: Surroundings) throws {
        let name = try BackupName.argument(name)
        try surroundings.output.write(try ServiceClient.connect().stop(name))
    }
}
