/// Time spans as text, in the syntax and the display of systemd (systemd.time(7), "Parsing time spans"): what
/// `systemd-analyze timespan` accepts is accepted, with the same value, and shown in the same words.
extension TimeSpan {
    /// Reads a span such as `90`, `1h 30min`, `1.5h`, `2weeks` or `infinity`. A number without a unit counts seconds;
    /// the terms are added up. What is finer than a microsecond is cut off.
    /// - Throws: ``TimeSpanError`` where the text is no time span, or one that is too long to count.
    public init(parsing text: some StringProtocol) throws(TimeSpanError) {
        var rest = Substring(text).utf8
        rest.skipSpace()
        if rest.skip("infinity") {
            rest.skipSpace()
            guard rest.isEmpty else { throw .unexpected(String(Substring(rest))) }
            self = .infinity
            return
        }
        guard !rest.isEmpty else { throw .empty }
        var sum: UInt64 = 0
        while !rest.isEmpty {
            sum = try Self.add(term: &rest, to: sum)
            rest.skipSpace()
        }
        self.init(microseconds: sum)
    }

    /// Takes one number with its unit off the front of `rest`.
    private static func add(term rest: inout Substring.UTF8View, to sum: UInt64) throws(TimeSpanError) -> UInt64 {
        if rest.first == UInt8(ascii: "-") { throw .negative }
        let term = rest
        let start = rest.startIndex
        rest.skipSpaceOfNumber()
        rest.skip("+")
        let isPrefixed = rest.startIndex != start
        let whole = rest.takeDigits()
        var fraction = Substring().utf8
        if !isPrefixed || !whole.isEmpty, rest.skip(".") {
            fraction = rest.takeDigits()
            guard !fraction.isEmpty else { throw .unexpected(String(Substring(term))) }
        } else if whole.isEmpty {
            throw .unexpected(String(Substring(term)))
        }
        let unit = try takeUnit(&rest)

        // A count of seconds or less reaches to 2^63 only, as in systemd, whose number is a signed one.
        var total: UInt64 = 0
        if !whole.isEmpty {
            guard let count = Int64(Substring(whole)), UInt64(count) < UInt64.max / unit else { throw .tooLong }
            total = UInt64(count) * unit
        }
        var place = unit / 10
        for digit in fraction where place > 0 {
            total += UInt64(digit - UInt8(ascii: "0")) * place
            place /= 10
        }
        guard total < UInt64.max - sum else { throw .tooLong }
        return sum + total
    }

    /// Takes a unit off the front of `rest`, with the space before it; without one, the unit is the second.
    private static func takeUnit(_ rest: inout Substring.UTF8View) throws(TimeSpanError) -> UInt64 {
        let number = rest.startIndex
        rest.skipSpace()
        for unit in unitNames where rest.skip(unit.name) { return unit.microseconds }
        if rest.startIndex == number, !rest.isEmpty { throw .unexpected(String(Substring(rest))) }
        return 1_000_000
    }

    /// Every name of a unit; a name stands before those that it begins with, for the first that fits is taken.
    private static let unitNames: [(name: StaticString, microseconds: UInt64)] = [
        ("seconds", second), ("second", second), ("sec", second), ("s", second),
        ("minutes", minute), ("minute", minute), ("min", minute),
        ("months", month), ("month", month), ("M", month),
        ("msec", 1000), ("ms", 1000),
        ("m", minute),
        ("hours", hour), ("hour", hour), ("hr", hour), ("h", hour),
        ("days", day), ("day", day), ("d", day),
        ("weeks", week), ("week", week), ("w", week),
        ("years", year), ("year", year), ("y", year),
        ("usec", 1), ("us", 1), ("\u{3bc}s", 1), ("\u{b5}s", 1),
    ]

    private static let second: UInt64 = 1_000_000
    private static let minute = 60 * second
    private static let hour = 60 * minute
    private static let day = 24 * hour
    private static let week = 7 * day
    /// 30.44 days and 365.25 days: systemd's, where a month and a year have one length.
    private static let month = 2_629_800 * second
    private static let year = 31_557_600 * second
}

extension TimeSpan: CustomStringConvertible {
    /// The span as systemd shows it: `1h 30min`, `1min 1.500000s`, `0`, `infinity`. Reading it gives the span again.
    public var description: String {
        if isInfinite { return "infinity" }
        if microseconds == 0 { return "0" }
        var terms: [String] = []
        var rest = microseconds
        for (name, length, decimals) in Self.shownUnits where rest >= length {
            let remainder = rest % length
            var term = String(rest / length)
            rest = remainder
            if decimals > 0, remainder > 0 {
                let digits = String(remainder)
                term += "." + String(repeating: "0", count: decimals - digits.count) + digits
                rest = 0
            }
            terms.append(term + name)
        }
        return terms.joined(separator: " ")
    }

    /// The units that a span is shown in, longest first, with the digits after the point where one may stand there.
    private static let shownUnits: [(name: String, length: UInt64, decimals: Int)] = [
        ("y", year, 0), ("month", month, 0), ("w", week, 0), ("d", day, 0), ("h", hour, 0), ("min", minute, 0),
        ("s", second, 6), ("ms", 1000, 3), ("us", 1, 0),
    ]
}

/// Why text is no time span.
public enum TimeSpanError: Error, Hashable, Sendable, CustomStringConvertible {
    case empty
    /// A number is below zero.
    case negative
    /// The span has more microseconds than can be counted: about 292,000 years.
    case tooLong
    /// From here on the text is no number with a unit.
    case unexpected(String)

    public var description: String {
        switch self {
        case .empty: "an empty text is no time span: write one as in 90s, 15min, 1h 30min or infinity"
        case .negative: "a time span cannot be negative"
        case .tooLong: "the time span is too long to count: write infinity where no limit is meant"
        case .unexpected(let text):
            "\(text.quotedForPeople) is no time span: write numbers with the units us, ms, s, min, h, d, w, month or y, "
                + "as in 1h 30min"
        }
    }
}

extension Substring.UTF8View {
    /// The white space of systemd's parsers.
    fileprivate mutating func skipSpace() {
        self = drop { " \t\n\r".utf8.contains($0) }
    }

    /// What strtoll(3), by which systemd reads a number, skips before it.
    fileprivate mutating func skipSpaceOfNumber() {
        self = drop { $0 == UInt8(ascii: " ") || (9...13).contains($0) }
    }

    /// Skips `prefix` where it comes next, and says whether it did.
    @discardableResult
    fileprivate mutating func skip(_ prefix: StaticString) -> Bool {
        prefix.withUTF8Buffer { prefix in
            guard first == prefix.first, starts(with: prefix) else { return false }
            removeFirst(prefix.count)
            return true
        }
    }

    fileprivate mutating func takeDigits() -> Substring.UTF8View {
        let digits = prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        self = self[digits.endIndex...]
        return digits
    }
}
