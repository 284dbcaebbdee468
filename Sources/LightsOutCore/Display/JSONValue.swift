/// A value of JSON (RFC 8259), written for programs: an object's keys keep their order, and nothing that a terminal might
/// act on is written as it is, since people look at it too.
public enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case string(String)
    /// A span of time, as a number of seconds: `0.85`. An infinite one is null.
    case seconds(TimeSpan)
    case array([JSONValue])
    case object([Member])

    public struct Member: Hashable, Sendable {
        public let name: String
        public let value: JSONValue

        public init(_ name: String, _ value: JSONValue) {
            self.name = name
            self.value = value
        }
    }

    public static func string(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
    public static func integer(_ number: Int32?) -> JSONValue { number.map { .integer(Int64($0)) } ?? .null }
    public static func integer(_ number: Int?) -> JSONValue { number.map { .integer(Int64($0)) } ?? .null }
    public static func seconds(_ span: TimeSpan?) -> JSONValue { span.map { .seconds($0) } ?? .null }
    /// A time as in RFC 3339, with microseconds and the zone's offset.
    public static func time(_ time: Timestamp?, in zone: ZoneRules) -> JSONValue {
        time.map { .string($0.rfc3339(in: zone)) } ?? .null
    }

    /// A list of objects, each on a line of its own: JSON as a whole, and fit for grep.
    public static func document(_ objects: [[Member]]) -> String {
        guard !objects.isEmpty else { return "[]" }
        return "[\n" + objects.map { "  " + JSONValue.object($0).text }.joined(separator: ",\n") + "\n]"
    }

    /// The value in one line.
    public var text: String {
        var text = ""
        write(to: &text)
        return text
    }

    private func write(to text: inout String) {
        switch self {
        case .null: text += "null"
        case .bool(let flag): text += flag ? "true" : "false"
        case .integer(let number): text += String(number)
        case .string(let string): Self.write(string, to: &text)
        case .seconds(let span): text += span.isInfinite ? "null" : span.decimalSeconds
        case .array(let values):
            text += "["
            for (index, value) in values.enumerated() {
                if index > 0 { text += ", " }
                value.write(to: &text)
            }
            text += "]"
        case .object(let members):
            text += "{"
            for (index, member) in members.enumerated() {
                if index > 0 { text += ", " }
                Self.write(member.name, to: &text)
                text += ": "
                member.value.write(to: &text)
            }
            text += "}"
        }
    }

    private static func write(_ string: String, to text: inout String) {
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"", "\\": text += "\\\(scalar)"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            default:
                if scalar.isUnprintable {
                    for unit in String(scalar).utf16 { text += "\\u" + unit.fourHexadecimalDigits }
                } else {
                    text.unicodeScalars.append(scalar)
                }
            }
        }
        text += "\""
    }
}

extension TimeSpan {
    /// Seconds with as many decimals as needed: `0`, `2`, `0.85`.
    fileprivate var decimalSeconds: String {
        let (whole, fraction) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        guard fraction > 0 else { return String(whole) }
        var digits = ""
        digits.append(Int(fraction), width: 6)
        while digits.last == "0" { digits.removeLast() }
        return "\(whole).\(digits)"
    }
}

extension UInt16 {
    fileprivate var fourHexadecimalDigits: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: 4 - digits.count) + digits
    }
}
