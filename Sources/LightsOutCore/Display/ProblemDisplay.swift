extension ConfigurationProblem {
    /// The members of `lightsout check --json` (docs/json.md).
    public var json: [JSONValue.Member] {
        [
            .init("file", .string(file)), .init("line", .integer(line)), .init("column", .integer(column)),
            .init("severity", .string(severity.rawValue)), .init("message", .string(message)),
            .init("suggestion", .string(suggestion)),
        ]
    }

    /// The problem as compilers show theirs: `file:line:column: error: what`, the line with a caret below the place,
    /// the suggestion.
    public func lines(styled: (String, Style) -> String) -> String {
        let place = position.map { SourcePlace(file: file, position: $0).description } ?? file
        let word = styled(severity.rawValue + ":", severity == .error ? .bad : .warning)
        var lines = ["\(place.escapedForTerminal): \(word) \(message.escapedForTerminal)"]
        if let excerpt {
            lines += ["    " + excerpt.text, "    " + excerpt.caretIndentation + styled("^", .good)]
        }
        if let suggestion { lines.append("    " + suggestion.escapedForTerminal) }
        return lines.joined(separator: "\n")
    }
}
