import TestSupport
import Testing

@testable import LightsOutCore

@Suite("Calendar expressions are read and written in systemd's language")
struct CalendarExpressionTests {
    @Test("the examples of systemd.time(7) have the normal form that it shows", arguments: [
        ("Sat,Thu,Mon..Wed,Sat..Sun", "Mon..Thu,Sat,Sun *-*-* 00:00:00"),
        ("Mon,Sun 12-*-* 2,1:23", "Mon,Sun 2012-*-* 01,02:23:00"),
        ("Wed *-1", "Wed *-*-01 00:00:00"),
        ("Wed..Wed,Wed *-1", "Wed *-*-01 00:00:00"),
        ("Wed, 17:48", "Wed *-*-* 17:48:00"),
        ("Wed..Sat,Tue 12-10-15 1:2:3", "Tue..Sat 2012-10-15 01:02:03"),
        ("*-*-7 0:0:0", "*-*-07 00:00:00"),
        ("10-15", "*-10-15 00:00:00"),
        ("monday *-12-* 17:00", "Mon *-12-* 17:00:00"),
        ("Mon,Fri *-*-3,1,2 *:30:45", "Mon,Fri *-*-01,02,03 *:30:45"),
        ("12,14,13,12:20,10,30", "*-*-* 12,13,14:10,20,30:00"),
        ("12..14:10,20,30", "*-*-* 12..14:10,20,30:00"),
        ("mon,fri *-1/2-1,3 *:30:45", "Mon,Fri *-01/2-01,03 *:30:45"),
        ("03-05 08:05:40", "*-03-05 08:05:40"),
        ("05:40:23.4200004/3.1700005", "*-*-* 05:40:23.420000/3.170001"),
        ("2003-02..04-05", "2003-02..04-05 00:00:00"),
        ("2003-03-05 05:40 UTC", "2003-03-05 05:40:00 UTC"),
        ("daily UTC", "*-*-* 00:00:00 UTC"),
        ("weekly Pacific/Auckland", "Mon *-*-* 00:00:00 Pacific/Auckland"),
        ("*:2/3", "*-*-* *:02/3:00"),
        ("*-*~7/1 Utc", "*-*~07/1 00:00:00 UTC"),
        ("Mon *-05~07/1", "Mon *-05~07/1 00:00:00"),
        ("*-02~03", "*-02~03 00:00:00"),
        ("*-*~*", "*-*-* 00:00:00"),
        ("*:*:*", "*-*-* *:*:*"),
        ("*:*:0/1", "*-*-* *:*:*"),
        ("*:*:0/1,30", "*-*-* *:*:*"),
        ("*:*:5..9/2,0,0/1", "*-*-* *:*:*"),
        ("*:*:0..59,30", "*-*-* *:*:00..59,30"),
        ("1..6/2:0", "*-*-* 01..05/2:00:00"),
        ("5..5/9:0", "*-*-* 05:00:00"),
        ("69-1-1", "2069-01-01 00:00:00"),
        ("70-1-1", "1970-01-01 00:00:00"),
        ("@1395716396", "2014-03-25 02:59:56 UTC"),
        ("Mon..Sun 1:00", "*-*-* 01:00:00"),
        ("Mon-Wed", "Mon..Wed *-*-* 00:00:00"),
        ("00:00:59.9999994", "*-*-* 00:00:59.999999"),
    ])
    func normalForm(text: String, normal: String) throws {
        #expect(try CalendarExpression(text).description == normal)
    }

    @Test("shorthands stand for longer forms, in any case", arguments: [
        ("minutely", "*-*-* *:*:00"), ("hourly", "*-*-* *:00:00"), ("Daily", "*-*-* 00:00:00"),
        ("WEEKLY", "Mon *-*-* 00:00:00"), ("monthly", "*-*-01 00:00:00"), ("quarterly", "*-01,04,07,10-01 00:00:00"),
        ("semiannually", "*-01,07-01 00:00:00"), ("semi-annually", "*-01,07-01 00:00:00"),
        ("biannually", "*-01,07-01 00:00:00"), ("bi-annually", "*-01,07-01 00:00:00"),
        ("yearly", "*-01-01 00:00:00"), ("annually", "*-01-01 00:00:00"), ("anually", "*-01-01 00:00:00"),
    ])
    func shorthands(text: String, normal: String) throws {
        #expect(try CalendarExpression(text).description == normal)
    }

