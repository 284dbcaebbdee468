/// Reads a calendar expression: `[WEEKDAYS] [DATE] [TIME] [ZONE]` or `SHORTHAND [ZONE]`.
///
/// Which texts are expressions is systemd 252's choice in every detail (see ``CalendarExpression`` for the exceptions);
/// `systemd-analyze calendar` is the judge. Reading takes one pass and time in proportion to the text.
struct CalendarExpressionParser {
    /// The length of the longest text that is looked at, in bytes. No expression with the most values that systemd
    /// allows in a list is as long.
    static let maximumLength = 65_536
    /// The most values in a list.
    static let maximumListLength = 241

    private let text: String
    private let bytes: [UInt8]
    private var position = 0
    /// Where the expression ends and its zone begins.
    private var end: Int

    static func parse(_ text: String, zones: ZoneDatabase) throws(CalendarExpressionError) -> CalendarExpression {
        var parser = CalendarExpressionParser(text)
        guard parser.bytes.count <= maximumLength else {
            throw parser.error(0..<parser.bytes.count, "it is longer than \(maximumLength) bytes")
        }
        if parser.bytes.isEmpty {
            throw parser.error(0..<0, "it is empty", "write for example \"daily\" or \"Mon..Fri 02:30\"")
        }
        let zone = try parser.zone(zones)
        if parser.end == 0 {
            throw parser.error(
                0..<parser.bytes.count, "there is a time zone but no time", "write for example \"02:30 UTC\"")
        }
        if let shorthand = parser.shorthand(zone: zone) { return shorthand }
        return try parser.expression(zone: zone)
    }

    private init(_ text: String) {
        self.text = text
        bytes = Array(text.utf8)
        end = bytes.count
    }

    // MARK: - Zone

    /// Takes the zone from the end: the last word, if it is one.
    private mutating func zone(_ zones: ZoneDatabase) throws(CalendarExpressionError) -> CalendarExpression.Zone {
        guard let space = bytes.lastIndex(of: UInt8(ascii: " ")) else { return .local }
        let word = bytes[(space + 1)...]
        if word.elementsEqual("utc".utf8, by: { $0.lowercased == $1 }) {
            end = space
            return .utc
        }
        // Every zone has a letter in its name: most expressions need no look at the disk.
        guard word.contains(where: \.isLetter), let name = String(validating: word, as: UTF8.self),
            ZoneDatabase.isValidName(name)
        else { return .local }
        do throws(ZoneError) {
            let rules = try zones.zone(named: name)
            end = space
            return .named(rules)
        } catch {
            // A word that begins with a letter behind a time can be nothing but a zone.
            if case .unknown = error, !isZonePosition(space) || !(word.first ?? 0).isLetter { return .local }
            throw CalendarExpressionError(text: text, range: word.startIndex..<word.endIndex, problem: error.description) {
                if case .unknown = error { Self.hint(forZone: name, zones: zones) } else { nil }
            }
        }
    }

    /// Whether what ends at `space` is a date, a time or a shorthand, which a zone may follow, and the next word is not
    /// a weekday that came too late; or whether the next word is like `Europe/Berlin`, and can be nothing else anywhere.
    private func isZonePosition(_ space: Int) -> Bool {
        guard let before = bytes[..<space].last else { return false }
        let word = bytes[(space + 1)...]
        if Weekday.named(at: word) != nil { return false }
        return word.contains(UInt8(ascii: "/")) || before.isDigit || before == UInt8(ascii: "*") || Self.shorthands[lowercased(0..<space)] != nil
    }

    private static func hint(forZone name: String, zones: ZoneDatabase) -> String {
        if let suggestion = zones.suggestion(for: name) { return "did you mean \"\(suggestion)\"?" }
        if ZoneDatabase.looksLikeAbbreviation(name) {
            return """
                an abbreviation holds for a part of the year only: name the zone, like "Europe/Berlin", or leave it away \
                for local time
                """
        }
        return "name a zone like \"Europe/Berlin\", or leave it away for local time"
    }

    // MARK: - Shorthands

    private static let midnight = CalendarExpression(hours: [.single(0)], minutes: [.single(0)], zone: .local)

