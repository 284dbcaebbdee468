import LightsOutCore
import Testing

@Suite struct DisplayTests {
    @Test(arguments: [
        ("server", 6), ("", 0), ("é", 1), ("e\u{301}", 1), ("日本", 4), ("한국어", 6), ("ﾊﾝｶｸ", 4), ("Ａ", 2), ("👍", 2),
        ("🇩🇪", 2), ("☂\u{fe0f}", 2), ("…", 1), ("ß→ö", 3), ("a\u{308}\u{323}b", 2),
    ])
    func `text takes the columns that a terminal gives it`(text: String, columns: Int) {
        #expect(text.displayWidth == columns)
    }

    @Test(arguments: [
        ("server", 6, "server"), ("server", 5, "serv…"), ("server", 1, "…"), ("server", 0, ""), ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"), ("日本語", 4, "日…"), ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
    ])
    func `text is cut between characters and never wider than asked`(text: String, width: Int, cut: String) {
        #expect(text.cut(toWidth: width) == cut)
        #expect(text.cut(toWidth: width).displayWidth <= max(width, 0))
    }

    @Test func `nothing that a terminal acts on leaves a table`() {
        var table = Table([.init("NAME", minimumWidth: 4)])
        table.add([.init("a\u{1b}[2Jb\u{9b}31m\n\u{202e}c\u{7f}")])
        let line = table.lines(width: nil, colour: false)[1]
        #expect(line == "a\\u{1b}[2Jb\\u{9b}31m\\n\\u{202e}c\\u{7f}")
    }

