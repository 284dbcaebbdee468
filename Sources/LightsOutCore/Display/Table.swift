/// Rows in aligned columns that fit the terminal.
///
/// Cells come from anywhere: what a terminal might act on is escaped. Where the rows are wider than the terminal, the
/// columns give way, the least important first: each takes its cells' short form, then it is cut, as far as it may be. Where
/// that is not enough, the least important column is left out, and those that are left have its room. The last one is
/// never padded.
public struct Table {
    public struct Column: Sendable {
        public let title: String
        /// What it may be cut down to; nil where it may not.
        public let minimumWidth: Int?
        public let isRightAligned: Bool
        /// The columns with the lowest number give way first; of those with the same, the last.
        public let importance: Int

        public init(_ title: String, minimumWidth: Int? = nil, isRightAligned: Bool = false, importance: Int = 0) {
            self.title = title
            self.minimumWidth = minimumWidth
            self.isRightAligned = isRightAligned
            self.importance = importance
        }
    }

    public struct Cell: Sendable, ExpressibleByStringLiteral {
        let text: String
        let style: Style
        /// What is shown where there is too little room for the text.
        let shortText: String

        public init(_ text: String, _ style: Style = .plain, short: String? = nil) {
            self.text = text.escapedForTerminal
            self.style = style
            shortText = short?.escapedForTerminal ?? self.text
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
        let shown = fitted(to: width)
        let titles = columns.map { Cell($0.title, .heading) }
        return ([titles] + rows).map { row in
            var line = ""
            for (position, slot) in shown.enumerated() {
                let cell = slot.column < row.count ? row[slot.column] : ""
                let text = slot.text(of: cell).cut(toWidth: slot.width)
                let padding = String(repeating: " ", count: slot.width - text.displayWidth)
                let styled = cell.style.applied(to: text, colour: colour)
                let isLast = position == shown.count - 1
                if columns[slot.column].isRightAligned {
                    line += padding + styled
                } else {
                    line += isLast ? styled : styled + padding
                }
                if !isLast { line += String(repeating: " ", count: Self.gap) }
            }
            // A row whose last cells are empty ends with its text.
            while line.utf8.last == UInt8(ascii: " ") { line.unicodeScalars.removeLast() }
            return line
        }
    }

    // MARK: Fitting

    /// A column as it is shown.
    private struct Slot {
        let column: Int
        var isShort = false
        var width = 0

        func text(of cell: Cell) -> String { isShort ? cell.shortText : cell.text }
    }

    /// The columns that are shown. One without any text is left out, title and all.
    private func fitted(to width: Int?) -> [Slot] {
        var shown = columns.indices.filter { index in rows.contains { index < $0.count && !$0[index].text.isEmpty } }
            .map { measured(Slot(column: $0)) }
        guard let width else { return shown }
        let order = columns.indices.sorted { (columns[$0].importance, $1) < (columns[$1].importance, $0) }
        for least in order {
            let slots = givingWay(shown, in: order, to: width)
            if Self.width(of: slots) <= width { return slots }
            shown.removeAll { $0.column == least }
        }
        return shown
    }

    /// The slots as narrow as `width` makes it necessary, if they can be.
    private func givingWay(_ slots: [Slot], in order: [Int], to width: Int) -> [Slot] {
        var slots = slots
        for column in order {
            let excess = Self.width(of: slots) - width
            guard excess > 0 else { break }
            guard let position = slots.firstIndex(where: { $0.column == column }) else { continue }
            let short = measured(Slot(column: column, isShort: true))
            let saved = slots[position].width - short.width
            slots[position] = short
            // The only one is shown as far as there is room for it.
            if excess > saved, let minimum = slots.count == 1 ? 0 : columns[column].minimumWidth, minimum < short.width {
                slots[position].width = max(minimum, short.width - (excess - saved))
            }
        }
        return slots
    }

    private func measured(_ slot: Slot) -> Slot {
        var slot = slot
        slot.width = rows.reduce(columns[slot.column].title.displayWidth) { widest, row in
            slot.column < row.count ? max(widest, slot.text(of: row[slot.column]).displayWidth) : widest
        }
        return slot
    }

    private static func width(of slots: [Slot]) -> Int {
        slots.reduce(0) { $0 + $1.width } + gap * max(0, slots.count - 1)
    }
}
