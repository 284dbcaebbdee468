/// Rows in aligned columns that fit the terminal.
///
/// Cells come from anywhere: what a terminal might act on is escaped. Where the rows are wider than the terminal, the
/// widest of the columns that may be cut give way; the last one is never padded.
public struct Table {
    public struct Column: Sendable {
        public let title: String
        /// What it may be cut down to; nil where it may not.
        public let minimumWidth: Int?
        public let isRightAligned: Bool

        public init(_ title: String, minimumWidth: Int? = nil, isRightAligned: Bool = false) {
            self.title = title
            self.minimumWidth = minimumWidth
            self.isRightAligned = isRightAligned
        }
    }

    public struct Cell: Sendable, ExpressibleByStringLiteral {
        let text: String
        let style: Style

        public init(_ text: String, _ style: Style = .plain) {
            self.text = text.escapedForTerminal
            self.style = style
        }

        public init(stringLiteral text: String) { self.init(text) }
    }

    private let columns: [Column]
    private var rows: [[Cell]] = []

    private static let gap = 2

    public init(_ columns: [Column]) { self.columns = columns }

    public var isEmpty: Bool { rows.isEmpty }

    /// Adds a row; cells that are missing at its end are empty.
    public mutating func add(_ cells: [Cell]) { rows.append(cells) }

    /// The lines, the titles first.
    /// - Parameter width: the columns there are; nil where there is no terminal, and nothing is cut.
    public func lines(width: Int?, colour: Bool) -> [String] {
        let used = columns.indices.filter { index in rows.contains { index < $0.count && !$0[index].text.isEmpty } }
        let widths = fitted(used, to: width)
        let titles = columns.map { Cell($0.title, .heading) }
        return ([titles] + rows).map { row in
            var line = ""
            for (position, index) in used.enumerated() {
                let cell = index < row.count ? row[index] : Cell("")
                let text = cell.text.cut(toWidth: widths[position])
                let padding = String(repeating: " ", count: widths[position] - text.displayWidth)
                let styled = cell.style.applied(to: text, colour: colour)
                let isLast = position == used.count - 1
                if columns[index].isRightAligned {
                    line += padding + styled
                } else {
                    line += isLast ? styled : styled + padding
                }
                if !isLast { line += String(repeating: " ", count: Self.gap) }
            }
            // A row whose last cells are empty ends with its text.
            while line.last == " " { line.removeLast() }
            return line
        }
    }

    /// The widths of the columns in use. A column without any text is left out, title and all.
    private func fitted(_ used: [Int], to width: Int?) -> [Int] {
        var widths = used.map { index in
            rows.reduce(columns[index].title.displayWidth) { widest, row in
                index < row.count ? max(widest, row[index].text.displayWidth) : widest
            }
        }
        guard let width else { return widths }
        var excess = widths.reduce(0, +) + Self.gap * max(0, used.count - 1) - width
        while excess > 0 {
            let candidates = used.indices.filter { widths[$0] > columns[used[$0]].minimumWidth ?? .max }
            guard let widest = candidates.max(by: { widths[$0] < widths[$1] }) else { break }
            widths[widest] -= 1
            excess -= 1
        }
        return widths
    }
}
