/// A state file that is not as it was written, and what is wrong with it.
public struct DamagedState: Error, Hashable, CustomStringConvertible {
    public let reason: String
    public init(_ reason: String) { self.reason = reason }
    public var description: String { reason }
}

/// The `key=value` lines of a state file. Each is taken out once; what is left over is damage.
///
/// They lie in the order of the file, which is the order in which whoever wrote them takes them out again: the daemon reads
/// a file or two a backup when it starts, and a table of ten lines costs more to make than to search.
public struct StateLines {
    /// No state of ours is nearly as long; a longer file is not read.
    public static let maximumLength = 16 * 1024
    /// Nor has any nearly as many lines.
    static let maximumCount = 100

    private var lines: ArraySlice<(key: Substring, value: Substring)> = []

    /// Reads the lines of `text`; empty ones and those that begin with `#` say nothing.
    public init(_ text: String) throws(DamagedState) {
        var text = text
        // By bytes, not by characters.
        let places = text.withUTF8 { bytes in Self.places(in: bytes) }
        guard text.utf8.last == UInt8(ascii: "\n") else { throw DamagedState("it does not end with a line") }
        lines.reserveCapacity(places.count)
        for place in places {
            let start = text.utf8.index(text.startIndex, offsetBy: place.line.lowerBound)
            let end = text.utf8.index(start, offsetBy: place.line.count)
            guard let separator = place.separator else {
                throw DamagedState("a line is no key=value: \(String(text[start..<end]).quotedForPeople)")
            }
            let separatorIndex = text.utf8.index(start, offsetBy: separator - place.line.lowerBound)
            let key = text[start..<separatorIndex]
            guard !lines.contains(where: { $0.key.hasSameBytes(as: key) }) else {
                throw DamagedState("\(String(key).quotedForPeople) is there twice")
            }
            guard lines.count < Self.maximumCount else { throw DamagedState("it has too many lines") }
            lines.append((key, text[text.utf8.index(after: separatorIndex)..<end]))
        }
    }

    /// The bytes of each line that says something, and where its first `=` is.
    private static func places(
        in bytes: UnsafeBufferPointer<UInt8>
    ) -> [(line: Range<Int>, separator: Int?)] {
        var places: [(line: Range<Int>, separator: Int?)] = []
        places.reserveCapacity(16)
        var start = 0
        var separator: Int?
        for index in bytes.indices {
            switch bytes[index] {
            case UInt8(ascii: "="): separator = separator ?? index
            case UInt8(ascii: "\n"):
                if start < index, bytes[start] != UInt8(ascii: "#") { places.append((start..<index, separator)) }
                start = index + 1
                separator = nil
            default: break
            }
        }
        return places
    }

    /// Takes the value of `key`.
    public mutating func required<Value>(
        _ key: String, _ read: (Substring) -> Value?
    ) throws(DamagedState) -> Value {
        guard let value = try optional(key, read) else { throw DamagedState("\(key) is missing") }
        return value
    }

    /// Takes the value of `key`, if it is there.
    public mutating func optional<Value>(
        _ key: String, _ read: (Substring) -> Value?
    ) throws(DamagedState) -> Value? {
        guard let index = lines.firstIndex(where: { $0.key.hasSameBytes(as: key) }) else { return nil }
        let text = lines[index].value
        if index == lines.startIndex { lines.removeFirst() } else { lines.remove(at: index) }
        guard let value = read(text) else {
            throw DamagedState("\(key) cannot be \(String(text).quotedForPeople)")
        }
        return value
    }

    public mutating func expectVersion(_ version: String) throws(DamagedState) {
        _ = try required("version") { $0 == version ? $0 : nil }
    }

    public func expectNothingMore() throws(DamagedState) {
        if let key = lines.map(\.key).min() { throw DamagedState("\(String(key).quotedForPeople) is no key of it") }
    }
}