    private static let shorthands: [String: (months: [Int], days: [Int], weekly: Bool, hour: Bool, minute: Bool)] = {
        let yearly = (months: [1], days: [1], weekly: false, hour: true, minute: true)
        let twice = (months: [1, 7], days: [1], weekly: false, hour: true, minute: true)
        return [
            "minutely": ([], [], false, false, false),
            "hourly": ([], [], false, false, true),
            "daily": ([], [], false, true, true),
            "weekly": ([], [], true, true, true),
            "monthly": ([], [1], false, true, true),
            "quarterly": ([1, 4, 7, 10], [1], false, true, true),
            "semiannually": twice, "semi-annually": twice, "biannually": twice, "bi-annually": twice,
            "yearly": yearly, "annually": yearly,
            // Misspelt in systemd of old, and accepted ever since.
            "anually": yearly,
        ]
    }()

    private func shorthand(zone: CalendarExpression.Zone) -> CalendarExpression? {
        guard end <= 16, bytes[0].isLetter, let parts = Self.shorthands[lowercased(0..<end)] else { return nil }
        var monday = WeekdaySet.none
        monday.insert(.monday)
        return CalendarExpression(
            weekdays: parts.weekly ? monday : .all,
            months: parts.months.map { .single($0) },
            days: parts.days.map { .single($0) },
            hours: parts.hour ? [.single(0)] : [],
            minutes: parts.minute ? [.single(0)] : [],
            zone: zone)
    }

    private func lowercased(_ range: Range<Int>) -> String {
        String(decoding: bytes[range].map(\.lowercased), as: UTF8.self)
    }

    // MARK: - The parts in their order

    private mutating func expression(zone: CalendarExpression.Zone) throws(CalendarExpressionError) -> CalendarExpression {
        let weekdays = try weekdays()
        if peek == UInt8(ascii: "@") { return try unixTime(weekdays: weekdays) }
        let date = try date()
        let time = try time()
        return CalendarExpression(
            weekdays: weekdays, years: date.years, months: date.months, days: date.days,
            daysCountFromEnd: date.daysCountFromEnd, hours: time.hours, minutes: time.minutes, seconds: time.seconds,
            zone: zone)
    }

    /// `Mon`, `Mon,Wed..Fri`; nothing where no weekday begins.
    private mutating func weekdays() throws(CalendarExpressionError) -> WeekdaySet {
        var set = WeekdaySet.none
        var rangeStart: (day: Weekday, position: Int)?
        while true {
            let start = position
            guard let (day, length) = Weekday.named(at: bytes[position..<end]) else {
                if set == .none && rangeStart == nil, !(peek.map(\.isLetter) ?? false) { return .all }
                throw unknownWeekday(isFirst: set == .none && rangeStart == nil)
            }
            position += length
            if let from = rangeStart {
                guard from.day.rawValue <= day.rawValue else {
                    let untilSunday = from.day == .sunday ? "Sun" : "\(from.day.abbreviation)..Sun"
                    let fromMonday = day == .monday ? "Mon" : "Mon..\(day.abbreviation)"
                    throw error(
                        from.position..<position,
                        "the range \(quoted(from.position..<position)) runs backwards: the week begins on Monday",
                        "write \"\(untilSunday),\(fromMonday)\"")
                }
                for day in Weekday.allCases[from.day.rawValue...day.rawValue] { set.insert(day) }
            } else {
                set.insert(day)
            }

            let wasRange = rangeStart != nil
            rangeStart = nil
            switch peek {
            case nil: return set
            case UInt8(ascii: " "):
                skipSpaces()
                return set
            case UInt8(ascii: ","):
                position += 1
                // A comma at the end is allowed: `Wed, 17:48`.
                if peek == nil || peek == UInt8(ascii: " ") {
                    skipSpaces()
                    return set
                }
            case UInt8(ascii: "-") where !wasRange:
                position += 1
                rangeStart = (day, start)
            case UInt8(ascii: ".") where !wasRange && peek(1) == UInt8(ascii: "."):
                position += 2
                rangeStart = (day, start)
            default:
                throw error(
                    position..<(position + 1), "\(quoted(wordRange)) cannot follow a weekday",
                    "weekdays are separated by \",\" or \"..\", and followed by a space")
            }
            if rangeStart != nil, peek == nil || peek == UInt8(ascii: " ") {
                throw error(start..<position, "the range \(quoted(start..<position)) has no end", "write like \"Mon..Fri\"")
            }
        }
    }

