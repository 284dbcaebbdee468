import TestSupport
import Testing

@testable import LightsOutCore

@Suite("Points in time as text")
struct TimestampTextTests {
    let berlin: ZoneRules
    let newYork: ZoneRules
    /// Fri 2012-11-23 18:15:22 in Shanghai, as in systemd.time(7).
    let now = Timestamp.utc(2012, 11, 23, 10, 15, 22)
    let shanghai: ZoneRules

    init() throws {
        berlin = try ZoneDatabase.system.zone(named: "Europe/Berlin")
        newYork = try ZoneDatabase.system.zone(named: "America/New_York")
        shanghai = try ZoneDatabase.system.zone(named: "Asia/Shanghai")
    }

    @Test("RFC 3339 has microseconds and the offset")
    func rfc3339() {
        let time = Timestamp.utc(2026, 11, 24, 1, 30, 0, 5)
        #expect(time.rfc3339(in: berlin) == "2026-11-24T02:30:00.000005+01:00")
        #expect(time.rfc3339(in: newYork) == "2026-11-23T20:30:00.000005-05:00")
        #expect(time.rfc3339(in: .utc) == "2026-11-24T01:30:00.000005+00:00")
        // Local mean time is 53 minutes and 28 seconds ahead; RFC 3339 has no seconds there.
        #expect(Timestamp.utc(1890, 1, 1).rfc3339(in: berlin) == "1890-01-01T00:00:00.000000+00:00")
    }

    @Test("people see what systemd shows")
    func absolute() {
        #expect(Timestamp.utc(2026, 11, 24, 1, 30).text(in: berlin) == "Tue 2026-11-24 02:30:00 CET")
        #expect(Timestamp.utc(2026, 11, 24, 1, 30, 0, 500_000).text(in: berlin, microseconds: true) == "Tue 2026-11-24 02:30:00.500000 CET")
    }

    @Test("how far away a time is", arguments: [
        (18_180, "in 5h 3min"), (-172_800, "2 days ago"), (0, "now"), (-1, "1s ago"), (90, "in 1min 30s"),
    ])
    func relative(seconds: Int64, shown: String) {
        #expect(Timestamp(microseconds: now.microseconds + seconds * 1_000_000).relative(to: now) == shown)
    }

    @Test("the examples of systemd.time(7) are read", arguments: [
        ("Fri 2012-11-23 11:12:13", "Fri 2012-11-23 11:12:13"), ("2012-11-23 11:12:13", "Fri 2012-11-23 11:12:13"),
        ("2012-11-23 11:12:13 UTC", "Fri 2012-11-23 19:12:13"), ("2012-11-23", "Fri 2012-11-23 00:00:00"),
        ("12-11-23", "Fri 2012-11-23 00:00:00"), ("11:12:13", "Fri 2012-11-23 11:12:13"), ("11:12", "Fri 2012-11-23 11:12:00"),
        ("now", "Fri 2012-11-23 18:15:22"), ("today", "Fri 2012-11-23 00:00:00"), ("today UTC", "Fri 2012-11-23 08:00:00"),
        ("yesterday", "Thu 2012-11-22 00:00:00"), ("tomorrow", "Sat 2012-11-24 00:00:00"),
        ("tomorrow Pacific/Auckland", "Fri 2012-11-23 19:00:00"), ("+3h30min", "Fri 2012-11-23 21:45:22"),
        ("-5s", "Fri 2012-11-23 18:15:17"), ("11min ago", "Fri 2012-11-23 18:04:22"), ("11min left", "Fri 2012-11-23 18:26:22"),
        ("in 3h 30min", "Fri 2012-11-23 21:45:22"), ("@1395716396", "Tue 2014-03-25 10:59:56"),
        ("2012-11-23T11:12:13", "Fri 2012-11-23 11:12:13"), ("2012-11-23T11:12:13Z", "Fri 2012-11-23 19:12:13"),
        ("2012-11-23T11:12:13.25-05:00", "Sat 2012-11-24 00:12:13"), ("friday 2012-11-23", "Fri 2012-11-23 00:00:00"),
        ("2012-11-23 11:12 CST", "Fri 2012-11-23 11:12:00"), ("  2012-11-23  11:12 ", "Fri 2012-11-23 11:12:00"),
        ("2012-11-23 11:12 Europe/Berlin", "Fri 2012-11-23 18:12:00"),
    ])
    func reading(text: String, shown: String) throws {
        let time = try Timestamp(parsing: text, now: now, localZone: shanghai)
        #expect(time.text(in: shanghai) == shown + " CST")
    }

