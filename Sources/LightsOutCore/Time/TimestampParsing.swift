extension Timestamp {
    /// Reads a point in time as people write it (systemd.time(7), "Parsing timestamps"):
    /// - `2026-11-24 02:30:00`, shorter (`26-11-24`, `02:30`) and with a fraction of a second; what is missing is today
    ///   and zero. A weekday may stand before it (`Tue 2026-11-24`), which must be the right one;
    /// - `now`, `today`, `yesterday`, `tomorrow`: but for `now` their midnight;
    /// - `+3h 30min`, `in 3h`, `3h left`, `-5s`, `11min ago`: from `now`;
    /// - `@1395716396`: seconds since 1970;
    /// - RFC 3339: `2026-11-24T02:30:00.5+01:00`, `…Z`.
    ///
    /// Dates and times of day are those of `localZone`, or of the zone that stands behind them: `UTC`, `Europe/Berlin`, or
    /// an abbreviation of the local zone (`CEST`), which also tells the two 02:30 of an autumn night apart. Without it
    /// the first is meant, and a time that the spring left out is the moment of the change.
    ///
    /// - Throws: ``TimestampError``. Unlike systemd, dates that do not exist (`2026-11-31`) are refused, not carried over.
    public init(
        parsing text: some StringProtocol, now: Timestamp, localZone: ZoneRules, zones: ZoneDatabase = .system
    ) throws(TimestampError) {
        var parser = TimestampParser(text: String(text), now: now, localZone: localZone, zones: zones)
        self = try parser.parse()
    }
}

/// Text that is no point in time.
public struct TimestampError: Error, Hashable, Sendable, CustomStringConvertible {
    public let text: String
    /// What is wrong, and what would be right.
    public let problem: String

    /// One line for people.
    public var description: String { "\(text.quotedForPeople) is no time: \(problem)" }
}

private struct TimestampParser {
    let text: String
    let now: Timestamp
    let localZone: ZoneRules
    let zones: ZoneDatabase
    private var bytes: ArraySlice<UInt8>
    private var zone: ZoneRules
    /// The local abbreviation behind the time.
    private var abbreviation: String?

    init(text: String, now: Timestamp, localZone: ZoneRules, zones: ZoneDatabase) {
        self.text = text
        self.now = now
        self.localZone = localZone
        self.zones = zones
        zone = localZone
        let space = UInt8(ascii: " ")
        // Nothing that is a time is longer; what follows the cut makes it none.
        bytes = Array(text.utf8.prefix(1024)).drop { $0 == space }
        while bytes.last == space { bytes.removeLast() }
    }

    mutating func parse() throws(TimestampError) -> Timestamp {
        guard !bytes.isEmpty else {
            throw error("it is empty; write for example \"2026-11-24 02:30\", \"yesterday\" or \"-2h\"")
        }
        if bytes.elementsEqual("now".utf8) { return now }
        if let relative = try relative() { return relative }
        try takeZone()
        if let midnight = namedDay() { return try resolve(midnight) }
        let weekday = takeWeekday()
        let (wall, offset) = try dateAndTime()
        if let weekday, wall.weekday != weekday {
            throw error("\(wall.date) is a \(wall.weekday.name), not a \(weekday.name)")
        }
        guard let offset else { return try resolve(wall) }
        return try checked(Timestamp(microseconds: wall.microseconds - Int64(offset) * 1_000_000))
    }

    // MARK: - Spans

    private mutating func relative() throws(TimestampError) -> Timestamp? {
        let words = String(decoding: bytes, as: UTF8.self)
        switch bytes.first {
        case UInt8(ascii: "@"): return try checked(Timestamp(microseconds: 0) + span(words.dropFirst()))
        case UInt8(ascii: "+"): return try checked(now + span(words.dropFirst()))
        case UInt8(ascii: "-"): return try checked(now - span(words.dropFirst()))
        default: break
        }
        if words.hasPrefix("in ") { return try checked(now + span(words.dropFirst(3))) }
        if words.hasSuffix(" left") { return try checked(now + span(words.dropLast(5))) }
        if words.hasSuffix(" ago") { return try checked(now - span(words.dropLast(4))) }
        return nil
    }

    private func span(_ text: Substring) throws(TimestampError) -> TimeSpan {
        let span: TimeSpan
        do throws(TimeSpanError) {
            span = try TimeSpan(parsing: text)
        } catch {
            throw self.error(error.description)
        }
        if span.isInfinite { throw error("it is infinitely far away") }
        return span
    }

    // MARK: - Zone

    private mutating func takeZone() throws(TimestampError) {
        guard let space = bytes.lastIndex(of: UInt8(ascii: " ")) else { return }
        let word = String(decoding: bytes[(space + 1)...], as: UTF8.self)
        // `+0330` is an abbreviation, too; `02:30:00Z` behind a space is a time.
        guard let first = word.utf8.first, !first.isDigit, first.isSign || word.utf8.contains(where: \.isLetter) else {
            return
        }
        let local = localZone.abbreviations.first { $0.lowercased() == word.lowercased() }
        if word.lowercased() == "utc" {
            zone = .utc
        } else if let local {
            abbreviation = local
        } else if ZoneDatabase.isValidName(word), Weekday.named(at: bytes[(space + 1)...]) == nil {
            do throws(ZoneError) {
                zone = try zones.zone(named: word)
            } catch {
                let hint = zones.suggestion(for: word).map { "; did you mean \"\($0)\"?" } ?? ""
                throw self.error(error.description + hint)
            }
        } else {
            return
        }
        bytes = bytes[..<space]
        while bytes.last == UInt8(ascii: " ") { bytes.removeLast() }
    }

