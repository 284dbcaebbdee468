import ArgumentParser

struct Lightsout: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lightsout",
        abstract: "Backups that run although the machine sleeps, and under a lock that keeps it awake.",
        version: "0.1.0",
        subcommands: [Run.self, Conclude.self])
}

/// A failure with its own exit status, said in one line.
struct CommandFailure: Error {
    let message: String
    let status: Int32
}
