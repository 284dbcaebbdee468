/// The rule of a zone for all times to come, as POSIX writes it in `TZ` and as the footer of a TZif file has it
/// (RFC 8536 section 3.3): `CET-1CEST,M3.5.0,M10.5.0/3`.
struct PosixZoneRule: Hashable, Sendable {
    /// When, in each year, the clock changes: a day and a time on the clock that is then about to be changed.
    struct Change: Hashable, Sendable {
        enum Day: Hashable, Sendable {
            /// `Jn`: 1 to 365, the leap day is not counted.
            case ofCommonYear(Int)
            /// `n`: 0 to 365, the leap day is counted.
            case ofYear(Int)
            /// `Mm.w.d`: the `w`th (5: the last) weekday `d` (0 is Sunday) of month `m`.
            case ofMonth(Int, week: Int, weekday: Int)
        }

        let day: Day
        /// Seconds after that day's midnight, −167 to 167 hours.
        let time: Int

        /// Seconds from 1970-01-01 00:00 on the wall until the change in `year`.
        func wallSeconds(in year: Int) -> Int {
            let newYear = CivilDate(unchecked: year, month: 1, day: 1).daysSinceEpoch
            let days =
                switch day {
                case .ofCommonYear(let number):
                    newYear + number - (CivilDate.isLeap(year) && number >= 60 ? 0 : 1)
                case .ofYear(let number): newYear + number
                case .ofMonth(let month, let week, let weekday):
                    Self.day(month: month, week: week, weekday: weekday, of: year)
                }
            return days * 86_400 + time
        }

        private static func day(month: Int, week: Int, weekday: Int, of year: Int) -> Int {
            let first = CivilDate(unchecked: year, month: month, day: 1).daysSinceEpoch
            let sundayBasedWeekday = (CivilDate.weekday(daysSinceEpoch: first).rawValue + 1) % 7
            let toFirstMatch = (weekday - sundayBasedWeekday + 7) % 7
            let inMonth = toFirstMatch + (week - 1) * 7
            return first + (inMonth < CivilDate.daysInMonth(month, of: year) ? inMonth : inMonth - 7)
        }
    }

    struct Saving: Hashable, Sendable {
        let type: ZoneOffset
        let begin: Change
        let end: Change
    }

    let standard: ZoneOffset
    let saving: Saving?

    /// Reads such a rule.
    /// - Returns: `nil` where `bytes` are none.
    init?(_ bytes: some Collection<UInt8>) {
        var reader = Reader(bytes: Array(bytes))
        guard let name = reader.abbreviation(), let offset = reader.offset() else { return nil }
        standard = ZoneOffset(secondsEast: -offset, isDaylightSaving: false, abbreviation: name)
        if reader.isAtEnd {
            saving = nil
            return
        }
        guard let savingName = reader.abbreviation() else { return nil }
        var savingSeconds = -offset + 3600
        if let next = reader.peek, next != UInt8(ascii: ",") {
            guard let offset = reader.offset() else { return nil }
            savingSeconds = -offset
        }
        let type = ZoneOffset(secondsEast: savingSeconds, isDaylightSaving: true, abbreviation: savingName)
        if reader.isAtEnd {
            // What glibc takes where no dates are given: those of the United States.
            saving = Saving(
                type: type,
                begin: Change(day: .ofMonth(3, week: 2, weekday: 0), time: 7200),
                end: Change(day: .ofMonth(11, week: 1, weekday: 0), time: 7200))
            return
        }
        guard let begin = reader.change(), let end = reader.change(), reader.isAtEnd else { return nil }
        saving = Saving(type: type, begin: begin, end: end)
    }

    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        var isAtEnd: Bool { position == bytes.count }
        var peek: UInt8? { isAtEnd ? nil : bytes[position] }

        mutating func take(_ character: UInt8) -> Bool {
            guard peek == character else { return false }
            position += 1
            return true
        }

        /// Letters, or what stands in `<…>`: at least three characters of either.
        mutating func abbreviation() -> String? {
            let quoted = take(UInt8(ascii: "<"))
            let start = position
            while let byte = peek, byte.isLetter || (quoted && (byte.isDigit || byte.isSign)) { position += 1 }
            let name = bytes[start..<position]
            guard name.count >= 3, name.count <= 64, !quoted || take(UInt8(ascii: ">")) else { return nil }
            return String(decoding: name, as: UTF8.self)
        }

        /// Seconds *west* of Greenwich, as POSIX counts.
        mutating func offset() -> Int? {
            guard let seconds = time(maximumHours: 24) else { return nil }
            return seconds
        }

        /// `[+-]h[:m[:s]]` in seconds.
        mutating func time(maximumHours: Int) -> Int? {
            var sign = 1
            if let byte = peek, byte.isSign {
                sign = byte == UInt8(ascii: "-") ? -1 : 1
                position += 1
            }
            guard let hours = number(upTo: maximumHours) else { return nil }
            var seconds = hours * 3600
            if take(UInt8(ascii: ":")) {
                guard let minutes = number(upTo: 59) else { return nil }
                seconds += minutes * 60
                if take(UInt8(ascii: ":")) {
                    guard let rest = number(upTo: 59) else { return nil }
                    seconds += rest
                }
            }
            return sign * seconds
        }

        mutating func change() -> Change? {
            guard take(UInt8(ascii: ",")), let day = day() else { return nil }
            guard take(UInt8(ascii: "/")) else { return Change(day: day, time: 7200) }
            guard let time = time(maximumHours: 167) else { return nil }
            return Change(day: day, time: time)
        }

        private mutating func day() -> Change.Day? {
            if take(UInt8(ascii: "J")) {
                guard let number = number(upTo: 365), number >= 1 else { return nil }
                return .ofCommonYear(number)
            }
            guard take(UInt8(ascii: "M")) else { return number(upTo: 365).map { .ofYear($0) } }
            guard let month = number(upTo: 12), month >= 1, take(UInt8(ascii: ".")),
                let week = number(upTo: 5), week >= 1, take(UInt8(ascii: ".")),
                let weekday = number(upTo: 6)
            else { return nil }
            return .ofMonth(month, week: week, weekday: weekday)
        }

        private mutating func number(upTo maximum: Int) -> Int? {
            var value = 0
            let start = position
            while let byte = peek, byte.isDigit {
                value = value * 10 + Int(byte - UInt8(ascii: "0"))
                guard value <= maximum else { return nil }
                position += 1
            }
            return position > start ? value : nil
        }
    }
}
