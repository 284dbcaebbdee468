import Foundation

/// A manual page of docs/man: what its lists describe, and its examples. It is mdoc(7), one macro line for each tag.
struct ManualPage {
    /// An item of a list: the words of its tag, and its whole text up to the next item of a list as high as its own.
    struct Item {
        let tag: [String]
        let text: String
    }

    let name: String
    private let lines: [String]

    init(_ name: String) throws {
        self.name = name
        lines = try RepositoryFile("docs/man/\(name)").text.components(separatedBy: "\n")
    }

    /// The items whose tag begins with the macro: `Ic` for keys, `Cm` for commands, `Fn` for methods.
    func items(_ macro: String) -> [Item] {
        lines.indices.compactMap { index in
            guard lines[index].hasPrefix(".It \(macro) ") else { return nil }
            return Item(tag: Self.words(lines[index].dropFirst(4)), text: text(from: index))
        }
    }

    /// All words of all tags.
    var taggedWords: Set<String> {
        Set(lines.filter { $0.hasPrefix(".It ") }.flatMap { Self.words($0.dropFirst(4)) })
    }

    /// What stands in displays, as it is printed.
    var examples: [String] {
        var examples: [String] = []
        var isInside = false
        for line in lines {
            if line.hasPrefix(".Bd") {
                isInside = true
                examples.append("")
            } else if line.hasPrefix(".Ed") {
                isInside = false
            } else if isInside {
                examples[examples.count - 1] += line.replacing("\\e", with: "\\") + "\n"
            }
        }
        return examples
    }

    /// From the line of an item to the next one of its list, or the list's end; tags as they are printed.
    private func text(from start: Int) -> String {
        var depth = 0
        var text: [String] = []
        for line in lines[start...] {
            if depth == 0 && !text.isEmpty && (line.hasPrefix(".It ") || line.hasPrefix(".El")) { break }
            if line.hasPrefix(".Bl") { depth += 1 }
            if line.hasPrefix(".El") { depth -= 1 }
            text.append(line.hasPrefix(".") ? Self.words(line.dropFirst()).joined(separator: " ") : line)
        }
        return text.joined(separator: "\n")
    }

    /// The words of a macro line. `Fl` puts a hyphen before each word up to the next macro; quotes hold words together.
    private static func words(_ line: Substring) -> [String] {
        var words: [String] = []
        var isOption = false
        for (index, part) in line.components(separatedBy: "\"").enumerated() {
            if index % 2 == 1 {
                words.append(part)
                continue
            }
            for word in part.split(separator: " ") {
                let isMacro = word.count == 2 && word.first?.isUppercase == true && word.last?.isLowercase == true
                if isMacro {
                    isOption = word == "Fl"
                } else {
                    words.append(isOption && word != "," ? "-\(word)" : String(word))
                }
            }
        }
        return words
    }
}
