import TestSupport
import Testing

@testable import LightsOutCore

/// Every promise here is held against `systemd-analyze calendar`.
@Suite(
    "Calendar expressions mean what systemd means", .enabled(if: SystemdAnalyze.isInstalled, "systemd-analyze is not installed"))
struct CalendarOracleTests {
    static let iterations = 20

    @Test("thousands of expressions: accepted, normalised and elapsing alike, in many zones", arguments: [
        ("UTC", Timestamp.utc(2026, 11, 23, 18, 12)),
        ("Asia/Kolkata", .utc(2024, 2, 28, 23, 59, 59, 999_999)),
        ("Asia/Kathmandu", .utc(2025, 12, 31, 23, 0, 0, 500_000)),
        ("Pacific/Kiritimati", .utc(1994, 12, 30)),
        ("Pacific/Pago_Pago", .utc(2031, 6, 30, 11, 0, 0, 1)),
    ])
    func generated(zone: String, base: Timestamp) throws {
        var generator = ExpressionGenerator(seed: SeededGenerator.seed &+ UInt64(base.microseconds))
        let expressions = (0..<1000).map { _ in generator.expression() }
        try compare(expressions, base: base, zone: zone)
    }

    @Test("numbers at the edges of what systemd counts")
    func edges() throws {
        let expressions = [
            "5..5/2147483647:0", "5..5/2147483648:0", "0:0:5..5/2147.483647", "0:0:5..5/2147.483648", "0:0:59..59/606306",
            "2147483648:0", "99999999999999999999-1-1", "@7258118399", "@7258118400", "@99999999999", "@ 5", "@+5", "@",
            "00:00:59.9999994", "00:00:59.9999995", "*:*:0/1,30", "*:*:0/1,10.5", "*:*:0..9,0/1", "*:*:0/1,5..9/2,7", "*:*:0/1,70", "*:*:1/1,0", "00:00:00/0.0000004", "00:00:00/0.0000005", "*-*~28", "*-*~29", "*-*~1,25",
            "*-*~1,26", "*-*~5/4", "*-*~5/5", "1/23:0", "1/22:0", "2199-1-1", "2200-1-1", "1969-1-1", "99-1-1", "100-1-1",
        ]
        try compare(expressions, base: .utc(2026, 11, 23, 18, 12), zone: "UTC", iterations: 3)
    }

    @Test("broken expressions are refused where systemd refuses them, and only there")
    func broken() throws {
        var generator = ExpressionGenerator(seed: SeededGenerator.seed)
        let expressions = (0..<6000).map { _ in generator.brokenExpression() }
        try compare(expressions, base: .utc(2026, 11, 23, 18, 12), zone: "UTC", iterations: 3)
    }

    /// Zones of all kinds: changes of an hour and of half an hour, at night and at midnight, a day left out. Europe/Dublin is
    /// not among them: where winter is the time that is "saved", systemd loses the rest of the day of a change.
    static let zones = [
        "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/St_Johns", "Asia/Tehran", "Pacific/Apia",
        "America/Sao_Paulo",
    ]

    @Test("elapses around every change of the clocks since 1970", arguments: zones)
    func clockChanges(zone: String) throws {
        let rules = try ZoneDatabase.system.zone(named: zone)
        var generator = ExpressionGenerator(seed: SeededGenerator.seed)
        let changes = rules.changes(in: .utc(1971, 1, 1)..<(.utc(2040, 1, 1)))
        #expect(changes.count > 10)
        for change in changes {
            let base = Timestamp(microseconds: change.microseconds - Int64(generator.number(1...30)) * 3_600_000_000)
            let wall = rules.civilTime(at: Timestamp(microseconds: change.microseconds - 1))
            let expressions =
                ["hourly", "*:0/20", "daily", "\(wall.hour):30", "0/2:15,45"]
                + (0..<6).map { _ in generator.expression(around: wall) }
            try compare(expressions, base: base, zone: zone)
            // While the wall shows an hour again, too. Hours that are named have elapsed the first time then.
            let within = Timestamp(microseconds: change.microseconds + Int64(generator.number(0...1200)) * 1_000_000)
            if rules.repetitionEnd(at: within) != nil {
                try compare(["hourly", "*:0/20", "0/1:15,45", "minutely"], base: within, zone: zone)
            }
        }
    }

    @Test("elapses in the zone that an expression names, whatever the local one")
    func namedZones() throws {
        let expressions = [
            "Mon..Fri 02:30 Europe/Berlin", "*-*~1 23:59:59 America/St_Johns", "0/2:15 Australia/Lord_Howe",
            "Sun *:0/30 Pacific/Chatham", "weekly Pacific/Auckland", "2027-*-* 12:00 Etc/GMT+12", "daily EST5EDT",
        ]
        for base in [Timestamp.utc(2026, 3, 28, 12), .utc(2026, 10, 24, 20), .utc(2027, 4, 3)] {
            try compare(expressions, base: base, zone: "Asia/Tokyo")
        }
    }

