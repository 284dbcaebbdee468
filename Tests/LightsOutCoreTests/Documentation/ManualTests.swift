import Foundation
@testable import LightsOutCore
import Testing

@Suite("The manual pages")
struct ManualTests {
    // MARK: lightsout.yaml(5)

    static let keys = GlobalKeys.table.keys.map(\.name) + BackupKeys.table.keys.map(\.name) + ["defaults", "backups"]

    @Test("describe every key of the configuration, and none that there is not")
    func keys() throws {
        let described = try ManualPage("lightsout.yaml.5").items("Ic").flatMap(\.tag)
        #expect(Set(described).subtracting([","]) == Set(Self.keys))
    }

    @Test("name the keys of retry where they describe it")
    func keysOfRetry() throws {
        let item = try #require(try ManualPage("lightsout.yaml.5").items("Ic").first { $0.tag == ["retry"] })
        for key in RetryKeys.table.keys { #expect(item.text.contains("\(key.name):")) }
    }

    @Test("list the words of every key that takes one of several")
    func words() throws {
        for item in try ManualPage("lightsout.yaml.5").items("Ic") {
            let form = (GlobalKeys.table.keys.map { ($0.name, $0.form) } + BackupKeys.table.keys.map { ($0.name, $0.form) })
                .first { $0.0 == item.tag.first }?.1
            let words: [String]
            switch form {
            case .choice(let choices), .list(.choice(let choices), _, _): words = choices
            case .exitCodes: words = ExitCodes.Preset.allCases.map(\.rawValue)
            default: words = []
            }
            let text = Set(item.text.split { " ,\n".contains($0) }.map(String.init))
            #expect(Set(words).subtracting(text) == [], "\(item.tag) of lightsout.yaml.5")
        }
    }

    @Test("say what holds where a flag, a number or a time is not said")
    func standards() throws {
        let standards =
            GlobalKeys.table.keys.map { ($0.name, $0.form, $0.standard(GlobalSettings())) }
            + BackupKeys.table.keys.map { ($0.name, $0.form, $0.standard(BackupSettings())) }
        let items = try ManualPage("lightsout.yaml.5").items("Ic")
        for case (let name, let form, let standard?) in standards {
            switch form {
            case .flag, .count, .timeSpan: break
            default: continue
            }
            let item = try #require(items.first { $0.tag == [name] })
            let value = standard.trimmingCharacters(in: ["\""])
            #expect(item.text.contains("Default:\n\(value)"), "\(name) of lightsout.yaml.5")
        }
    }

    @Test("give examples that are right, without a warning", arguments: ["docs/man/lightsout.yaml.5", "README.md"])
    func examples(file: String) throws {
        let text = try RepositoryFile(file).text
        let examples =
            file.hasSuffix(".md")
            ? text.matches(of: /```yaml\n((?:.|\n)*?)```/).map { String($0.output.1) }
            : try ManualPage(String(file.dropFirst("docs/man/".count))).examples
        let configurations = examples.filter { $0.contains("backups:\n") }
        #expect(!configurations.isEmpty)
        for configuration in configurations {
            #expect(readConfiguration(configuration).problems.map(\.rendered) == [])
        }
    }

    @Test("and the README give scripts that their shells can read", arguments: [("sh", 3), ("bash", 1)])
    func scripts(shell: String, atLeast count: Int) throws {
        let text = try RepositoryFile("README.md").text
        var scripts: [String] = []
        for match in text.matches(of: /```(\w+)\n((?:.|\n)*?)```/) where match.output.1 == shell {
            scripts.append(String(match.output.2))
        }
        if shell == "sh" {
            // A line of cron: five fields, the user, and what his shell is given.
            for match in text.matches(of: /```cron\n((?:.|\n)*?)```/) {
                scripts += match.output.1.split(separator: "\n").compactMap { line in
                    line.split(separator: " ", maxSplits: 6).last.map(String.init)
                }
            }
            scripts += try ManualPage("lightsout.1").examples.filter { $0.hasPrefix("lightsout -r") }
        }
        #expect(scripts.count >= count)
        for script in scripts {
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = [shell, "-n", "-c", script]
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0, "\(shell) does not read: \(script)")
        }
    }

    // MARK: lightsout(1)

