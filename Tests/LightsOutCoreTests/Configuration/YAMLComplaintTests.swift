import Testing

@testable import LightsOutCore

struct `What libyaml complains of` {
    /// What means something to YAML, in pieces that make nonsense of each other.
    private static let pieces = [
        "a", "a: ", "b:\n", "\n", "\n  ", " ", "\t", "- ", "? ", ": ", "[", "]", "{", "}", ", ", "*", "&", "!", "!x!", "!<%z", "| ",
        ">0", "'", "\"", "\\q", "\\x", "\\ud800", "%YAML 1.2\n", "%YAML 2", "%x", "%", "---\n", "...", "#", "@",
    ]

    @Test func `is told with what to do about it, whatever is written`() {
        var texts = [""]
        for _ in 1...3 {
            texts = texts.flatMap { text in Self.pieces.map { text + $0 } }
            for text in texts {
                do throws(YAMLSyntaxError) {
                    _ = try YAMLComposer.compose(SourceText(checking: Array(text.utf8)))
                } catch {
                    #expect(error.suggestion != nil, "\(text.quotedForPeople): \(error.message)")
                }
            }
        }
    }
}