    private func compare(_ expressions: [String], base: Timestamp, zone: String, iterations: Int = iterations) throws {
        let rules = try ZoneDatabase.system.zone(named: zone)
        let verdicts = try SystemdAnalyze.calendar(expressions, iterations: iterations, base: base, zone: zone)
        for (text, verdict) in zip(expressions, verdicts) {
            var report: Comment {
                "\(text.debugDescription) from \(base.microseconds) µs in \(zone), seed \(SeededGenerator.seed)"
            }
            let expression: CalendarExpression
            do throws(CalendarExpressionError) {
                expression = try CalendarExpression(text)
            } catch {
                #expect(verdict.isRefused, "refused: \(error.description); \(report)")
                continue
            }
            #expect(!verdict.isRefused, report)
            // systemd does not write the parts of seconds beside every second.
            let isCut = expression.seconds.count > 1 && expression.seconds.contains(.everySecond)
            if let normalized = verdict.normalized, !isCut { #expect(expression.description == normalized, report) }
            let difference = difference(expression, from: verdict, base: base, zone: rules, iterations: iterations)
            #expect(difference == nil, report)
        }
    }

    /// How the elapses of `expression` are others than those of `verdict`; `nil` where they are not.
    private func difference(
        _ expression: CalendarExpression, from verdict: SystemdAnalyze.Verdict, base: Timestamp, zone: ZoneRules,
        iterations: Int
    ) -> String? {
        if verdict.isRefused { return nil }
        var theirs = verdict.elapses[...]
        var time = base
        while !theirs.isEmpty || (verdict.elapses.count < iterations && !verdict.gaveUp) {
            guard let next = expression.next(after: time, localZone: zone) else {
                return theirs.first.map { "no elapse instead of \($0)" }
            }
            time = next
            if let their = theirs.first, their == next.microseconds / 1_000_000 || isShownAgain(next, at: their, zone) {
                theirs.removeFirst()
            } else if !isLostBySystemd(next, of: expression, zone: zone), !isAfterGap(next, of: expression, zone: zone) {
                return "\(next.microseconds) µs instead of \(theirs.first ?? 0) s"
            }
        }
        return nil
    }

    /// Whether `their` time, in seconds, is the second time that the wall shows what it shows at `time`. systemd elapses
    /// the first time as a rule, but what it looked at before may make it take the second.
    private func isShownAgain(_ time: Timestamp, at their: Int64, _ zone: ZoneRules) -> Bool {
        let fraction = time.microseconds % 1_000_000
        let theirTime = Timestamp(microseconds: their * 1_000_000 + fraction)
        return zone.repetitionEnd(at: theirTime) != nil && zone.civilTime(at: theirTime) == zone.civilTime(at: time)
    }

    /// systemd 252 steps over elapses after midnight and at the beginning of months and years: a repetition without end
    /// that leaves its range (`*:0/7` comes to minute 63) carries over, and what it left there is not looked at again
    /// where the carry went further than to the next part (https://github.com/systemd/systemd/issues/22665 and 40260).
    /// By systemd.time(7) they do elapse.
    private func isLostBySystemd(_ time: Timestamp, of expression: CalendarExpression, zone: ZoneRules) -> Bool {
        func repeats(_ list: [CalendarComponent]) -> Bool { list.contains { $0.step > 0 && $0.last == nil } }
        let zone = expression.namedZone ?? zone
        let wall = zone.civilTime(at: time)
        // The rest of an hour in whose middle the clock arrives when it is set forward; and the next, where it was set
        // forward by two.
        for hour in [wall.hour, max(0, wall.hour - 1)] {
            let gapEnd = zone.resolve(CivilTime(wall.date, hour: hour)).gapEnd
            if let gapEnd, gapEnd.minute != 0 { return true }
        }
        // A fraction of a second is not reset at all.
        if repeats(expression.seconds), expression.seconds.contains(where: { ($0.first + $0.step) % 1_000_000 != 0 }),
            wall.second == 0
        {
            return true
        }
        return repeats(expression.seconds) && wall.minute == 0 || repeats(expression.minutes) && wall.hour == 0
            || repeats(expression.hours) && wall.date.day == 1 || repeats(expression.days) && wall.date.month == 1
    }

    /// The one chosen difference: an elapse moved out of the gap to the moment of the change, when the wall shows
    /// nothing that the expression names.
    private func isAfterGap(_ time: Timestamp, of expression: CalendarExpression, zone: ZoneRules) -> Bool {
        let zone = expression.namedZone ?? zone
        let before = zone.offset(at: Timestamp(microseconds: time.microseconds - 1)).secondsEast
        let wall = zone.civilTime(at: time)
        return before < zone.offset(at: time).secondsEast
            && expression.matcher.first(from: wall, hours: expression.matcher.hours) != wall
    }
}
