import TestSupport
import Testing

@testable import LightsOutCore

@Suite("The next elapse")
struct NextElapseTests {
    let berlin: ZoneRules

    init() throws { berlin = try ZoneDatabase.system.zone(named: "Europe/Berlin") }

    /// The elapses after a time of the wall, as the wall shows them; with the offset's name, to tell repeated hours apart.
    private func elapses(_ text: String, after: String, in zone: ZoneRules, _ count: Int) throws -> [String] {
        let expression = try CalendarExpression(text)
        var time = try Timestamp(parsing: after, now: .utc(2026, 1, 1), localZone: zone)
        var found: [String] = []
        while found.count < count, let next = expression.next(after: time, localZone: zone) {
            #expect(next > time)
            found.append(String(next.text(in: zone).dropFirst(4)))
            time = next
        }
        return found
    }

    // MARK: - Spring

    @Test("a named hour in the spring gap elapses once, at the first moment after it", arguments: [
        "02:30", "02:00", "02:59:59", "2,14:30", "1..2:30", "Sun 02:30", "*-03-29 02:30", "02:30 Europe/Berlin",
    ])
    func namedHourInGap(text: String) throws {
        let found = try elapses(text, after: "2026-03-29 01:45:00", in: berlin, 1)
        #expect(found == ["2026-03-29 03:00:00 CEST"])
    }

