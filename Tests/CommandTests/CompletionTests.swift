import ArgumentParser
import Foundation
import Testing

@testable import lightsout

/// The command line as ArgumentParser knows it.
private struct CommandLineDescription: Decodable {
    struct Command: Decodable {
        struct Argument: Decodable {
            struct Name: Decodable {
                let kind: String
                let name: String
            }
            let names: [Name]?
            let shouldDisplay: Bool
        }
        let commandName: String
        let shouldDisplay: Bool
        let subcommands: [Command]?
        let arguments: [Argument]?
    }
    let command: Command

    static let ofLightsout: CommandLineDescription? = try? JSONDecoder().decode(
        CommandLineDescription.self, from: Data(Lightsout._dumpHelp().utf8))
}

/// The shells' completions are written by hand: what is generated knows neither the backups' names nor what comes behind
/// `hold --`. These tests keep them in step with the command.
@Suite struct CompletionTests {
    private static let files = ["lightsout", "_lightsout", "lightsout.fish"]

    private func text(_ file: String) throws -> String {
        let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: repository.appending(path: "completions/\(file)"), encoding: .utf8)
    }

    private var commands: [CommandLineDescription.Command] {
        get throws {
            let root = try #require(CommandLineDescription.ofLightsout).command
            return [root] + (root.subcommands ?? []).filter(\.shouldDisplay)
        }
    }

    @Test(arguments: files) func `every command can be completed`(file: String) throws {
        let words = Set(try text(file).split { !($0.isLetter || $0 == "-" || $0 == "_") }.map { String($0) })
        let commands = try commands.dropFirst()
        #expect(commands.count > 12)
        for command in commands { #expect(words.contains(command.commandName)) }
    }

    @Test(arguments: files) func `every option can be completed`(file: String) throws {
        let text = try text(file)
        // fish names options without their dashes: -s r -l report_backup_started
        let isFish = file.hasSuffix(".fish")
        let words = Set(text.split { !($0.isLetter || $0 == "-" || $0 == "_") }.map { String($0) })
        var count = 0
        for command in try commands {
            for argument in command.arguments ?? [] where argument.shouldDisplay {
                for name in argument.names ?? [] {
                    count += 1
                    if isFish {
                        let option = name.kind == "short" ? "-s \(name.name) " : "-l \(name.name) "
                        #expect(text.contains(option), "\(command.commandName): \(option)")
                    } else if name.kind == "short", name.name == "h" {
                        #expect(words.contains("--help"))
                    } else {
                        let option = (name.kind == "short" ? "-" : "--") + name.name
                        #expect(words.contains(option), "\(command.commandName): \(option)")
                    }
                }
            }
        }
        #expect(count > 30)
    }

    @Test(arguments: files) func `the backups' names come from the command itself`(file: String) throws {
        #expect(try text(file).contains("lightsout names"))
        #expect(Names.configuration.commandName ?? "names" == "names")
    }
}
