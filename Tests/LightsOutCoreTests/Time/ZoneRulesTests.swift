import Glibc
import TestSupport
import Testing

@testable import LightsOutCore

@Suite("Time zones")
struct ZoneRulesTests {
    private func zone(_ name: String) throws -> ZoneRules { try ZoneDatabase.system.zone(named: name) }

    private func wall(_ year: Int, _ month: Int, _ day: Int, _ hour: Int, _ minute: Int = 0) -> CivilTime {
        CivilTime(CivilDate(unchecked: year, month: month, day: day), hour: hour, minute: minute)
    }

    @Test("Berlin's offsets and their names")
    func berlin() throws {
        let berlin = try zone("Europe/Berlin")
        let winter = berlin.offset(at: .utc(2026, 1, 1))
        #expect(winter == ZoneOffset(secondsEast: 3600, isDaylightSaving: false, abbreviation: "CET"))
        #expect(berlin.offset(at: .utc(2026, 7, 1)) == ZoneOffset(secondsEast: 7200, isDaylightSaving: true, abbreviation: "CEST"))
        #expect(berlin.offset(at: .utc(1890, 1, 1)).abbreviation == "LMT")
        #expect(berlin.offset(at: .utc(2026, 3, 29, 0, 59, 59, 999_999)) == winter)
        #expect(berlin.offset(at: .utc(2026, 3, 29, 1)).abbreviation == "CEST")
    }

    @Test("a time of the wall that comes twice is the first, one left out is the moment of the change")
    func resolve() throws {
        let berlin = try zone("Europe/Berlin")
        #expect(berlin.resolve(wall(2026, 10, 25, 2, 30)).time == .utc(2026, 10, 25, 0, 30))
        let gap = berlin.resolve(wall(2026, 3, 29, 2, 30))
        #expect(gap.time == .utc(2026, 3, 29, 1))
        #expect(gap.gapEnd == wall(2026, 3, 29, 3))
        #expect(berlin.resolve(wall(2026, 3, 29, 3)).gapEnd == nil)
    }

    @Test("the rule at a file's end holds for all times to come")
    func farFuture() throws {
        let berlin = try zone("Europe/Berlin")
        for year in [2050, 2430, 2439, 2440, 2441, 4999, 9998] {
            #expect(berlin.offset(at: .utc(year, 1, 15)).abbreviation == "CET", "\(year)")
            #expect(berlin.offset(at: .utc(year, 7, 15)).abbreviation == "CEST", "\(year)")
            let summer = Timestamp.utc(year, 7, 15)
            #expect(berlin.resolve(berlin.civilTime(at: summer)).time == summer, "\(year)")
        }
        // The last Sundays of March and October come again after 400 years.
        #expect(berlin.resolve(wall(2426, 3, 29, 2, 30)).gapEnd == wall(2426, 3, 29, 3))
        #expect(berlin.repetitionEnd(at: .utc(2826, 10, 25, 1, 30)) == wall(2826, 10, 25, 3))
    }

