/// Something wrong with the configuration: what, where, and what would be right.
public struct ConfigurationProblem: Error, Hashable, Sendable {
    public enum Severity: String, Hashable, Sendable, Comparable {
        /// The configuration is not used until it is mended.
        case error
        /// Something is said that probably is not meant.
        case warning

        public static func < (left: Severity, right: Severity) -> Bool { left == .error && right == .warning }
    }

    /// What cannot be relied on for the problem's sake.
    public enum Scope: Hashable, Sendable {
        case everything
        case backup(BackupName)
        /// A backup that cannot be named, and so cannot be meant by anybody who names one.
        case namelessBackup
    }

    public var severity: Severity
    public var file: String
    /// Nil where the file as a whole is meant.
    public var position: SourcePosition?
    public var message: String
    /// What would be right.
    public var suggestion: String?
    public var scope: Scope
    /// The line at ``position``.
    public var excerpt: SourceExcerpt?

    public init(
        _ severity: Severity, file: String, position: SourcePosition? = nil, _ message: String, suggestion: String? = nil,
        scope: Scope = .everything, excerpt: SourceExcerpt? = nil
    ) {
        self.severity = severity
        self.file = file
        self.position = position
        self.message = message
        self.suggestion = suggestion
        self.scope = scope
        self.excerpt = excerpt
    }

    public var line: Int? { position?.line }
    public var column: Int? { position?.column }

    /// One line, for a journal: `file:line:column: message; suggestion`.
    public var summary: String { headline + (suggestion.map { "; " + $0 } ?? "") }

    /// The problem as compilers show theirs: the headline, the line with a caret below the place, the suggestion.
    public var rendered: String {
        var lines = [headline]
        if let excerpt { lines += ["    " + excerpt.text, "    " + excerpt.caretIndentation + "^"] }
        if let suggestion { lines.append("    " + suggestion) }
        return lines.joined(separator: "\n")
    }

    private var headline: String {
        let place = position.map { SourcePlace(file: file, position: $0).description } ?? file
        return "\(place): \(severity == .warning ? "warning: " : "")\(message)"
    }
}

/// A line of a file, made fit to be shown: nothing in it moves a terminal's cursor, and of a long line only the part
/// around the place in question is kept.
public struct SourceExcerpt: Hashable, Sendable {
    public let text: String
    /// The characters before the place.
    public let caretOffset: Int

    /// - Parameter column: the place, counted from 1; it may lie past the end.
    public init(line: String, column: Int) {
        let scalars = line.unicodeScalars
        let window = Window(column: column, ofLineOf: scalars.count)
        self.init(window, showing: scalars.dropFirst(window.skipped))
    }

    /// The part of a line that is shown.
    struct Window {
        static let longest = 100
        /// Enough to tell whether there is more than ``longest`` characters.
        static let mostBytes = 4 * (longest + 1)
        private static let before = 60

        /// The characters of the line before the place, and those before the part.
        let place: Int
        let skipped: Int

        init(column: Int, ofLineOf count: Int) {
            place = min(max(0, column - 1), count)
            skipped = place > Self.longest - 20 ? place - Self.before : 0
        }
    }

    /// - Parameter rest: the line from the window's beginning on, or at least ``Window/mostBytes`` of it.
    init(_ window: Window, showing rest: some Sequence<Unicode.Scalar>) {
        var shown = String.UnicodeScalarView()
        var count = 0
        for scalar in rest.prefix(Window.longest + 1) {
            count += 1
            guard count <= Window.longest else { break }
            shown.append(scalar == "\t" ? " " : scalar.isUnprintable ? "\u{fffd}" : scalar)
        }
        let mark = window.skipped > 0 ? "…" : ""
        text = mark + String(shown) + (count > Window.longest ? "…" : "")
        caretOffset = window.place - window.skipped + mark.unicodeScalars.count
    }

    /// The room that stands before the place on a terminal, where characters may be wide or combine.
    var caretIndentation: String {
        let before = text.unicodeScalars.prefix(caretOffset)
        let pastEnd = caretOffset - before.count
        return String(repeating: " ", count: String(String.UnicodeScalarView(before)).displayWidth + pastEnd)
    }
}