    private func resolve(_ wall: CivilTime) throws(TimestampError) -> Timestamp {
        guard let abbreviation else { return try checked(zone.resolve(wall).time) }
        let candidates = localZone.offsets(named: abbreviation).map {
            Timestamp(microseconds: wall.microseconds - $0.microsecondsEast)
        }
        // Offsets of the past may have had the same name: the one in force then is meant.
        let inForce = candidates.last { localZone.offset(at: $0).abbreviation == abbreviation }
        guard let time = inForce ?? candidates.last else { return try checked(zone.resolve(wall).time) }
        return try checked(time)
    }

    // MARK: - Date and time of day

    private mutating func namedDay() -> CivilTime? {
        let days: Int
        switch String(decoding: bytes, as: UTF8.self).lowercased() {
        case "today": days = 0
        case "yesterday": days = -1
        case "tomorrow": days = 1
        default: return nil
        }
        return CivilTime(daysSinceEpoch: zone.civilTime(at: now).daysSinceEpoch + days, timeOfDay: 0)
    }

    private mutating func takeWeekday() -> Weekday? {
        guard let (day, length) = Weekday.named(at: bytes), bytes.dropFirst(length).first == UInt8(ascii: " ") else {
            return nil
        }
        bytes = bytes.dropFirst(length).drop { $0 == UInt8(ascii: " ") }
        return day
    }

    /// `[DATE] [TIME][OFFSET]`.
    private mutating func dateAndTime() throws(TimestampError) -> (CivilTime, offset: Int?) {
        let first = try number("a date or a time")
        var date = zone.civilTime(at: now).date
        var hour = 0
        if take("-") {
            date = try self.date(year: first)
            if bytes.isEmpty { return (CivilTime(date), nil) }
            guard take(" ") || take("T") || take("t") else {
                throw error("\(rest) cannot follow a date; a time follows after a space")
            }
            bytes = bytes.drop { $0 == UInt8(ascii: " ") }
            hour = try number("an hour").value
        } else {
            hour = first.value
        }
        guard take(":") else {
            guard bytes.isEmpty else { throw error("\(rest) is not expected here") }
            throw error("\(first.value) is neither a date nor a time; a time has hours and minutes, like \"02:30\"")
        }
        let minute = try number("minutes").value
        var second = 0
        var microsecond = 0
        if take(":") {
            second = try number("seconds").value
            if take(".") {
                var position = bytes.startIndex
                guard let fraction = DecimalFraction.microseconds(bytes, &position) else {
                    throw error("the fraction of a second is missing")
                }
                bytes = bytes[position...]
                microsecond = fraction
            }
        }
        // A leap second is the first of the next minute, as in strptime(3), which knows two.
        guard hour <= 23, minute <= 59, second <= 61 else {
            throw error("hours are 0 to 23, minutes and seconds 0 to 59")
        }
        let offset = try offset()
        guard bytes.isEmpty else { throw error("\(rest) is not expected behind the time") }
        return (CivilTime(date, hour: hour, minute: minute, second: second, microsecond: microsecond), offset)
    }

    private mutating func date(year: (value: Int, digits: Int)) throws(TimestampError) -> CivilDate {
        let month = try number("a month").value
        guard take("-") else { throw error("a date is like \"2026-11-24\"") }
        let day = try number("a day").value
        let fullYear = year.digits > 2 ? year.value : year.value + (year.value < 70 ? 2000 : 1900)
        guard (1970...9999).contains(fullYear) else { throw error("years are 1970 to 9999") }
        guard let date = CivilDate(year: fullYear, month: month, day: day) else {
            throw error("there is no such day in the calendar")
        }
        return date
    }

    /// `Z`, `+01:00`: seconds ahead of UTC.
    private mutating func offset() throws(TimestampError) -> Int? {
        if take("Z") || take("z") { return 0 }
        guard let sign = bytes.first, sign.isSign else { return nil }
        bytes = bytes.dropFirst()
        let hours = try number("hours ahead of UTC").value
        guard take(":") else { throw error("an offset is like \"+01:00\"") }
        let minutes = try number("minutes ahead of UTC").value
        guard hours <= 23, minutes <= 59 else { throw error("an offset is less than a day") }
        let seconds = hours * 3600 + minutes * 60
        return sign == UInt8(ascii: "-") ? -seconds : seconds
    }

    private mutating func number(_ expected: String) throws(TimestampError) -> (value: Int, digits: Int) {
        var value = 0
        let digits = bytes.prefix(while: \.isDigit)
        guard !digits.isEmpty else {
            throw error(bytes.isEmpty ? "\(expected) is missing" : "\(expected) is expected instead of \(rest)")
        }
        for digit in digits { value = min(1_000_000, value * 10 + Int(digit - UInt8(ascii: "0"))) }
        bytes = bytes[digits.endIndex...]
        return (value, digits.count)
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard bytes.first == UInt8(ascii: character) else { return false }
        bytes = bytes.dropFirst()
        return true
    }

    // MARK: - Errors

    private func checked(_ time: Timestamp) throws(TimestampError) -> Timestamp {
        guard time.microseconds >= 0 else { throw error("it is before 1970") }
        guard time.microseconds <= Self.latest else { throw error("it is after the year 9999") }
        return time
    }

    /// The end of the year 9999 in UTC.
    private static let latest: Int64 = 253_402_300_799_999_999

    private var rest: String { String(decoding: bytes, as: UTF8.self).quotedForPeople }

    private func error(_ problem: String) -> TimestampError { TimestampError(text: text, problem: problem) }
}