    @Test("no time is too far away", arguments: ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"])
    func extremes(name: String) throws {
        let zone = try zone(name)
        let edges: [Int64] = [.min, .min + 1, .min / 2, -1, 0, .max / 2, .max - 1, .max]
        for microseconds in edges {
            let time = Timestamp(microseconds: microseconds)
            _ = (zone.offset(at: time), zone.civilTime(at: time), zone.repetitionEnd(at: time))
            _ = zone.resolve(CivilTime(microseconds: microseconds))
            _ = (time.rfc3339(in: zone), time.text(in: zone), time.relative(to: Timestamp(microseconds: 0)))
        }
    }

    @Test("offsets are those that zdump shows, at every change of many zones", .enabled(if: Zdump.isInstalled, "zdump is not installed"))
    func asZdump() throws {
        let names: [String] = [
            "Europe/Berlin", "Europe/Dublin", "Europe/London", "Europe/Lisbon", "Europe/Moscow", "America/New_York",
            "America/St_Johns", "America/Sao_Paulo", "America/Anchorage", "America/Caracas", "Africa/Casablanca", "Africa/Cairo",
            "Africa/Monrovia", "Asia/Tehran", "Asia/Kathmandu", "Asia/Gaza", "Asia/Pyongyang", "Asia/Jerusalem",
            "Australia/Lord_Howe", "Australia/Sydney", "Pacific/Apia", "Pacific/Kiritimati", "Pacific/Chatham",
            "Pacific/Norfolk", "Antarctica/Troll", "America/Godthab", "Etc/GMT-14", "EST5EDT", "CET", "Pacific/Kwajalein",
        ]
        var compared = 0
        for sample in try Zdump.samples(of: names, years: "1850,2120") {
            let offset = try zone(sample.zone).offset(at: Timestamp(microseconds: sample.seconds * 1_000_000))
            compared += 1
            if offset != sample.offset {
                Issue.record("\(sample.zone) at \(sample.seconds): \(offset) instead of \(sample.offset)")
            }
        }
        #expect(compared > 10_000)
    }

    @Test("every installed zone gives back each time that it shows, but for those shown again")
    func roundTrip() throws {
        var random = SeededGenerator(seed: SeededGenerator.seed)
        let names = ["Europe/Berlin", "Australia/Lord_Howe", "Asia/Gaza", "Pacific/Apia", "Africa/Casablanca", "Europe/Dublin"]
        for zone in try names.map(zone) {
            var previous = Timestamp(microseconds: .min)
            let walls = (0..<4000).map { _ in Int64.random(in: -3_000_000_000...20_000_000_000, using: &random) }.sorted()
            for seconds in walls {
                let time = Timestamp(microseconds: seconds * 1_000_000)
                let shown = zone.civilTime(at: time)
                let resolved = zone.resolve(shown)
                #expect(resolved.gapEnd == nil)
                #expect(resolved.time == time || (zone.repetitionEnd(at: time) != nil && resolved.time < time))
                // Later on the wall is never earlier in time.
                let ofWall = zone.resolve(CivilTime(microseconds: seconds * 1_000_000)).time
                #expect(ofWall >= previous)
                previous = ofWall
            }
        }
    }
}

@Suite("TZif files")
struct TimeZoneFileTests {
    private func bytes(_ name: String) throws -> [UInt8] {
        let file = try #require(fopen("/usr/share/zoneinfo/" + name, "r"))
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        return Array(bytes.prefix(fread(&bytes, 1, bytes.count, file)))
    }

    @Test("a file cut short anywhere is refused")
    func truncated() throws {
        let whole = try bytes("Europe/Berlin")
        for length in 0..<whole.count {
            #expect(throws: TimeZoneFile.Damage.self) { try TimeZoneFile(Array(whole[..<length])) }
        }
    }

    @Test("a file with changed bytes is refused or read, and what is read does not trap", arguments: [
        "Europe/Berlin", "Pacific/Apia", "Etc/UTC", "Africa/Casablanca",
    ])
    func mutated(name: String) throws {
        let whole = try bytes(name)
        var random = SeededGenerator(seed: SeededGenerator.seed)
        let expression = try CalendarExpression("*-*-1 02:30")
        var refused = 0
        for _ in 0..<2000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                // Counts and footer are where it hurts.
                let place =
                    switch Int.random(in: 0...2, using: &random) {
                    case 0: Int.random(in: 0..<min(80, bytes.count), using: &random)
                    case 1: Int.random(in: max(0, bytes.count - 40)..<bytes.count, using: &random)
                    default: Int.random(in: 0..<bytes.count, using: &random)
                    }
                bytes[place] = UInt8.random(in: 0...255, using: &random)
            }
            guard let file = try? TimeZoneFile(bytes) else {
                refused += 1
                continue
            }
            let zone = ZoneRules(name: name, changes: file.changes, initial: file.initial, tail: file.tail)
            for time in [Timestamp(microseconds: .min), .utc(1950, 1, 1), .utc(2026, 3, 29), .utc(2300, 1, 1), Timestamp(microseconds: .max)] {
                _ = (zone.civilTime(at: time), zone.repetitionEnd(at: time), expression.next(after: time, localZone: zone))
            }
        }
        #expect(refused > 100)
    }

    @Test("the first version, of 32 bits and without a footer, is read")
    func firstVersion() throws {
        var bytes = Array("TZif".utf8) + [0] + [UInt8](repeating: 0, count: 15)
        for count: UInt8 in [0, 0, 0, 1, 2, 8] { bytes += [0, 0, 0, count] }
        bytes += [0, 0, 0x0e, 0x10]  // one hour after the epoch
        bytes += [1]  // to the second type
        bytes += [0, 0, 0, 0, 0, 0]  // UTC, "AAA"
        bytes += [0, 0, 0x0e, 0x10, 1, 4]  // one hour east, saving, "BBB"
        bytes += Array("AAA\0BBB\0".utf8)
        let file = try TimeZoneFile(bytes)
        #expect(file.changes == [
            ZoneChange(time: 3_600_000_000, offset: ZoneOffset(secondsEast: 3600, isDaylightSaving: true, abbreviation: "BBB"))
        ])
        #expect(file.initial.abbreviation == "AAA")
        #expect(file.tail == nil)
    }

    @Test("what is damaged is said", arguments: [
        ("GIF89a", "is no TZif file: it does not begin with \"TZif\""), ("TZif2", "is cut short"), ("", "is cut short"),
    ])
    func complaint(text: String, what: String) {
        #expect(throws: TimeZoneFile.Damage(what: what)) { try TimeZoneFile(Array(text.utf8)) }
    }
}