    @Test("fractions of seconds are read to the microsecond")
    func fraction() throws {
        let time = try Timestamp(parsing: "2014-03-25 03:59:56.6545634", now: now, localZone: .utc)
        #expect(time == .utc(2014, 3, 25, 3, 59, 56, 654_563))
    }

    @Test("what is shown can be read again, also in the hour that comes twice")
    func roundTrip() throws {
        var random = SeededGenerator(seed: SeededGenerator.seed)
        let overlap = Timestamp.utc(2026, 10, 24, 22).microseconds
        for round in 0..<2000 {
            let microseconds = round % 2 == 0
                ? Int64.random(in: 0...4_000_000_000_000_000, using: &random)
                : overlap + Int64.random(in: 0...14_400_000_000, using: &random)
            let time = Timestamp(microseconds: microseconds)
            for zone in [berlin, newYork, ZoneRules.utc] {
                #expect(try Timestamp(parsing: time.rfc3339(in: zone), now: now, localZone: zone) == time)
                let text = time.text(in: zone, microseconds: true)
                #expect(try Timestamp(parsing: text, now: now, localZone: zone) == time, "\(text)")
            }
        }
    }

    @Test("times that the clocks leave out or show twice")
    func clockChanges() throws {
        func read(_ text: String) throws -> Timestamp { try Timestamp(parsing: text, now: now, localZone: berlin) }
        #expect(try read("2026-03-29 02:30") == .utc(2026, 3, 29, 1))
        #expect(try read("2026-10-25 02:30") == .utc(2026, 10, 25, 0, 30))
        #expect(try read("2026-10-25 02:30 CEST") == .utc(2026, 10, 25, 0, 30))
        #expect(try read("2026-10-25 02:30 CET") == .utc(2026, 10, 25, 1, 30))
    }

    @Test("what is wrong is said", arguments: [
        ("", "it is empty; write for example \"2026-11-24 02:30\", \"yesterday\" or \"-2h\""),
        ("Thu 2012-11-23", "2012-11-23 is a Friday, not a Thursday"),
        ("2026-11-31", "there is no such day in the calendar"),
        ("25:00", "hours are 0 to 23, minutes and seconds 0 to 59"),
        ("1969-12-31", "years are 1970 to 9999"),
        ("12", "12 is neither a date nor a time; a time has hours and minutes, like \"02:30\""),
        ("2026-11-24 02:30 Europe/Berlni", "there is no time zone \"Europe/Berlni\" on this machine; \"timedatectl list-timezones\" shows which there are; did you mean \"Europe/Berlin\"?"),
        ("-100y", "it is before 1970"),
        ("+infinity", "it is infinitely far away"),
        ("2026-11-24 02:30 x", "there is no time zone \"x\" on this machine; \"timedatectl list-timezones\" shows which there are"),
        ("soon", "a date or a time is expected instead of \"soon\""),
    ])
    func complaints(text: String, problem: String) {
        #expect(throws: TimestampError(text: text, problem: problem)) {
            try Timestamp(parsing: text, now: now, localZone: berlin)
        }
    }

    @Test("any text is read or refused, never a trap")
    func anyText() {
        var random = SeededGenerator(seed: SeededGenerator.seed)
        let pieces = ["2026", "-", ":", "T", "Z", "+", "99", " ", "@", "ago", ".", "Mon", "UTC", "9999-12-31", "23:59:59", "ü", "in ", "99999999999999999999", "CET"]
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0...8, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
            if let time = try? Timestamp(parsing: text, now: now, localZone: berlin) { _ = time.text(in: berlin) }
        }
    }

    @Test("systemd reads these in the same way", .enabled(if: SystemdAnalyze.isInstalled, "systemd-analyze is not installed"), arguments: [
        "2012-11-23 11:12:13", "12-1-2", "2012-1-2 3:4:5", "fri 2012-11-23 11:12:13.5", "2012-11-23 11:12:13.123456", "2012-11-23 UTC",
        "@1395716396", "@1395716396.5", "2026-07-01 CEST", "2028-02-29", "2199-12-31 23:59", "Thu 2012-11-23", "1 2 3", "2012-11-23 11",
        "2012-13-01", "24:00", "Mon", "2012-11-23 11:12.5", "ago", "-5min ago", "-infinity", "2026-01-01 23:59:60", "2026-01-01 23:59:61", "2026-01-01 23:59:62", "@253402300799", "@-0", "2026-01-01 23:60", "5min", "68-1-1",
    ])
    func asSystemd(text: String) throws {
        let theirs = try SystemdAnalyze.timestamp(text, zone: "Europe/Berlin")
        let ours = try? Timestamp(parsing: text, now: now, localZone: berlin)
        #expect(ours?.microseconds == theirs)
    }
}
