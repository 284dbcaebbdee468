import Foundation

/// What the command `lightsout` says of itself (`--experimental-dump-help` of ArgumentParser).
struct CommandHelp: Decodable {
    struct Tool: Decodable {
        let command: CommandHelp
    }

    struct Argument: Decodable {
        struct Name: Decodable {
            let kind: String
            let name: String

            /// As it is typed.
            var spelling: String { (kind == "short" ? "-" : "--") + name }
        }

        let names: [Name]?
        let shouldDisplay: Bool
    }

    let commandName: String
    let shouldDisplay: Bool
    let arguments: [Argument]?
    let subcommands: [CommandHelp]?

    /// The spellings of all options that it shows.
    var options: [String] {
        (arguments ?? []).filter(\.shouldDisplay).flatMap { $0.names ?? [] }.map(\.spelling)
    }

    /// The binary that is installed, or the one beside the tests; nil where there is neither.
    static let binary: URL? = {
        let build =
            ProcessInfo.processInfo.environment["LIGHTSOUT_BUILD"].map { URL(filePath: $0) }
            ?? URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        let binary = build.appending(path: "lightsout")
        return FileManager.default.isExecutableFile(atPath: binary.path) ? binary : nil
    }()

    /// Asks the binary.
    static func read(from binary: URL) throws -> CommandHelp {
        let process = Process()
        process.executableURL = binary
        process.arguments = ["--experimental-dump-help"]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return try JSONDecoder().decode(Tool.self, from: data).command
    }
}