@Suite("POSIX rules of zones")
struct PosixZoneRuleTests {
    private func zone(_ rule: String) throws -> ZoneRules {
        let rule = try #require(PosixZoneRule(rule.utf8))
        return ZoneRules(name: "test", changes: [], initial: rule.standard, tail: rule)
    }

    @Test("rules of all forms", arguments: [
        // The rule, a time, and what the wall shows.
        ("CET-1CEST,M3.5.0,M10.5.0/3", Timestamp.utc(2026, 3, 29, 1), "Sun 2026-03-29 03:00:00 CEST"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", .utc(2026, 10, 25, 1), "Sun 2026-10-25 02:00:00 CET"),
        ("EST5EDT", .utc(2026, 3, 8, 7), "Sun 2026-03-08 03:00:00 EDT"),
        ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", .utc(2026, 12, 1), "Tue 2026-12-01 11:00:00 +11"),
        ("IST-1GMT0,M10.5.0,M3.5.0/1", .utc(2026, 12, 1), "Tue 2026-12-01 00:00:00 GMT"),
        ("IST-1GMT0,M10.5.0,M3.5.0/1", .utc(2026, 7, 1), "Wed 2026-07-01 01:00:00 IST"),
        ("AAA0BBB,J60,J300", .utc(2028, 2, 29, 12), "Tue 2028-02-29 12:00:00 AAA"),
        ("AAA0BBB,J60,J300", .utc(2028, 3, 1, 12), "Wed 2028-03-01 13:00:00 BBB"),
        ("AAA0BBB,59,300", .utc(2028, 2, 29, 12), "Tue 2028-02-29 13:00:00 BBB"),
        ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", .utc(2026, 3, 29, 1), "Sun 2026-03-29 00:00:00 -01"),
        ("EST5EDT,0/0,J365/25", .utc(2026, 1, 1, 5), "Thu 2026-01-01 01:00:00 EDT"),
        ("EST5EDT,0/0,J365/25", .utc(2026, 12, 31, 23), "Thu 2026-12-31 19:00:00 EDT"),
        ("NZST-12:00:30", .utc(2026, 1, 1), "Thu 2026-01-01 12:00:30 NZST"),
    ])
    func rules(rule: String, time: Timestamp, shown: String) throws {
        #expect(try zone(rule).civilTime(at: time) == zone(rule).civilTime(at: time))
        #expect(try time.text(in: zone(rule)) == shown)
    }

    @Test("what is no rule", arguments: [
        "", "A1", "CET", "CET-25", "CET-1CEST,", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J1", "CET-1CEST,366,1", "CET-1CEST,M3.5.0/168,M10.5.0", "<CET-1", "CET-1 CEST",
        "CET-1CEST,M3.5.0,M10.5.0,x", "CET-99999999999999999999",
    ])
    func noRules(text: String) {
        #expect(PosixZoneRule(text.utf8) == nil)
    }
}

@Suite("The database of zones")
struct ZoneDatabaseTests {
    @Test("a name is no way out of the directory", arguments: [
        "", ".", "..", "../etc/localtime", "/etc/localtime", "Europe/../Europe/Berlin", "Europe//Berlin", "Europe/", "Europe/Berlin\0",
        "Europe/Berlin ", "Ünterwelt", String(repeating: "a", count: 256),
    ])
    func names(name: String) {
        #expect(throws: ZoneError.invalidName(name)) { try ZoneDatabase.system.zone(named: name) }
    }

    @Test("directories, tables and zones that do not exist are unknown", arguments: ["Europe", "leapseconds", "Europe/Atlantis"])
    func unknown(name: String) {
        #expect(throws: ZoneError.unknown(name)) { try ZoneDatabase.system.zone(named: name) }
    }

    @Test("zones that count leap seconds are refused, in words that help")
    func leapSeconds() {
        #expect {
            try ZoneDatabase.system.zone(named: "right/Europe/Berlin")
        } throws: { "\($0)".contains("counts leap seconds") }
    }

    @Test("another directory is another database")
    func otherDirectory() throws {
        let directory = try TemporaryDirectory()
        let database = ZoneDatabase(directory: directory.path)
        #expect(throws: ZoneError.unknown("Europe/Berlin")) { try database.zone(named: "Europe/Berlin") }
        try directory.write("garbage", to: "Broken")
        try directory.write("TZif2 but then nothing", to: "Cut")
        #expect(throws: ZoneError.unknown("Broken")) { try database.zone(named: "Broken") }
        #expect(throws: ZoneError.damaged(path: directory.path + "/Cut", what: "is cut short")) { try database.zone(named: "Cut") }
        mkfifo(directory.path + "/Pipe", 0o600)
        #expect(throws: ZoneError.unknown("Pipe")) { try database.zone(named: "Pipe") }
    }

