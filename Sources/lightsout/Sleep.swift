import ArgumentParser
import LightsOutCore
import LightsOutService

struct Sleep: Command {
    static let configuration = CommandConfiguration(
        abstract: "Have the machine sleep as soon as no backup runs.",
        usage: "lightsout sleep --when-done [suspend | hibernate | poweroff]\nlightsout sleep --cancel")

    enum Kind: String, ExpressibleByArgument, CaseIterable, Sendable { case suspend, hibernate, poweroff }

    @Flag(help: "Do it when the backups that run are over; at once where none runs.")
    var whenDone = false

    @Flag(help: "Do not do it after all.")
    var cancel = false

    @Argument(help: "What to do.")
    var kind: Kind?

    func validate() throws {
        guard whenDone != cancel, !cancel || kind == nil else {
            throw ValidationError("one of --when-done and --cancel is needed")
        }
    }

    func run(in surroundings: Surroundings) throws {
        let client = try ServiceClient.connect()
        if cancel {
            try client.cancelSleep()
            return try surroundings.output.write("The machine stays awake.")
        }
        let kind = kind ?? .suspend
        try client.sleepWhenDone(kind.rawValue)
        try surroundings.output.write(
            "When no backup runs any more: \(kind.rawValue). To have it stay awake: lightsout sleep --cancel")
    }
}
