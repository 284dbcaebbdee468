/// One value of a YAML document with the place where it begins. A scalar stays the text that it is: what `no`, `22:30`
/// or `0x10` mean is for the reader of a key to say.
struct YAMLNode: Sendable {
    let position: SourcePosition
    let content: Content
    /// How many characters after its position the text of a scalar begins, where the file has it letter for letter: one behind
    /// a quote. Nil where places within the text are no places in the file.
    var inset: UInt8?

    enum Content: Sendable {
        case scalar(String, ScalarStyle)
        case sequence([YAMLNode])
        case mapping([YAMLEntry])
    }

    enum ScalarStyle: Sendable {
        case plain, quoted
        /// In a block of its own (`|`, `>`).
        case block
    }

    /// The text of a scalar; nil for other values, and where there is none.
    var text: String? {
        guard case .scalar(let text, _) = content, !isAbsent else { return nil }
        return text
    }

    /// ``text`` where one line is wanted: a block ends in a newline that nobody means.
    var line: String? {
        guard case .scalar(_, .block) = content, let text, text.utf8.last == UInt8(ascii: "\n") else { return text }
        return String(decoding: text.utf8.dropLast(), as: UTF8.self)
    }

    /// Whether nothing is written where the value belongs, or YAML's words for it.
    var isAbsent: Bool {
        if case .scalar(let text, .plain) = content { return text.isEmpty || ["~", "null"].containsBytes(of: text) }
        return false
    }

    /// What the value is, for a message that says what it should have been.
    var kindForPeople: String {
        switch content {
        case _ where isAbsent: "nothing"
        case .scalar(let text, _): text.quotedForPeople
        case .sequence: "a list"
        case .mapping: "a mapping (\"key: value\")"
        }
    }
}

/// A key and its value in a mapping. The entries keep their order, and equal keys stand beside each other.
struct YAMLEntry: Sendable {
    let key: YAMLNode
    let value: YAMLNode
}

/// A place in a file, as editors count: lines and characters (Unicode scalars) from 1.
public struct SourcePosition: Hashable, Comparable, Sendable {
    private let packed: UInt64

    public init(line: Int, column: Int) {
        packed = UInt64(UInt32(clamping: line)) << 32 | UInt64(UInt32(clamping: column))
    }

    public var line: Int { Int(packed >> 32) }
    public var column: Int { Int(packed & 0xffff_ffff) }

    /// A place further on in the line.
    func movedRight(by columns: Int) -> SourcePosition { SourcePosition(line: line, column: column + columns) }

    public static func < (left: SourcePosition, right: SourcePosition) -> Bool { left.packed < right.packed }
}