    @Test("a misspelt name is recognised", arguments: [
        ("Europe/Berlni", "Europe/Berlin"), ("europe/berlin", "Europe/Berlin"), ("Amercia/New_York", "America/New_York"),
    ])
    func suggestion(name: String, meant: String) {
        #expect(ZoneDatabase.system.suggestion(for: name) == meant)
    }
}

@Suite("The local zone")
struct LocalZoneTests {
    @Test("TZ is a name, a name after a colon, a path, a rule, or nothing", arguments: [
        ("Europe/Berlin", "Europe/Berlin", "CET"), (":Europe/Berlin", "Europe/Berlin", "CET"), ("", "UTC", "UTC"), (":", "UTC", "UTC"),
        ("/usr/share/zoneinfo/Asia/Tokyo", "Asia/Tokyo", "JST"), ("CET-1CEST,M3.5.0,M10.5.0/3", "CET-1CEST,M3.5.0,M10.5.0/3", "CET"),
    ])
    func environment(value: String, name: String, abbreviation: String) throws {
        let zone = try ZoneRules.local(environment: value)
        #expect(zone.name == name)
        #expect(zone.offset(at: .utc(2026, 1, 1)).abbreviation == abbreviation)
    }

    @Test("TZ that is none of these is an error")
    func nonsense() {
        #expect(throws: ZoneError.unknown("Nonsense/Zone")) { try ZoneRules.local(environment: "Nonsense/Zone") }
        #expect(throws: ZoneError.self) { try ZoneRules.local(environment: "../../etc/localtime") }
        #expect {
            try ZoneRules.local(environment: "/etc/passwd")
        } throws: { error in
            "\(error)" == #"the time zone file "/etc/passwd" does not exist or holds no time zone"#
        }
    }

    @Test("without TZ it is what /etc/localtime links to; a copy has no name; no file is UTC")
    func localtime() throws {
        let directory = try TemporaryDirectory()
        let link = directory.path + "/localtime"
        #expect(try ZoneRules.local(environment: nil, path: link) == .utc)
        symlink("../usr/share/zoneinfo/Europe/Berlin", link)
        // The link leads nowhere from here, which is as good as none.
        #expect(try ZoneRules.local(environment: nil, path: link) == .utc)
        unlink(link)
        symlink("/usr/share/zoneinfo/Europe/Berlin", link)
        #expect(try ZoneRules.local(environment: nil, path: link).name == "Europe/Berlin")
        try directory.write("TZif", to: "copy")
        #expect(throws: ZoneError.self) { try ZoneRules.local(environment: nil, path: directory.path + "/copy") }
    }
}

/// zdump(8): the offsets of zones as glibc sees them.
private enum Zdump {
    static let path = "/usr/bin/zdump"
    static let isInstalled = access(path, X_OK) == 0

    private static let months: [Substring] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    struct Sample {
        let zone: String
        let seconds: Int64
        let offset: ZoneOffset
    }

    /// The second before each change and the one of the change.
    static func samples(of zones: [String], years: String) throws -> [Sample] {
        let stream = try #require(popen("\(path) -v -c \(years) " + zones.joined(separator: " "), "r"))
        defer { pclose(stream) }
        var samples: [Sample] = []
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        while getline(&line, &capacity, stream) > 0 {
            // Europe/Berlin  Sun Mar 29 01:00:00 2026 UT = Sun Mar 29 03:00:00 2026 CEST isdst=1 gmtoff=7200
            let words = String(cString: try #require(line)).split(whereSeparator: \.isWhitespace)
            guard words.count == 16 else { continue }
            let clock = words[4].split(separator: ":").compactMap { Int32($0) }
            guard let month = months.firstIndex(of: words[2]), let day = Int32(words[3]), clock.count == 3,
                let year = Int32(words[5]), let east = Int(words[15].dropFirst("gmtoff=".count))
            else { continue }
            var parts = tm()
            (parts.tm_year, parts.tm_mon, parts.tm_mday) = (year - 1900, Int32(month), day)
            (parts.tm_hour, parts.tm_min, parts.tm_sec) = (clock[0], clock[1], clock[2])
            samples.append(
                Sample(
                    zone: String(words[0]), seconds: Int64(timegm(&parts)),
                    offset: ZoneOffset(
                        secondsEast: east, isDaylightSaving: words[14] == "isdst=1", abbreviation: String(words[13]))))
        }
        return samples
    }
}
