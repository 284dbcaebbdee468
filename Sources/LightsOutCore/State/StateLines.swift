/// A state file that is not as it was written, and what is wrong with it.
public struct DamagedState: Error, Hashable, CustomStringConvertible {
    public let reason: String
    public init(_ reason: String) { self.reason = reason }
    public var description: String { reason }
}

/// The `key=value` lines of a state file. Each is taken out once; what is left over is damage.
public struct StateLines {
    /// No state of ours is nearly as long; a longer file is not read.
    public static let maximumLength = 16 * 1024

    private var values: [Substring: Substring] = [:]

    /// Reads the lines of `text`; empty ones and those that begin with `#` say nothing.
    public init(_ text: String) throws(DamagedState) {
        guard text.utf8.last == UInt8(ascii: "\n") else { throw DamagedState("it does not end with a line") }
        // By bytes, not by characters: the daemon reads one such file a backup when it starts.
        for bytes in text.utf8.split(separator: UInt8(ascii: "\n")) where bytes.first != UInt8(ascii: "#") {
            guard let separator = bytes.firstIndex(of: UInt8(ascii: "=")) else {
                throw DamagedState("a line is no key=value: \(String(Substring(bytes)).quotedForPeople)")
            }
            let key = Substring(bytes[..<separator])
            let value = Substring(bytes[bytes.index(after: separator)...])
            guard values.updateValue(value, forKey: key) == nil else {
                throw DamagedState("\(String(key).quotedForPeople) is there twice")
            }
        }
    }

    /// Takes the value of `key`.
    public mutating func required<Value>(
        _ key: String, _ read: (String) -> Value?
    ) throws(DamagedState) -> Value {
        guard let value = try optional(key, read) else { throw DamagedState("\(key) is missing") }
        return value
    }

    /// Takes the value of `key`, if it is there.
    public mutating func optional<Value>(
        _ key: String, _ read: (String) -> Value?
    ) throws(DamagedState) -> Value? {
        guard let text = values.removeValue(forKey: Substring(key)) else { return nil }
        guard let value = read(String(text)) else {
            throw DamagedState("\(key) cannot be \(String(text).quotedForPeople)")
        }
        return value
    }

    public mutating func expectVersion(_ version: String) throws(DamagedState) {
        _ = try required("version") { $0 == version ? $0 : nil }
    }

    public func expectNothingMore() throws(DamagedState) {
        if let key = values.keys.min() { throw DamagedState("\(String(key).quotedForPeople) is no key of it") }
    }
}
