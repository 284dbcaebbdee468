// Text from outside, compared by its bytes.
//
// Swift's own comparison, hashing and search treat letters that look the same as equal. For that they sort combining marks,
// and the time this takes grows with the square of their number. They also see no "block" at the start of "block" with an
// accent on its last letter. Bytes are compared in linear time and mean one thing.

extension StringProtocol {
    /// Whether both texts have the same bytes.
    public func hasSameBytes(as other: some StringProtocol) -> Bool { utf8.elementsEqual(other.utf8) }

    /// Whether the bytes begin with those of `prefix`.
    public func hasBytes(prefix: some StringProtocol) -> Bool { utf8.starts(with: prefix.utf8) }

    /// Whether the bytes end with those of `suffix`.
    public func hasBytes(suffix: some StringProtocol) -> Bool { utf8.reversed().starts(with: suffix.utf8.reversed()) }
}

extension Sequence where Element: StringProtocol {
    /// Whether one of the texts has the same bytes as `text`.
    public func containsBytes(of text: some StringProtocol) -> Bool { contains { $0.hasSameBytes(as: text) } }
}

extension RawRepresentable where Self: CaseIterable, RawValue == String {
    /// The case whose raw value has the same bytes as `word`.
    public init?(word: some StringProtocol) {
        guard let found = Self.allCases.first(where: { $0.rawValue.hasSameBytes(as: word) }) else { return nil }
        self = found
    }
}
