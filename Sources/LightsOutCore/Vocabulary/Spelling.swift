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
        for candidate in candidates {
            let other = Array(candidate.utf8.map(\.lowercased))
            guard abs(other.count - wanted.count) <= allowed else { continue }
            let distance = distance(wanted, other)
            if distance <= allowed, distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        return best?.candidate
    }

    /// How many letters are to be changed, added, taken away or swapped with their neighbour.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforePrevious: [Int] = []
        var previous = Array(0...right.count)
        for row in 0..<left.count {
            var current = [row + 1]
            for column in 0..<right.count {
                var cost = min(
                    previous[column + 1] + 1, current[column] + 1,
                    previous[column] + (left[row] == right[column] ? 0 : 1))
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    cost = min(cost, beforePrevious[column - 1] + 1)
                }
                current.append(cost)
            }
            beforePrevious = previous
            previous = current
        }
        return previous[right.count]
    }
}
