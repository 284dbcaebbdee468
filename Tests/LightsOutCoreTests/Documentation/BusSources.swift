import Foundation

/// The members of org.lightsout1 as the daemon's sources declare them: Sources/LightsOutService, but for its clients.
struct BusSources {
    struct Member: Hashable, CustomStringConvertible {
        let name: String
        /// As the manual has them: `in s name`; of a property its type alone.
        let arguments: [String]

        var description: String { "\(name)(\(arguments.joined(separator: ", ")))" }
    }

    private let text: String

    init() throws {
        let folder = RepositoryFile("Sources/LightsOutService").url
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
        text = try (files?.allObjects ?? []).compactMap { $0 as? URL }
            .filter { $0.pathExtension == "swift" && !$0.pathComponents.contains("Client") }
            .map { try String(contentsOf: $0, encoding: .utf8) }.joined(separator: "\n")
    }

    var methods: Set<Member> {
        let declaration =
            /\.method\(\s*"(\w+)"(?:,\s*takes:\s*"([^"]*)",\s*\[([^\]]*)\])?(?:,\s*gives:\s*"([^"]*)",\s*\[([^\]]*)\])?/
        return Set(
            text.matches(of: declaration).map { match in
                let (_, name, takes, takenNames, gives, givenNames) = match.output
                return Member(
                    name: String(name),
                    arguments: Self.arguments("in", takes, takenNames) + Self.arguments("out", gives, givenNames))
            })
    }

    var properties: Set<Member> {
        var properties = text.matches(of: /\bproperty\(\s*"(\w+)",\s*"([^"]+)"/).map { match in
            Member(name: String(match.output.1), arguments: [String(match.output.2)])
        }
        // The short forms of BackupInterface.swift.
        for match in text.matches(of: /\b(time|text|flag)\("(\w+)"\)/) {
            let type = match.output.1 == "time" ? "t" : match.output.1 == "text" ? "s" : "b"
            properties.append(Member(name: String(match.output.2), arguments: [type]))
        }
        return Set(properties)
    }

    /// The names of our own errors, and the ids of polkit actions.
    var errors: Set<String> { names(/"(org\.lightsout1\.[A-Z]\w+)"/).subtracting(["org.lightsout1.Manager", "org.lightsout1.Backup"]) }
    var actions: Set<String> { names(/"(org\.lightsout1\.[a-z]\w+)"/) }

    private func names(_ literal: some RegexComponent<(Substring, Substring)>) -> Set<String> {
        Set(text.matches(of: literal).map { String($0.output.1) })
    }

    private static func arguments(_ direction: String, _ signature: Substring?, _ names: Substring?) -> [String] {
        let names = (names ?? "").split(separator: ",").map { $0.filter { $0.isLetter || $0 == "_" } }
        return zip(types(of: signature ?? ""), names).map { "\(direction) \($0) \($1)" }
    }

    /// The complete types of a signature: `sa{sv}` is `s` and `a{sv}`.
    private static func types(of signature: Substring) -> [String] {
        var types: [String] = []
        var type = ""
        var depth = 0
        for character in signature {
            type.append(character)
            if "({".contains(character) { depth += 1 }
            if ")}".contains(character) { depth -= 1 }
            if depth == 0 && character != "a" {
                types.append(type)
                type = ""
            }
        }
        return types
    }
}