    @Test(
        "describe every command and option of lightsout",
        .enabled(if: CommandHelp.binary != nil, "lightsout is not built beside the tests"))
    func options() throws {
        let help = try CommandHelp.read(from: try #require(CommandHelp.binary))
        let page = try ManualPage("lightsout.1")
        #expect(Set(help.options).subtracting(page.taggedWords) == [])

        let commands = (help.subcommands ?? []).filter(\.shouldDisplay)
        #expect(commands.count > 2)
        // Every command has the options of help; they are described once.
        let common: Set<String> = ["-h", "--help", "--version"]
        for command in commands {
            let texts = page.items("Cm").filter { $0.tag.first == command.commandName }.map(\.text)
            #expect(!texts.isEmpty, "lightsout.1 does not describe \(command.commandName)")
            let words = Set(texts.flatMap { $0.split { " ,\n".contains($0) } }.map(String.init))
            let missing = Set(command.options).subtracting(common).subtracting(words)
            #expect(missing == [], "of \(command.commandName) in lightsout.1")
        }
    }

    @Test("name every result that lightsout -f takes")
    func reportCodes() throws {
        let item = try #require(try ManualPage("lightsout.1").items("Fl").first { $0.tag.contains("-f") })
        let text = item.text.replacing("\n", with: " ")
        for result in RunResult.allCases {
            if let code = result.reportCode { #expect(text.contains("\(code) \(result.rawValue)")) }
        }
    }

    // MARK: --json

    @Test(
        "and docs/json.md name every member that a command prints, in its order",
        arguments: [
            ("status", "LightsOutService/Client/BackupStatus.swift"),
            ("history", "LightsOutCore/Display/HistoryDisplay.swift"),
            ("next", "LightsOutService/Client/UpcomingElapses.swift"),
            ("calendar", "LightsOutCore/Display/CalendarReading.swift"),
            ("check", "LightsOutCore/Display/ProblemDisplay.swift"),
            ("why", "LightsOutService/BusService/AwakeReason.swift"),
        ])
    func members(command: String, source: String) throws {
        let printed = try RepositoryFile("Sources/\(source)").text.matches(of: /\.init\("([a-z_]+)",/).map {
            String($0.output.1)
        }
        #expect(!printed.isEmpty)

        let sections = try RepositoryFile("docs/json.md").text.components(separatedBy: "\n## ")
        let section = try #require(sections.first { $0.hasPrefix("`lightsout \(command) --json`") })
        let rows = section.components(separatedBy: "\n").filter { $0.hasPrefix("| `") }
        let documented = rows.flatMap { row in
            (row.split(separator: "|").first ?? "").matches(of: /`(\w+)`/).map { String($0.output.1) }
        }
        #expect(documented == printed)

        let item = try #require(
            try ManualPage("lightsout.1").items("Cm").last { $0.tag == [command] })
        #expect(item.text.split { " ,\n".contains($0) }.dropFirst().map(String.init) == printed)
    }

    // MARK: org.lightsout1(5)

    @Test("describe every method of the bus interface with its arguments")
    func methods() throws {
        let described = try ManualPage("org.lightsout1.5").items("Fn").compactMap { item in
            item.tag.first.map { BusSources.Member(name: $0, arguments: Array(item.tag.dropFirst())) }
        }
        let declared = try BusSources().methods
        #expect(declared.count > 4)
        #expect(Set(described) == declared)
    }

    @Test("describe every property of the bus interface with its type, and none that there is not")
    func properties() throws {
        let described = try ManualPage("org.lightsout1.5").items("Va").compactMap { item in
            item.tag.first.map { BusSources.Member(name: $0, arguments: Array(item.tag.dropFirst())) }
        }
        #expect(Set(described) == (try BusSources().properties))
    }

    @Test("name every error and every polkit action of the bus interface")
    func errorsAndActions() throws {
        let named = try ManualPage("org.lightsout1.5").taggedWords
        let sources = try BusSources()
        #expect(!sources.errors.isEmpty && !sources.actions.isEmpty)
        #expect(sources.errors.union(sources.actions).subtracting(named) == [])
        let policy = try RepositoryFile("systemd/org.lightsout1.policy").text
        #expect(Set(policy.matches(of: /action id="([^"]+)"/).map { String($0.output.1) }) == sources.actions)
    }

    // MARK: The journal

    @Test("and the message catalog explain every kind of journal record")
    func messageIDs() throws {
        let source = try RepositoryFile("Sources/LightsOutCore/History/JournalRecord.swift").text
        let ids = Set(source.matches(of: /"([0-9a-f]{32})"/).map { String($0.output.1) })
        #expect(ids.count >= 6)
        let described = try ManualPage("lightsoutd.8").taggedWords
        #expect(Set(ids.map { "MESSAGE_ID=\($0)" }).subtracting(described) == [])
        let catalog = try RepositoryFile("systemd/lightsout.catalog").text
        let explained = Set(catalog.matches(of: /\n-- ([0-9a-f]{32})\n/).map { String($0.output.1) })
        #expect(explained == ids)
    }

    @Test("name every field of a journal record")
    func journalFields() throws {
        let source = try RepositoryFile("Sources/LightsOutCore/History/JournalRecord.swift").text
        let page = try RepositoryFile("docs/man/lightsoutd.8").text
        let fields = Set(source.matches(of: /"(LIGHTSOUT_\w+)"/).map { String($0.output.1) })
        #expect(fields.count >= 10)
        #expect(fields.filter { !page.contains(".Ev \($0)") } == [])
    }
}