    private func unknownWeekday(isFirst: Bool) -> CalendarExpressionError {
        var stop = position
        while stop < end, bytes[stop].isLetter { stop += 1 }
        if stop == position {
            return error(
                position..<min(position + 1, end), "a weekday is expected instead of \(quoted(wordRange))",
                "weekdays are separated by \",\" or \"..\", and followed by a space")
        }
        let word = String(decoding: bytes[position..<stop], as: UTF8.self)
        if isFirst, Self.shorthands[lowercased(wordRange)] != nil {
            let rest = wordRange.upperBound..<end
            return bytes[rest].allSatisfy({ $0 == UInt8(ascii: " ") })
                ? error(rest, "there is a space too many", "take it away")
                : error(
                    rest, "nothing but a time zone can follow \(quoted(wordRange))",
                    "write like \"Mon 02:30\" or \"*-*-01 02:30\" for another time")
        }
        if isFirst, stop == end || bytes[stop] == UInt8(ascii: " ") || bytes[stop] == UInt8(ascii: "-"),
            let near = Spelling.closest(to: lowercased(wordRange), among: Self.shorthands.keys.sorted())
        {
            return error(wordRange, "\(quoted(wordRange)) is not known", "did you mean \"\(near)\"?")
        }
        let near =
            Spelling.closest(to: word, among: Weekday.allCases.flatMap { [$0.abbreviation, $0.name] })
            ?? Weekday.allCases.map(\.abbreviation).first { word.lowercased().hasPrefix($0.lowercased()) }
        return error(
            position..<stop, "\(word.quotedForPeople) is no weekday",
            near.map { "did you mean \"\($0)\"?" }
                ?? (isFirst
                    ? "an expression is like \"Mon..Fri 02:30\", \"*-*-01 04:00\" or \"daily\""
                    : "weekdays are Mon, Tue, Wed, Thu, Fri, Sat and Sun"))
    }

    private struct Date {
        var years: [CalendarComponent] = []
        var months: [CalendarComponent] = []
        var days: [CalendarComponent] = []
        var daysCountFromEnd = false
    }

    /// `YEAR-MONTH-DAY`, `MONTH-DAY`, either with `~` before the day; nothing where a time begins.
    private mutating func date() throws(CalendarExpressionError) -> Date {
        guard peek != nil else { return Date() }
        let start = position
        let first = try list()
        if peek == nil || peek == UInt8(ascii: ":") {
            position = start
            return Date()
        }
        let firstIsLast = peek == UInt8(ascii: "~")
        guard firstIsLast || peek == UInt8(ascii: "-") else {
            throw unexpected(after: "a date begins with \(quoted(first.range))")
        }
        position += 1
        let second = try list()
        if peek == nil || peek == UInt8(ascii: " ") {
            skipSpaces()
            return try date(year: nil, month: first, day: second, daysCountFromEnd: firstIsLast)
        }
        if firstIsLast {
            throw error(
                start..<position, "\"~\" stands between the year and the month",
                "it belongs between the month and the day, as in \"*-02~01\"")
        }
        let daysCountFromEnd = peek == UInt8(ascii: "~")
        guard daysCountFromEnd || peek == UInt8(ascii: "-") else {
            throw unexpected(after: "after the date \(quoted(start..<position))")
        }
        position += 1
        let third = try list()
        guard peek == nil || peek == UInt8(ascii: " ") else {
            throw unexpected(after: "after the date \(quoted(start..<position))")
        }
        skipSpaces()
        return try date(year: first, month: second, day: third, daysCountFromEnd: daysCountFromEnd)
    }

    private func date(
        year: List?, month: List, day: List, daysCountFromEnd: Bool
    ) throws(CalendarExpressionError) -> Date {
        Date(
            years: try year.map { list throws(CalendarExpressionError) in try checked(list, as: .year) } ?? [],
            months: try checked(month, as: .month),
            days: try checked(day, as: daysCountFromEnd ? .dayFromEnd : .day),
            daysCountFromEnd: daysCountFromEnd)
    }

    private struct Time {
        var hours: [CalendarComponent] = [.single(0)]
        var minutes: [CalendarComponent] = [.single(0)]
        var seconds: [CalendarComponent] = [.single(0)]
    }

