extension String {
    /// The name that was probably meant where this one is unknown: the one that the fewest slips of the hand turn into it,
    /// if they are few; or else the only one that it is a good part of. `-` for `_` and capitals are no slips.
    func nearest(of names: some Sequence<String>) -> String? {
        let typed = foldedForComparison
        // Longer than any name that we know: nothing that a slip explains, and costly to compare.
        guard typed.count <= 64 else { return nil }
        var best: (name: String, slips: Int)?
        var longer: [String] = []
        for name in names {
            let wanted = name.foldedForComparison
            if typed.count * 3 >= wanted.count, wanted.firstRange(of: typed) != nil { longer.append(name) }
            let slips = typed.slips(to: wanted)
            if slips <= max(1, min(typed.count, wanted.count) / 3), slips < best?.slips ?? .max { best = (name, slips) }
        }
        return best?.name ?? (longer.count == 1 ? longer.first : nil)
    }

    private var foldedForComparison: [UInt8] {
        lowercased().utf8.map { $0 == UInt8(ascii: "-") ? UInt8(ascii: "_") : $0 }
    }
}

extension [UInt8] {
    /// The letters to insert, remove, replace, or swap with their neighbour (optimal string alignment distance).
    fileprivate func slips(to other: [UInt8]) -> Int {
        var beforeLast: [Int] = []
        var last = Array<Int>(0...other.count)
        for row in indices {
            var current = [row + 1]
            for column in other.indices {
                var slips = Swift.min(
                    last[column + 1] + 1, current[column] + 1, last[column] + (self[row] == other[column] ? 0 : 1))
                if row > 0, column > 0, self[row] == other[column - 1], self[row - 1] == other[column] {
                    slips = Swift.min(slips, beforeLast[column - 1] + 1)
                }
                current.append(slips)
            }
            (beforeLast, last) = (last, current)
        }
        return last[other.count]
    }
}
