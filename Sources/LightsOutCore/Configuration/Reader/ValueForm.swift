/// What the value of a key looks like. The reader's messages and the JSON Schema for editors come from it.
indirect enum ValueForm: Hashable, Sendable {
    case flag
    /// A flag, or one of these words.
    case flagOr([String])
    case count(ClosedRange<Int>)
    case timeSpan(mayBeZero: Bool, mayBeInfinite: Bool)
    /// One line, to be shown to people.
    case line
    /// Any text without a NUL.
    case argument
    case absolutePath
    case userName
    case calendarExpression
    case choice([String])
    case list(ValueForm, isSet: Bool, mayBeEmpty: Bool)
    /// One, or a list of them.
    case oneOrMore(ValueForm)
    /// A preset's name, or a mapping of exit statuses to results.
    case exitCodes
    case retry
}
