/// The contents of a TZif file (RFC 8536, versions 1 to 4; tzfile(5)): what zic compiles a zone to.
///
/// Nothing in the bytes is trusted: every count and index is checked before it is used.
struct TimeZoneFile {
    /// The moments at which the offset changes, ascending.
    let changes: [ZoneChange]
    /// The offset before the first of them.
    let initial: ZoneOffset
    /// The rule for the time after the last of them.
    let tail: PosixZoneRule?

    /// What is wrong with the bytes, in words that go behind the file's name.
    struct Damage: Error, Equatable {
        let what: String
    }

    init(_ bytes: [UInt8]) throws(Damage) {
        var reader = Reader(bytes: bytes)
        var header = try Header(&reader)
        var timeWidth = 4
        if header.version >= 2 {
            // The first block is for readers that know 32 bits only. All of it comes again, in 64 bits.
            try reader.skip(header.blockLength(timeWidth: 4))
            header = try Header(&reader)
            timeWidth = 8
        }
        guard header.leapSeconds == 0 else {
            throw Damage(
                what: """
                    counts leap seconds, which the system's clock does not; use the zone of the same name outside "right/"
                    """)
        }
        guard header.types >= 1 else { throw Damage(what: "has no type of local time") }
        guard header.blockLength(timeWidth: timeWidth) <= reader.remaining else { throw Reader.truncated }

        var times: [Int64] = []
        times.reserveCapacity(header.times)
        for _ in 0..<header.times {
            let time = timeWidth == 4 ? Int64(try reader.int32()) : try reader.int64()
            if let previous = times.last, time <= previous { throw Damage(what: "has transitions that are not in order") }
            times.append(time)
        }
        var typeIndices: [Int] = []
        typeIndices.reserveCapacity(header.times)
        for _ in 0..<header.times {
            let index = Int(try reader.byte())
            guard index < header.types else { throw Damage(what: "has a transition to a type that is not there") }
            typeIndices.append(index)
        }
        let types = try Self.types(header, &reader)
        try reader.skip(header.standardIndicators + header.universalIndicators)

        initial = types[0]
        var changes: [ZoneChange] = []
        changes.reserveCapacity(times.count)
        for (time, index) in zip(times, typeIndices) {
            guard time <= Self.latestTransition else { throw Damage(what: "has a transition after the year 9999") }
            // Some writers begin with a transition at the Big Bang; it ends up before all of history here, too.
            let kept = max(time, Self.earliestTransition)
            if let last = changes.last, last.time == kept * 1_000_000 { changes.removeLast() }
            changes.append(ZoneChange(time: kept * 1_000_000, offset: types[index]))
        }
        self.changes = changes
        tail = header.version >= 2 ? try Self.tail(&reader) : nil
    }

    /// 9999-12-31.
    private static let latestTransition: Int64 = 253_402_300_799
    /// About 10,000 years ago.
    private static let earliestTransition: Int64 = -377_705_116_800

    private static func types(_ header: Header, _ reader: inout Reader) throws(Damage) -> [ZoneOffset] {
        var raw: [(seconds: Int, isDaylightSaving: Bool, name: Int)] = []
        raw.reserveCapacity(header.types)
        for _ in 0..<header.types {
            let seconds = Int(try reader.int32())
            let isDaylightSaving = try reader.byte()
            let name = Int(try reader.byte())
            // RFC 8536 asks for no more than about a day; nothing on earth needs as much.
            guard (-93_599...93_599).contains(seconds) else { throw Damage(what: "has an offset of more than a day") }
            guard isDaylightSaving <= 1 else { throw Damage(what: "has a type that is neither standard nor saving") }
            guard name < header.nameBytes else { throw Damage(what: "has a type whose abbreviation is not there") }
            raw.append((seconds, isDaylightSaving == 1, name))
        }
        let names = try reader.bytes(header.nameBytes)
        var types: [ZoneOffset] = []
        types.reserveCapacity(raw.count)
        for type in raw {
            let fromStart = names.dropFirst(type.name)
            guard let end = fromStart.firstIndex(of: 0) else { throw Damage(what: "has an abbreviation without end") }
            let name = fromStart[..<end]
            guard name.allSatisfy({ $0.isLetter || $0.isDigit || $0.isSign }) else {
                throw Damage(what: "has an abbreviation that is not letters, digits and signs")
            }
            types.append(
                ZoneOffset(
                    secondsEast: type.seconds, isDaylightSaving: type.isDaylightSaving,
                    abbreviation: String(decoding: name, as: UTF8.self)))
        }
        return types
    }

    private static func tail(_ reader: inout Reader) throws(Damage) -> PosixZoneRule? {
        let newline = UInt8(ascii: "\n")
        guard try reader.byte() == newline else { throw Damage(what: "has no footer") }
        let text = reader.rest
        guard let end = text.firstIndex(of: newline) else { throw Damage(what: "has a footer without end") }
        if end == text.startIndex { return nil }
        guard let rule = PosixZoneRule(text[..<end]) else { throw Damage(what: "has a footer that is no POSIX rule") }
        return rule
    }

    private struct Header {
        let version: Int
        let universalIndicators: Int
        let standardIndicators: Int
        let leapSeconds: Int
        let times: Int
        let types: Int
        let nameBytes: Int

        init(_ reader: inout Reader) throws(Damage) {
            guard try reader.bytes(4).elementsEqual("TZif".utf8) else {
                throw Damage(what: "is no TZif file: it does not begin with \"TZif\"")
            }
            // 0, or the digit of the version.
            let digit = try reader.byte()
            version = digit == 0 ? 1 : Int(digit) - Int(UInt8(ascii: "0"))
            guard version >= 1 else { throw Damage(what: "is of an unknown version") }
            try reader.skip(15)
            universalIndicators = try reader.count()
            standardIndicators = try reader.count()
            leapSeconds = try reader.count()
            times = try reader.count()
            types = try reader.count()
            nameBytes = try reader.count()
        }

        /// The counts are below 2³², so that no product of them overflows.
        func blockLength(timeWidth: Int) -> Int {
            times * (timeWidth + 1) + types * 6 + nameBytes + leapSeconds * (timeWidth + 4) + standardIndicators
                + universalIndicators
        }
    }

    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        static let truncated = Damage(what: "is cut short")

        var remaining: Int { bytes.count - position }
        var rest: ArraySlice<UInt8> { bytes[position...] }

        mutating func skip(_ count: Int) throws(Damage) {
            guard count <= remaining else { throw Self.truncated }
            position += count
        }

        mutating func bytes(_ count: Int) throws(Damage) -> ArraySlice<UInt8> {
            let start = position
            try skip(count)
            return bytes[start..<position]
        }

        mutating func byte() throws(Damage) -> UInt8 {
            try skip(1)
            return bytes[position - 1]
        }

        mutating func int32() throws(Damage) -> Int32 { Int32(bitPattern: UInt32(try bigEndian(4))) }
        mutating func int64() throws(Damage) -> Int64 { Int64(bitPattern: try bigEndian(8)) }
        mutating func count() throws(Damage) -> Int { Int(try bigEndian(4)) }

        private mutating func bigEndian(_ width: Int) throws(Damage) -> UInt64 {
            try bytes(width).reduce(0) { $0 << 8 | UInt64($1) }
        }
    }
}
