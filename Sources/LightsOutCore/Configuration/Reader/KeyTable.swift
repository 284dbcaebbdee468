/// One key of a mapping: its name, what it is for, and how its value becomes a property.
struct Key<Target>: Sendable {
    let name: String
    /// One sentence for the schema and for people.
    let summary: String
    let form: ValueForm
    /// What holds where the key is not said, as YAML; nil where that is nothing that could be written.
    let standard: @Sendable (Target) -> String?
    fileprivate let read: @Sendable (YAMLNode, inout FileReading, inout Target) -> Void

    init<Value>(
        _ name: String, _ property: any WritableKeyPath<Target, Value> & Sendable, _ kind: ValueKind<Value>,
        _ summary: String
    ) {
        self.name = name
        self.summary = summary
        form = kind.form
        standard = { kind.show($0[keyPath: property]) }
        read = { node, reading, target in
            if let value = kind.read(node, name, &reading) { target[keyPath: property] = value }
        }
    }
}

/// The keys that a mapping knows: the one list that the reader, the schema and the tests of both go by.
struct KeyTable<Target>: Sendable {
    /// The mapping, in messages: `a backup`.
    let owner: String
    let keys: [Key<Target>]
    private let indexOfName: [String: Int]
    private let longestKey: Int

    init(_ owner: String, _ keys: [Key<Target>]) {
        self.owner = owner
        self.keys = keys
        longestKey = keys.map(\.name.utf8.count).max() ?? 0
        indexOfName = Dictionary(keys.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Reads the entries of a mapping into `target`, and reports those that it has twice or does not know.
    /// - Parameters:
    ///   - others: keys that the mapping has beside the table's.
    ///   - readOther: takes the value of one of those.
    /// - Returns: where each key was said.
    @discardableResult
    func read(
        _ node: YAMLNode, into target: inout Target, _ reading: inout FileReading, alsoKnown others: [String] = [],
        _ readOther: (String, YAMLNode, inout FileReading) -> Void = { _, _, _ in }
    ) -> SaidKeys {
        var said = SaidKeys(count: keys.count + others.count)
        for (name, position, value) in reading.entries(of: node, in: owner) {
            let index = index(of: name) ?? others.firstIndex { $0.hasSameBytes(as: name) }.map { keys.count + $0 }
            guard let index else {
                reading.error(
                    "\(name.quotedForPeople) is no key of \(owner)", at: position,
                    suggestion: suggestion(for: name, among: keys.map(\.name) + others))
                continue
            }
            if let first = said.positions[index].map(reading.place) {
                reading.error(
                    "\(name.quotedForPeople) is said twice, first at \(first)", at: position,
                    suggestion: "remove one of the two")
                continue
            }
            said.positions[index] = position
            if index < keys.count {
                keys[index].read(value, &reading, &target)
            } else {
                readOther(name, value, &reading)
            }
        }
        return said
    }

    /// Foreign text is not looked up in a dictionary where it is longer than any key: its hash takes too long.
    private func index(of name: String) -> Int? { name.utf8.count <= longestKey ? indexOfName[name] : nil }

    private func suggestion(for name: String, among names: [String]) -> String {
        if let near = name.nearest(of: names) { return "did you mean \(near.quotedForPeople)?" }
        return "known are: \(names.joined(separator: ", "))"
    }
}

extension KeyTable {
    /// Where `said` has the key `name`.
    func position(of name: String, in said: SaidKeys) -> SourcePosition? {
        indexOfName[name].flatMap { said.positions[$0] }
    }

    /// The table's keys that `said` has, with their places.
    func keys(in said: SaidKeys) -> [(name: String, at: SourcePosition)] {
        zip(keys, said.positions).compactMap { key, position in position.map { (key.name, $0) } }
    }
}

/// Which keys of a table a mapping said, and where.
struct SaidKeys {
    fileprivate var positions: [SourcePosition?]

    fileprivate init(count: Int) { positions = Array(repeating: nil, count: count) }
}
