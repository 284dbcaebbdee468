/// What libyaml complains of, in the words of someone who writes a configuration file.
enum YAMLComplaint {
    /// The complaint that libyaml puts as `problem` while doing what `context` says, and what to do about it.
    static func explain(problem: String, context: String?) -> (message: String, suggestion: String?) {
        if let context, context.hasSuffix("scanning an alias") || context.hasSuffix("scanning an anchor") {
            return (
                "a value that begins with \(context.hasSuffix("alias") ? "*" : "&") means something else in YAML",
                "put it in quotes, as in \"*-*-* 02:30\""
            )
        }
        for (known, message, suggestion) in known where problem == known { return (message, suggestion) }
        return (([context, problem] as [String?]).compactMap(\.self).joined(separator: ", "), nil)
    }

    /// Whether the complaint is about something that should have ended, so that its beginning is worth telling.
    static func isOfUnfinished(problem: String) -> Bool {
        problem.hasPrefix("did not find expected ','") || problem == "found unexpected end of stream"
    }

    private static let known: [(problem: String, message: String, suggestion: String)] = [
        (
            "mapping values are not allowed in this context", "a second \":\" where a value was expected",
            "put the value in quotes, or put the key on a line of its own with the indentation of its neighbours"
        ),
        (
            "found character that cannot start any token", "a value cannot begin with this character",
            "indent with spaces, never with tabs; put a value that begins with @, % or ` in quotes"
        ),
        (
            "found a tab character that violates indentation", "a tab in the indentation",
            "indent with spaces, never with tabs"
        ),
        (
            "did not find expected key", "a key was expected here",
            "give the line the indentation of its neighbours, and put text that holds quotes in quotes"
        ),
        (
            "could not find expected ':'", "a key without \":\" and a value",
            "write \"key: value\", with a space after the colon"
        ),
        (
            "did not find expected '-' indicator", "an item of the list was expected here",
            "begin the line with \"- \" and the indentation of its neighbours"
        ),
        (
            "did not find expected ',' or ']'", "the list that begins with [ is not closed",
            "write \"]\" after its last item, and \",\" between two"
        ),
        (
            "did not find expected ',' or '}'", "the mapping that begins with { is not closed",
            "write \"}\" after its last entry, and \",\" between two"
        ),
        (
            "did not find expected node content", "a value was expected here",
            "close what was begun with \"]\" or \"}\", or put the value in quotes"
        ),
        (
            "found unexpected ':'", "a \":\" with no space after it",
            "write a space after the colon, or put the text in quotes"
        ),
        (
            "found unexpected end of stream", "the file ends inside a text in quotes",
            "close the quotes"
        ),
        (
            "did not find expected <document start>", "the document has ended before this line",
            "give the line the indentation of its neighbours"
        ),
    ]
}