    /// `HOUR:MINUTE[:SECOND]`; midnight where nothing is left.
    private mutating func time() throws(CalendarExpressionError) -> Time {
        var time = Time()
        guard peek != nil else { return time }
        let start = position
        let hours = try list()
        guard peek == UInt8(ascii: ":") else {
            if peek == nil {
                throw error(
                    hours.range, "\(quoted(hours.range)) is neither a date nor a time",
                    "a time has hours and minutes, like \"12:00\"")
            }
            throw unexpected(after: "after the hour \(quoted(hours.range))")
        }
        position += 1
        let minutes = try list()
        if peek == UInt8(ascii: ":") {
            position += 1
            let seconds = try list(ofSeconds: true)
            time.seconds = try checked(seconds, as: .second)
        }
        guard peek == nil else { throw unexpected(after: "after the time \(quoted(start..<position))") }
        time.hours = try checked(hours, as: .hour)
        time.minutes = try checked(minutes, as: .minute)
        return time
    }

    /// `@1395716396`: seconds since the epoch. It is in UTC, whatever zone follows.
    private mutating func unixTime(weekdays: WeekdaySet) throws(CalendarExpressionError) -> CalendarExpression {
        let start = position
        position += 1
        // As strtoul(3) has it.
        while let byte = peek, byte == UInt8(ascii: " ") || (9...13).contains(byte) { position += 1 }
        if peek == UInt8(ascii: "+") { position += 1 }
        guard let seconds = number(upTo: 1 << 40) else {
            throw error(start..<end, "\"@\" is not followed by a number of seconds since 1970", "write like \"@1395716396\"")
        }
        guard peek == nil else { throw unexpected(after: "after the time \(quoted(start..<position))") }
        let time = CivilTime(microseconds: Int64(seconds) * CivilTime.second)
        let date = time.date
        guard date.year <= CalendarMatcher.lastYear else {
            throw error(start..<position, "\(quoted(start..<position)) is after the year \(CalendarMatcher.lastYear)")
        }
        return CalendarExpression(
            weekdays: weekdays, years: [.single(date.year)], months: [.single(date.month)], days: [.single(date.day)],
            hours: [.single(time.hour)], minutes: [.single(time.minute)],
            seconds: [.single(time.second * Int(CivilTime.second))], zone: .utc)
    }

    // MARK: - Lists of values

    private struct List {
        var components: [CalendarComponent]
        var range: Range<Int>
    }

    /// `*`, or values, ranges and repetitions with commas between them. Seconds are in microseconds.
    private mutating func list(ofSeconds: Bool = false) throws(CalendarExpressionError) -> List {
        let start = position
        if peek == UInt8(ascii: "*") {
            position += 1
            if peek == UInt8(ascii: "/") {
                throw error(
                    start..<(position + 1), "\"*\" cannot be repeated", "write \"0/5\" for every fifth, counted from 0")
            }
            if peek == UInt8(ascii: ",") {
                throw error(start..<(position + 1), "\"*\" stands for every value and cannot be in a list")
            }
            return List(components: ofSeconds ? [.everySecond] : [], range: start..<position)
        }
        var components: [CalendarComponent] = []
        while true {
            components.append(try component(ofSeconds: ofSeconds))
            guard peek == UInt8(ascii: ",") else { break }
            position += 1
            guard components.count < Self.maximumListLength else {
                throw error(start..<position, "a list has more than \(Self.maximumListLength) values")
            }
        }
        return List(components: components, range: start..<position)
    }

    private mutating func component(ofSeconds: Bool) throws(CalendarExpressionError) -> CalendarComponent {
        let start = position
        let first = try value(.first, ofSeconds: ofSeconds)
        var component = CalendarComponent.single(first)
        if peek == UInt8(ascii: "."), peek(1) == UInt8(ascii: ".") {
            position += 2
            component.last = try value(.rangeEnd, ofSeconds: ofSeconds)
            component.step = ofSeconds ? Int(CivilTime.second) : 1
        }
        if peek == UInt8(ascii: "/") {
            position += 1
            component.step = try value(.repetition, ofSeconds: ofSeconds)
            guard component.step > 0 else {
                throw error(start..<position, "\(quoted(start..<position)) repeats by zero")
            }
        } else if ofSeconds, let last = component.last, first + component.step > last {
            throw error(
                start..<position, "the range \(quoted(start..<position)) is shorter than a second, by which it goes on",
                "name a smaller step, like \(quoted(start..<position).dropLast())/0.1\"")
        }
        switch peek {
        case nil, UInt8(ascii: " "), UInt8(ascii: ","), UInt8(ascii: "-"), UInt8(ascii: "~"), UInt8(ascii: ":"):
            return component
        default:
            throw unexpected(after: "after the number \(quoted(start..<position))")
        }
    }

