/// What libyaml complains of, in the words of someone who writes a configuration file.
enum YAMLComplaint {
    /// The complaint that libyaml puts as `problem` while doing what `context` says, and what to do about it.
    static func explain(problem: String, context: String?) -> (message: String, suggestion: String?) {
        if let indicator = indicator(problem: problem, context: context) {
            return (
                "a value that begins with \(indicator) means something else in YAML",
                indicator == "%" ? "put it in quotes, or remove the line" : "put it in quotes, as in \"*-*-* 02:30\""
            )
        }
        for (known, message, suggestion) in known where problem == known { return (message, suggestion) }
        return (([context, problem] as [String?]).compactMap(\.self).joined(separator: ", "), nil)
    }

    /// Whether the complaint is about something that should have ended, so that its beginning is worth telling.
    static func isOfUnfinished(problem: String) -> Bool {
        problem.hasPrefix("did not find expected ','") || problem == "found unexpected end of stream"
    }

    /// Whether the complaint comes when what is wrong has been passed: it is about what was begun.
    static func isOfBeginning(problem: String, context: String?) -> Bool {
        problem == "could not find expected ':'" || indicator(problem: problem, context: context) != nil
    }

    /// The character by which text without quotes became something else, where libyaml was reading that.
    private static func indicator(problem: String, context: String?) -> Character? {
        switch context {
        case "while scanning an alias": "*"
        case "while scanning an anchor": "&"
        case "while scanning a tag", "while parsing a tag": "!"
        case "while parsing a node" where problem == "found undefined tag handle": "!"
        case "while scanning a directive", "while scanning a %YAML directive": "%"
        default: nil
        }
    }

    private static let known: [(problem: String, message: String, suggestion: String)] = [
        (
            "mapping values are not allowed in this context", "a second \":\" where a value was expected",
            "put the value in quotes, or put the key on a line of its own with the indentation of its neighbours; or the line before lacks its \":\""
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
            "found unknown escape character", "a \\ in text in double quotes begins an escape, and this is none",
            "write \\\\ for a backslash, or put the text in single quotes"
        ),
        (
            "did not find expected hexdecimal number", "an escape of this form has hexadecimal digits behind it",
            "write \\\\ for a backslash, or put the text in single quotes"
        ),
        (
            "found invalid Unicode character escape code", "this escape is no character",
            "write the character itself, or \\\\ for a backslash"
        ),
        ("found incompatible YAML document", "another version of YAML is declared", "remove the line that begins with %YAML"),
        ("found duplicate %YAML directive", "a second line that begins with %YAML", "remove one of the two"),
        (
            "found unexpected document indicator", "a line \"---\" or \"...\" inside a text in quotes",
            "close the quotes before it"
        ),
        (
            "did not find expected comment or line break", "text behind | or > on the same line",
            "put the text on the lines below it, or leave the | or > out"
        ),
        (
            "found an indentation indicator equal to 0", "a block of text cannot be indented by 0",
            "leave the number behind | or > out"
        ),
        (
            "found a tab character where an indentation space is expected", "a tab in the indentation",
            "indent with spaces, never with tabs"
        ),
        (
            "mapping keys are not allowed in this context", "a \"?\" where a value was expected",
            "put the value in quotes"
        ),
        (
            "block sequence entries are not allowed in this context", "a \"- \" where a value was expected",
            "put the item on a line of its own, or the value in quotes"
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