    @Test("what is wrong is said in one line, with what would be right", arguments: [
        ("", "it is empty; write for example \"daily\" or \"Mon..Fri 02:30\""),
        ("Mon..Fry 02:30", "\"Fry\" is no weekday; did you mean \"Fri\"?"),
        ("Thurs 02:30", "\"Thurs\" is no weekday; did you mean \"Thu\"?"),
        ("Sat..Mon", "the range \"Sat..Mon\" runs backwards: the week begins on Monday; write \"Sat..Sun,Mon\""),
        ("dayly", "\"dayly\" is not known; did you mean \"daily\"?"),
        ("02:30 Europe/Berlni", "there is no time zone \"Europe/Berlni\" on this machine; \"timedatectl list-timezones\" shows which there are; did you mean \"Europe/Berlin\"?"),
        ("Mon..Fri Europe/Berln", "there is no time zone \"Europe/Berln\" on this machine; \"timedatectl list-timezones\" shows which there are; did you mean \"Europe/Berlin\"?"),
        ("24:00", "the hour 24 in \"24\" is out of range: it is 0 to 23; write 00:00 of the next day"),
        ("*:*/5", "\"*\" cannot be repeated; write \"0/5\" for every fifth, counted from 0"),
        ("12", "\"12\" is neither a date nor a time; a time has hours and minutes, like \"12:00\""),
        ("0 2 * * 1", "\"2 * * 1\" cannot be here, a date begins with \"0\"; this looks like a line of a crontab; \"0 2 * * 1\" is \"Mon 02:00\" here"),
        ("02:30 Mon", "\"Mon\" cannot be here, after the time \"02:30\"; weekdays come first, as in \"Mon 02:30\""),
        ("2:30pm", "\"pm\" cannot be here, after the number \"30\"; hours are 0 to 23, as in \"14:30\""),
        ("*-*-32", "the day 32 in \"32\" is out of range: it is 1 to 31"),
        ("2200-1-1", "the year 2200 in \"2200\" is out of range: it is 1970 to 2199"),
        ("5..3:00", "the range in \"5..3\" runs backwards"),
        ("0/0:00", "\"0/0\" repeats by zero"),
        ("2026~11-22", "\"~\" stands between the year and the month; it belongs between the month and the day, as in \"*-02~01\""),
        ("*-*~1,26", "in the list \"1,26\" the day before the end of the month is at most 25 at its place: systemd allows three less for each further one"),
        ("daily ", "there is a space too many; take it away"),
    ])
    func complaints(text: String, complaint: String) {
        #expect {
            try CalendarExpression(text)
        } throws: { error in
            "\(error)" == "\(text.quotedForPeople) is no calendar expression: \(complaint)"
        }
    }

    @Test("an abbreviation is not taken for that of another part of the world", arguments: ["EDT", "BST", "PST", "IST", "CEST", "edt"])
    func abbreviations(name: String) {
        #expect {
            try CalendarExpression("02:30 \(name)")
        } throws: { error in
            "\(error)".contains("an abbreviation holds for a part of the year only")
        }
    }

    @Test("a zone that is misspelt or in the wrong case is recognised", arguments: [("cet", "CET"), ("Japn", "Japan"), ("japan", "Japan"), ("gmt", "GMT")])
    func zoneNames(name: String, meant: String) {
        #expect {
            try CalendarExpression("02:30 \(name)")
        } throws: { error in
            (error as? CalendarExpressionError)?.suggestion == "did you mean \"\(meant)\"?"
        }
    }

    @Test("parts of seconds beside every second are written, which systemd does not")
    func everySecondAndParts() throws {
        #expect(try CalendarExpression("*:*:0/1,10.5").description == "*-*-* *:*:00/1,10.500000")
    }

    @Test("a complaint tells where in the text the part is")
    func place() {
        let text = "Mon *-13-1 02:30"
        do throws(CalendarExpressionError) {
            _ = try CalendarExpression(text)
            Issue.record("accepted")
        } catch {
            #expect(String(decoding: Array(text.utf8)[error.range], as: UTF8.self) == "13")
        }
    }

    @Test("hostile text is refused in time", arguments: [
        String(repeating: "9", count: 60_000), String(repeating: "1,", count: 30_000) + "1:00",
        String(repeating: "Mon,", count: 20_000), String(repeating: " ", count: 65_536), String(repeating: "x", count: 1 << 20),
        "Mon\0 02:30", "02:30 ../../etc/passwd", "02:30 /etc/localtime", "02:30 Europe//Berlin", "\u{202e}02:30", "０２:３０",
        "@99999999999999999999999", "@-5", "99999999999999999999:00", "00:00:9223372036854775807/9223372036854775807",
        "1/9223372036854775807:00", "*-*~1/4294967297", "00:00:00.", "2003-03-05T02:30", "Mon..", "Mon,,Tue", "*", "-", "~", "@",
        "02:30\n", "\u{feff}02:30",
    ])
    func hostile(text: String) {
        let start = ContinuousClock.now
        #expect(throws: CalendarExpressionError.self) { try CalendarExpression(text) }
        #expect(ContinuousClock.now - start < .seconds(1))
    }

    @Test("a list holds 241 values at most, as with systemd")
    func listLength() throws {
        let most = String(repeating: "1,", count: 240) + "1:00"
        #expect(try CalendarExpression(most).description == "*-*-* 01:00:00")
        #expect(throws: CalendarExpressionError.self) { try CalendarExpression("1," + most) }
    }

    @Test("any bytes are read or refused, never a trap")
    func anyBytes() {
        var generator = ExpressionGenerator(seed: SeededGenerator.seed)
        for _ in 0..<20_000 {
            var text = generator.brokenExpression()
            if generator.chance(20) { text += String(decoding: (0..<4).map { _ in UInt8(generator.number(0...255)) }, as: UTF8.self) }
            if let expression = try? CalendarExpression(text) { _ = expression.next(after: .utc(2026, 11, 23), localZone: .utc) }
        }
    }

    @Test("the normal form is read as the same expression, and stays as it is")
    func fixedPoint() throws {
        var generator = ExpressionGenerator(seed: SeededGenerator.seed)
        var read = 0
        for _ in 0..<5000 {
            let text = generator.expression()
            guard let expression = try? CalendarExpression(text) else { continue }
            read += 1
            let again = try CalendarExpression(expression.description)
            #expect(again == expression, "\(text), seed \(SeededGenerator.seed)")
            #expect(again.description == expression.description, "\(text), seed \(SeededGenerator.seed)")
        }
        #expect(read > 3000)
    }

    @Test("what systemd takes and is refused here: local abbreviations, leap seconds, years before 1970", arguments: [
        "02:30 CEST", "02:30 right/Europe/Berlin", "@-61767878400",
    ])
    func chosenRefusals(text: String) {
        #expect(throws: CalendarExpressionError.self) { try CalendarExpression(text) }
    }
}
