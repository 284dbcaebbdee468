/// Text that is no calendar expression: what is wrong with which part of it, and what would be right.
public struct CalendarExpressionError: Error, Sendable, CustomStringConvertible {
    /// The whole expression as it was given.
    public let text: String
    /// Where in ``text`` the part is, in bytes of UTF-8: for a caret below it.
    public let range: Range<Int>
    /// What is wrong, beginning with the part where that helps: `"Fry" is no weekday`.
    public let problem: String
    /// What would be right, if that can be guessed: `did you mean "Fri"?`
    /// Looked for when it is asked for: a file may have thousands of mistakes, and few of them are told.
    public var suggestion: String? { findSuggestion() }

    private let findSuggestion: @Sendable () -> String?

    init(text: String, range: Range<Int>, problem: String, suggestion: @escaping @Sendable () -> String?) {
        self.text = text
        self.range = range
        self.problem = problem
        findSuggestion = suggestion
    }

    /// One line for people.
    public var description: String {
        let complaint = "\(text.quotedForPeople) is no calendar expression: \(problem)"
        return suggestion.map { "\(complaint); \($0)" } ?? complaint
    }
}
