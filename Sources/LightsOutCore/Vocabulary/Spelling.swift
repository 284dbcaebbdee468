/// "Did you mean …?"
public enum Spelling {
    /// The one of `candidates` that `text` most likely was meant to be: letter case aside, up to two letters wrong,
    /// missing, too many or swapped, but no more than every third.
    public static func closest(to text: String, among candidates: some Sequence<String>) -> String? {
        let wanted = Array(text.utf8.map(\.lowercased))
        // Nothing that people misspell is longer, and comparing takes time.
        guard (1...64).contains(wanted.count) else { return nil }
        let allowed = min(2, wanted.count / 3)
        var best: (candidate: String, distance: Int)?
        var rows = Rows(count: wanted.count + 1)
        for candidate in candidates where abs(candidate.utf8.count - wanted.count) <= allowed {
            let bound = min(allowed, best.map { $0.distance - 1 } ?? allowed)
            if let distance = distance(candidate.utf8, wanted, atMost: bound, &rows) { best = (candidate, distance) }
        }
        return best?.candidate
    }

    /// The three rows of the table of distances that are needed at a time, made once for all candidates.
    private struct Rows {
        var beforePrevious: [Int]
        var previous: [Int]
        var current: [Int]

        init(count: Int) {
            beforePrevious = Array(repeating: 0, count: count)
            (previous, current) = (beforePrevious, beforePrevious)
        }
    }

    /// How many letters are to be changed, added, taken away or swapped with their neighbour; `nil` where that is more
    /// than `bound`, which shows after a few letters for most words. `word` is in lower case.
    private static func distance(
        _ candidate: String.UTF8View, _ word: [UInt8], atMost bound: Int, _ rows: inout Rows
    ) -> Int? {
        for column in 0...word.count { rows.previous[column] = column }
        var letterBefore: UInt8 = 0
        for (row, byte) in candidate.enumerated() {
            let letter = byte.lowercased
            rows.current[0] = row + 1
            var least = row + 1
            for column in 0..<word.count {
                var cost = min(
                    rows.previous[column + 1] + 1, rows.current[column] + 1,
                    rows.previous[column] + (letter == word[column] ? 0 : 1))
                if row > 0, column > 0, letter == word[column - 1], letterBefore == word[column] {
                    cost = min(cost, rows.beforePrevious[column - 1] + 1)
                }
                rows.current[column + 1] = cost
                least = min(least, cost)
            }
            guard least <= bound else { return nil }
            letterBefore = letter
            (rows.beforePrevious, rows.previous, rows.current) = (rows.previous, rows.current, rows.beforePrevious)
        }
        let distance = rows.previous[word.count]
        return distance <= bound ? distance : nil
    }
}
