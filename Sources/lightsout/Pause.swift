import ArgumentParser
import LightsOutCore
import LightsOutService

struct Pause: Command {
    static let configuration = CommandConfiguration(
        abstract: "Start no backup by schedule for a while.",
        discussion: "A pause outlasts restarts and reboots. Backups can still be started by hand.")

    @Argument(help: "The backup; all of them without it.", completion: .backupNames)
    var name: String?

    @Option(help: ArgumentHelp("When the pause ends by itself, such as \"+2h\", \"tomorrow\" or \"2026-11-24 06:00\".", valueName: "time"))
    var until: String?

    func run(in surroundings: Surroundings) throws {
        let name = try name.map(BackupName.argument)
        let end = try until.map { try surroundings.time($0, option: "--until") }
        if let end, end <= surroundings.now {
            throw CommandFailure.usage("--until: \(end.text(in: surroundings.zone)) is past")
        }
        try ServiceClient.connect().pause(name, until: end)
        let what = name.map { "\($0) is paused" } ?? "All backups are paused"
        let length = end.map { "until \($0.text(in: surroundings.zone))" } ?? "until: lightsout resume\(name.map { " \($0)" } ?? "")"
        try surroundings.output.write("\(what) \(length).")
    }
}

struct Resume: Command {
    static let configuration = CommandConfiguration(abstract: "End a pause: the schedule holds again.")

    @Argument(help: "The backup; all of them without it.", completion: .backupNames)
    var name: String?

    func run(in surroundings: Surroundings) throws {
        let name = try name.map(BackupName.argument)
        let client = try ServiceClient.connect()
        try client.resume(name)
        let paused = try client.pausedBackups()
        if let name {
            // The pause of all, where there is one, holds for this backup too.
            let isPaused = paused.contains(name)
            return try surroundings.output.write(
                isPaused
                    ? "\(name) is paused with all others still. To end that: lightsout resume" : "\(name) runs by schedule again.")
        }
        guard !paused.isEmpty else { return try surroundings.output.write("All backups run by schedule again.") }
        let names = paused.map(\.text).joined(separator: ", ")
        try surroundings.output.write(
            "The pause of all backups is over. Paused by themselves still: \(names). To end that: lightsout resume NAME")
    }
}