    @Test func `columns are aligned by what they show, and empty ones are left out`() {
        var table = Table([.init("NAME"), .init("PROBLEM"), .init("TOOK", isRightAligned: true), .init("REASON")])
        table.add(["日本", "", "3min 2s", ""])
        table.add(["server", "", "9s", "full"])
        #expect(
            table.lines(width: nil, colour: false) == [
                "NAME       TOOK  REASON",
                "日本    3min 2s",
                "server       9s  full",
            ])
    }

    @Test(arguments: 20...60) func `a table fits its terminal as long as its columns can give way`(width: Int) {
        var table = Table([.init("NAME"), .init("DESCRIPTION", minimumWidth: 5), .init("REASON", minimumWidth: 5)])
        table.add(["server", "Nightly copy of /srv to the USB disk", "the script exited with status 24"])
        let lines = table.lines(width: width, colour: false)
        #expect(lines.allSatisfy { $0.displayWidth <= width })
        #expect(lines[1].hasPrefix("server  "))
        #expect(table.lines(width: nil, colour: false)[1].hasSuffix("status 24"))
    }

    @Test(arguments: 0...60) func `no line is ever wider than the terminal`(width: Int) {
        var table = Table([.init("NAME"), .init("WHEN"), .init("STATE", isRightAligned: true)])
        table.add(["日本-server", .init("Tue 02:30 (in 7h 28min)", short: "Tue 02:30"), "running"])
        #expect(table.lines(width: width, colour: false).allSatisfy { $0.displayWidth <= width })
    }

    @Test(arguments: [
        (40, "server  Tue 02:30 (in 7h)  42%  the disk"), (32, "server  Tue 02:30  42%  the disk"),
        (30, "server  Tue 02:30  42%  the d…"), (29, "Tue 02:30  42%  the disk"), (23, "Tue 02:30  42%  the di…"), (20, "42%  the disk"), (13, "42%  the disk"),
        (11, "42%  the d…"), (9, "the disk"), (5, "the …"),
    ])
    func `columns give way by importance: a short form, a cut, and then they are left out`(width: Int, row: String) {
        var table = Table([
            .init("", importance: 0), .init("", importance: 1), .init("", importance: 2), .init("", minimumWidth: 6, importance: 3),
        ])
        table.add(["server", .init("Tue 02:30 (in 7h)", short: "Tue 02:30"), "42%", "the disk"])
        #expect(table.lines(width: width, colour: false)[1] == row)
    }

    @Test(arguments: [
        (120, "server  success  Tue 2026-11-24 02:30:00 UTC  11h 40min    3min 2s  schedule"),
        (80, "server  success  02:30             11h 40min    3min 2s  schedule"),
        (60, "server  success  02:30             3min 2s"),
        (40, "server  success  02:30"),
    ])
    func `the history keeps what matters most in a narrow terminal`(width: Int, row: String) throws {
        let now = Timestamp(microseconds: 1_795_529_600_000_000)  // Tue 2026-11-24 14:13:20 UTC
        func entry(_ result: RunResult, _ started: Int64, _ reason: String?) throws -> HistoryEntry {
            let fields = [
                "MESSAGE_ID": JournalRecord.MessageID.finished, "LIGHTSOUT_BACKUP": "server", "LIGHTSOUT_RESULT": result.rawValue,
                "LIGHTSOUT_TRIGGER": "schedule", "LIGHTSOUT_STARTED_USEC": String(started), "LIGHTSOUT_DURATION_USEC": "182000000",
            ].merging(reason.map { ["LIGHTSOUT_REASON": $0] } ?? [:]) { $1 }
            return try #require(HistoryEntry(recorded: now) { fields[$0] })
        }
        let entries = [
            try entry(.success, 1_795_487_400_000_000, nil),
            try entry(.failed, 1_795_487_400_000_000 - 30 * 86_400_000_000, "the script exited with status 24"),
        ]
        let lines = HistoryEntry.table(entries, now: now, zone: .utc, showsHost: false).lines(width: width, colour: false)
        #expect(lines.allSatisfy { $0.displayWidth <= width }, "\(lines)")
        #expect(lines[1] == row)
    }

    @Test func `colour is outside of what is measured and cut`() {
        var table = Table([.init("A"), .init("B")])
        table.add([.init("ok", .good), "x"])
        #expect(table.lines(width: nil, colour: true)[1] == "\u{1b}[32mok\u{1b}[0m  x")
        #expect(table.lines(width: nil, colour: false)[1] == "ok  x")
    }

    @Test(arguments: [
        (JSONValue.string("a\"b\\c\n\u{1}\u{9b}\u{202e}é日\u{e0001}"), #""a\"b\\c\n\u0001\u009b\u202eé日\udb40\udc01""#),
        (.seconds(TimeSpan(microseconds: 850_000)), "0.85"), (.seconds(TimeSpan(microseconds: 1)), "0.000001"),
        (.seconds(.seconds(12)), "12"), (.seconds(.infinity), "null"), (.array([.integer(-1), .bool(true), .null]), "[-1, true, null]"),
        (.object([.init("z", .null), .init("a", .array([]))]), #"{"z": null, "a": []}"#),
    ])
    func `JSON is written as RFC 8259 wants it, keys in the order given`(value: JSONValue, text: String) {
        #expect(value.text == text)
    }

    @Test func `a document is a list with an object a line`() {
        #expect(JSONValue.document([]) == "[]")
        #expect(JSONValue.document([[.init("a", .null)], [.init("a", .integer(1))]]) == "[\n  {\"a\": null},\n  {\"a\": 1}\n]")
    }

    @Test(arguments: [
        (0, "14:13"), (-14, "00:13"), (-15, "Mon 23:13"), (72, "Fri 14:13"), (144, "Mon 14:13"), (168, "2026-12-01 14:13"),
        (-168, "2026-11-17 14:13"),
    ] as [(Int64, String)])
    func `a near time is said briefly, a far one with its date`(hours: Int64, text: String) {
        let now = Timestamp(microseconds: 1_795_529_600_000_000)  // Tue 2026-11-24 14:13:20 UTC
        let time = Timestamp(microseconds: now.microseconds + hours * 3_600_000_000)
        #expect(time.brief(in: .utc, now: now) == text)
    }
}