    /// What a number is, for the error where it is missing.
    private enum NumberRole: String {
        case first = "a number or \"*\""
        case rangeEnd = "the end of the range"
        case repetition = "a number to repeat by"
        case fraction = "the fraction of a second"
    }

    private mutating func value(_ role: NumberRole, ofSeconds: Bool) throws(CalendarExpressionError) -> Int {
        let start = position
        guard let whole = number(upTo: 1 << 40) else { throw missing(role) }
        var value = whole
        if ofSeconds {
            value *= Int(CivilTime.second)
            if peek == UInt8(ascii: "."), peek(1) != UInt8(ascii: ".") {
                position += 1
                guard let fraction = DecimalFraction.microseconds(bytes[..<end], &position) else { throw missing(.fraction) }
                value += fraction
            }
        }
        // systemd counts in 32 bits here. It matters where a repetition is taken that never comes: `5..5/100`.
        guard value <= Int(Int32.max) else { throw error(start..<position, "\(quoted(start..<position)) is too large") }
        return value
    }

    /// Digits; `nil` where there are none. A greater number than `limit` is read as `limit`.
    private mutating func number(upTo limit: Int) -> Int? {
        let start = position
        var value = 0
        while let byte = peek, byte.isDigit {
            value = min(limit, value * 10 + Int(byte - UInt8(ascii: "0")))
            position += 1
        }
        return position > start ? value : nil
    }

    // MARK: - Ranges of values

    private enum Field {
        case year, month, day, dayFromEnd, hour, minute, second

        var name: String {
            switch self {
            case .year: "year"
            case .month: "month"
            case .day: "day"
            case .dayFromEnd: "day before the end of the month"
            case .hour: "hour"
            case .minute: "minute"
            case .second: "second"
            }
        }

        var values: ClosedRange<Int> {
            switch self {
            case .year: CalendarMatcher.firstYear...CalendarMatcher.lastYear
            case .month: 1...12
            case .day: 1...31
            // Each month has that many.
            case .dayFromEnd: 1...28
            case .hour: 0...23
            case .minute: 0...59
            case .second: 0...59_999_999
            }
        }

        var valuesForPeople: String {
            self == .second ? "0 to 59.999999" : "\(values.lowerBound) to \(values.upperBound)"
        }
    }

    /// The list in its normal form, if all of it is in the range of `field`: sorted, nothing twice, the end of a range
    /// moved to its last value.
    private func checked(_ list: List, as field: Field) throws(CalendarExpressionError) -> [CalendarComponent] {
        var components = list.components
        // Most lists are one number.
        if components.count == 1, components[0].step == 0, field.values.contains(components[0].first) {
            return components
        }
        for index in components.indices {
            if field == .year {
                components[index].first = Self.fullYear(components[index].first)
                components[index].last = components[index].last.map(Self.fullYear)
            }
            components[index].trimRange()
        }
        components.sort()
        var unique: [CalendarComponent] = []
        for component in components where component != unique.last { unique.append(component) }

        var upper = field.values.upperBound
        for component in unique {
            try check(component, of: list, field, upTo: upper)
            // systemd takes three days more off for each further day before the end of the month: `*-*~1,25` is one of
            // its expressions, `*-*~1,26` is not. What is refused there is refused here.
            if field == .dayFromEnd { upper -= 3 }
        }
        // What is in the list beside every second adds nothing to it, unless it is a part of one.
        let second = Int(CivilTime.second)
        if field == .second, unique.contains(.everySecond),
            unique.allSatisfy({ $0.first % second == 0 && $0.step % second == 0 })
        {
            return [.everySecond]
        }
        return unique
    }

