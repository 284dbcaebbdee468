/// Text that is no calendar expression: what is wrong with which part of it, and what would be right.
public struct CalendarExpressionError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The whole expression as it was given.
    public let text: String
    /// Where in ``text`` the part is, in bytes of UTF-8: for a caret below it.
    public let range: Range<Int>
    /// What is wrong, beginning with the part where that helps: `"Fry" is no weekday`.
    public let problem: String
    /// What would be right, if that can be guessed: `did you mean "Fri"?`
    public let suggestion: String?

    /// One line for people.
    public var description: String {
        let complaint = "\(text.quotedForPeople) is no calendar expression: \(problem)"
        return suggestion.map { "\(complaint); \($0)" } ?? complaint
    }
}
