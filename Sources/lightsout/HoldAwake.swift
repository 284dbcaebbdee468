import ArgumentParser
import LightsOutCore
import LightsOutService

struct HoldAwake: Command {
    static let configuration = CommandConfiguration(
        commandName: "hold", abstract: "Keep the machine awake while a command runs.",
        discussion: "The exit status is the command's; 128 and the signal's number where one ended it.")

    @Option(help: ArgumentHelp("Who keeps it awake, as the list of locks shows it; the command's name without it.", valueName: "name"))
    var who: String?

    @Option(help: ArgumentHelp("Why, as the list of locks shows it.", valueName: "reason"))
    var why: String?

    @Argument(parsing: .postTerminator, help: "The command and its arguments, after \"--\".", completion: .shellCommand("compgen -c"))
    var command: [String] = []

    func run(in surroundings: Surroundings) throws {
        guard !command.isEmpty else { throw CommandFailure.usage("there is no command. Write it after \"--\", as in: lightsout hold -- rsync …") }
        throw ExitCode(try Hold(who: who, why: why, command: command).run())
    }
}
