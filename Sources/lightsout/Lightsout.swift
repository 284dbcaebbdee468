import ArgumentParser

struct Lightsout: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lightsout",
        abstract: "Backups that run although the machine sleeps, and under a lock that keeps it awake.",
        version: "0.1.0",
        subcommands: [History.self, Calendar.self, Run.self, Conclude.self])
}