    @Test("several elapses in the gap are one, also together with one right after it")
    func gapCollapses() throws {
        #expect(
            try elapses("2:0/15", after: "2026-03-29 00:00", in: berlin, 2)
                == ["2026-03-29 03:00:00 CEST", "2026-03-30 02:00:00 CEST"])
        #expect(
            try elapses("2,3:0,30", after: "2026-03-29 00:00", in: berlin, 3)
                == ["2026-03-29 03:00:00 CEST", "2026-03-29 03:30:00 CEST", "2026-03-30 02:00:00 CEST"])
    }

    @Test("hours of a wildcard or a repetition add nothing in the gap", arguments: [
        ("*:30", ["2026-03-29 03:30:00 CEST", "2026-03-29 04:30:00 CEST"]),
        ("0/2:30", ["2026-03-29 04:30:00 CEST", "2026-03-29 06:30:00 CEST"]),
        ("0/1:15", ["2026-03-29 03:15:00 CEST", "2026-03-29 04:15:00 CEST"]),
        ("0..23/1:15", ["2026-03-29 03:15:00 CEST", "2026-03-29 04:15:00 CEST"]),
        ("minutely", ["2026-03-29 03:00:00 CEST", "2026-03-29 03:01:00 CEST"]),
    ])
    func wildcardInGap(text: String, expected: [String]) throws {
        #expect(try elapses(text, after: "2026-03-29 01:59:59", in: berlin, 2) == expected)
    }

    @Test("an hour that is named beside a repetition is named")
    func mixedHours() throws {
        #expect(try elapses("1/4,2:30", after: "2026-03-29 01:45", in: berlin, 2)
            == ["2026-03-29 03:00:00 CEST", "2026-03-29 05:30:00 CEST"])
    }

    @Test("a gap at midnight, and one of half an hour")
    func otherGaps() throws {
        let sãoPaulo = try ZoneDatabase.system.zone(named: "America/Sao_Paulo")
        #expect(try elapses("daily", after: "2018-11-03 12:00", in: sãoPaulo, 2)
            == ["2018-11-04 01:00:00 -02", "2018-11-05 00:00:00 -02"])
        let lordHowe = try ZoneDatabase.system.zone(named: "Australia/Lord_Howe")
        #expect(try elapses("2:10,40", after: "2026-10-04 01:00", in: lordHowe, 3)
            == ["2026-10-04 02:30:00 +11", "2026-10-04 02:40:00 +11", "2026-10-05 02:10:00 +11"])
    }

    @Test("a whole day that a zone left out elapses once, when the next day begins")
    func dayLeftOut() throws {
        let apia = try ZoneDatabase.system.zone(named: "Pacific/Apia")
        #expect(try elapses("Fri 02:30", after: "2011-12-29 12:00", in: apia, 2)
            == ["2011-12-31 00:00:00 +14", "2012-01-06 02:30:00 +14"])
        #expect(try elapses("2011-12-30 *:00", after: "2011-12-29 12:00", in: apia, 1) == [])
    }

    // MARK: - Autumn

    @Test("a fixed time in the autumn hour that comes twice elapses the first time only")
    func overlapOnce() throws {
        #expect(try elapses("02:30", after: "2026-10-24 12:00", in: berlin, 2)
            == ["2026-10-25 02:30:00 CEST", "2026-10-26 02:30:00 CET"])
        #expect(try elapses("02:30", after: "2026-10-25 02:15:00 CET", in: berlin, 1) == ["2026-10-26 02:30:00 CET"])
    }

    @Test("wildcards pass over the second showing when they come from the first, and go on within it otherwise")
    func overlapWildcard() throws {
        #expect(try elapses("*:0/30", after: "2026-10-25 02:15:00 CEST", in: berlin, 2)
            == ["2026-10-25 02:30:00 CEST", "2026-10-25 03:00:00 CET"])
        #expect(try elapses("*:0/30", after: "2026-10-25 02:15:00 CET", in: berlin, 2)
            == ["2026-10-25 02:30:00 CET", "2026-10-25 03:00:00 CET"])
    }

    // MARK: - Bounds

    @Test("there is an end: impossible dates, years gone by, the year 2199, and the end of all time")
    func never() throws {
        for text in ["*-02-30", "Mon 2026-11-24", "2020-*-*", "*-04-31"] {
            #expect(try CalendarExpression(text).next(after: .utc(2026, 11, 23), localZone: berlin) == nil)
        }
        let daily = try CalendarExpression("daily")
        #expect(daily.next(after: .utc(2199, 12, 31), localZone: .utc) == nil)
        #expect(daily.next(after: Timestamp(microseconds: .max), localZone: berlin) == nil)
        #expect(daily.next(after: Timestamp(microseconds: .min), localZone: .utc) == .utc(1970, 1, 1))
    }

    @Test("a day that comes every 28 years is found")
    func rareDay() throws {
        #expect(try elapses("Sun *-02-29", after: "2026-01-01", in: berlin, 2)
            == ["2032-02-29 00:00:00 CET", "2060-02-29 00:00:00 CET"])
    }

    @Test("fractions of seconds are exact")
    func fractions() throws {
        let expression = try CalendarExpression("*:*:0.25/20.5")
        let first = try #require(expression.next(after: .utc(2026, 11, 23), localZone: .utc))
        #expect(first == .utc(2026, 11, 23, 0, 0, 0, 250_000))
        #expect(expression.next(after: first, localZone: .utc) == .utc(2026, 11, 23, 0, 0, 20, 750_000))
    }

    @Test("repetitions are not lost at midnight or at the beginning of a month, where systemd 252 loses them")
    func carries() throws {
        #expect(try elapses("*:0/7", after: "2026-03-03 23:56", in: .utc, 1) == ["2026-03-04 00:00:00 UTC"])
        #expect(try elapses("0/5:00", after: "2026-03-31 20:00", in: .utc, 1) == ["2026-04-01 00:00:00 UTC"])
        #expect(try elapses("*-*-1/11 23:00", after: "2025-12-24", in: .utc, 1) == ["2026-01-01 23:00:00 UTC"])
    }

    // MARK: - Properties

    @Test("every elapse is later than the time asked for, and is found again from right before it", arguments: [
        "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/St_Johns", "Europe/Dublin", "Asia/Tehran",
    ])
    func properties(zone: String) throws {
        let zone = try ZoneDatabase.system.zone(named: zone)
        var generator = ExpressionGenerator(seed: SeededGenerator.seed)
        let changes = zone.changes(in: .utc(1975, 1, 1)..<(.utc(2040, 1, 1)))
        for round in 0..<600 {
            let near = changes.isEmpty || round % 2 == 0 ? nil : generator.pick(changes)
            let text = near.map { generator.expression(around: zone.civilTime(at: $0)) } ?? generator.expression()
            guard let expression = try? CalendarExpression(text) else { continue }
            let seconds = Int64(generator.number(0...2_500_000_000))
            var time = Timestamp(microseconds: seconds * 1_000_000 + Int64(generator.number(0...999_999)))
            if let near { time = Timestamp(microseconds: near.microseconds - Int64(generator.number(-3600...36_000)) * 1_000_000) }
            for _ in 0..<5 {
                guard let next = expression.next(after: time, localZone: zone) else { break }
                let report: Comment = "\(text) after \(time.microseconds) µs in \(zone.name), seed \(SeededGenerator.seed)"
                #expect(next > time, report)
                let justBefore = Timestamp(microseconds: next.microseconds - 1)
                #expect(expression.next(after: justBefore, localZone: zone) == next, report)
                // Nothing is passed over: half way there the same is next, but for what the wall shows again.
                let middle = Timestamp(microseconds: time.microseconds + (next.microseconds - time.microseconds) / 2)
                if middle > time, zone.repetitionEnd(at: middle) == nil {
                    #expect(expression.next(after: middle, localZone: zone) == next, report)
                }
                time = next
            }
        }
    }
}