    private func check(
        _ component: CalendarComponent, of list: List, _ field: Field, upTo upper: Int
    ) throws(CalendarExpressionError) {
        let lower = field.values.lowerBound
        func complain(_ problem: String, _ suggestion: String? = nil) -> CalendarExpressionError {
            error(list.range, problem, suggestion)
        }
        for value in [component.first, component.last ?? component.first] where value < lower || value > upper {
            if field == .dayFromEnd, value <= field.values.upperBound, value >= lower {
                throw complain(
                    """
                    in the list \(quoted(list.range)) the \(field.name) is at most \(upper) at its place: systemd allows \
                    three less for each further one
                    """)
            }
            throw complain(
                """
                the \(field.name) \(Self.shown(value, field)) in \(quoted(list.range)) is out of range: it is \
                \(field.valuesForPeople)
                """,
                field == .hour && value == 24 ? "write 00:00 of the next day" : nil)
        }
        guard component.step > 0 else { return }
        if let last = component.last {
            guard last > component.first else { throw complain("the range in \(quoted(list.range)) runs backwards") }
            return
        }
        let room = field == .dayFromEnd ? component.first - lower : upper - component.first
        guard component.step <= room else {
            throw complain(
                """
                the repetition in \(quoted(list.range)) never comes: no \(field.name) is so far after \
                \(Self.shown(component.first, field))
                """,
                "write \(Self.shown(component.first, field)) alone")
        }
    }

    private static func shown(_ value: Int, _ field: Field) -> String {
        guard field == .second else { return String(value) }
        let (seconds, fraction) = value.quotientAndRemainder(dividingBy: Int(CivilTime.second))
        var text = String(seconds)
        if fraction > 0 {
            text += "."
            text.append(fraction, width: 6)
        }
        return text
    }

    /// 12 is 2012, 89 is 1989.
    private static func fullYear(_ year: Int) -> Int {
        switch year {
        case 0..<70: year + 2000
        case 70..<100: year + 1900
        default: year
        }
    }

    // MARK: - Bytes

    private var peek: UInt8? { position < end ? bytes[position] : nil }
    private func peek(_ distance: Int) -> UInt8? { position + distance < end ? bytes[position + distance] : nil }

    private mutating func skipSpaces() {
        while peek == UInt8(ascii: " ") { position += 1 }
    }

    // MARK: - Errors

    private func error(_ range: Range<Int>, _ problem: String, _ suggestion: String? = nil) -> CalendarExpressionError {
        CalendarExpressionError(text: text, range: range, problem: problem) { suggestion }
    }

    /// From here to the next space.
    private var wordRange: Range<Int> {
        position..<(bytes[position..<end].dropFirst().firstIndex(of: UInt8(ascii: " ")) ?? end)
    }

    private func quoted(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self).quotedForPeople }

    /// Something else is here than a number.
    private func missing(_ role: NumberRole) -> CalendarExpressionError {
        let expected = role.rawValue
        guard let byte = peek else { return error(end..<end, "\(expected) is missing at the end") }
        if byte == UInt8(ascii: "*") {
            return error(wordRange, "\(expected) is expected instead of \"*\"", "\"*\" stands alone")
        }
        if byte == UInt8(ascii: " "), position == 0 || position + 1 == end || bytes[position...].allSatisfy({ $0 == byte }) {
            return error(position..<(position + 1), "there is a space too many", "take it away")
        }
        return error(wordRange, "\(expected) is expected instead of \(quoted(wordRange))", hint)
    }

    /// A list or a part has ended, and what follows cannot be there.
    private func unexpected(after place: String) -> CalendarExpressionError {
        guard let byte = peek else { return error(end..<end, "\(place), and nothing follows") }
        if byte == UInt8(ascii: " "), bytes[position..<end].allSatisfy({ $0 == byte }) {
            return error(position..<end, "there is a space too many", "take it away")
        }
        let isSpace = byte == UInt8(ascii: " ")
        let range = isSpace ? (position + 1)..<max(position + 1, end) : wordRange
        return error(range, "\(quoted(range)) cannot be here, \(place)", hint)
    }

    /// What people write who think of another language.
    private var hint: String? {
        let rest = bytes[position..<end].drop { $0 == UInt8(ascii: " ") }
        if bytes.split(separator: UInt8(ascii: " ")).count >= 5 {
            return "this looks like a line of a crontab; \"0 2 * * 1\" is \"Mon 02:00\" here"
        }
        if Weekday.named(at: rest) != nil { return "weekdays come first, as in \"Mon 02:30\"" }
        switch rest.first {
        case UInt8(ascii: "T"), UInt8(ascii: "t"): return "between date and time is a space, as in \"2026-11-24 02:30\""
        case UInt8(ascii: "a"), UInt8(ascii: "p"), UInt8(ascii: "A"), UInt8(ascii: "P"):
            return "hours are 0 to 23, as in \"14:30\""
        case UInt8(ascii: "\t"): return "parts are separated by spaces"
        default: return nil
        }
    }
}
