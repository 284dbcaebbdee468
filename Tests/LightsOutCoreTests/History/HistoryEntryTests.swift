import LightsOutCore
import Testing

@Suite struct HistoryEntryTests {
    private static let backup = try? BackupName("server")
    private static let run = RunIdentifier(high: 0x0123_4567_89ab_cdef, low: 0xfedc_ba98_7654_3210)
    private static let began = Timestamp(microseconds: 1_764_035_400_000_000)
    private static let recorded = Timestamp(microseconds: 1_764_039_000_500_000)

    private func read(_ record: JournalRecord, _ changes: [String: String?] = [:]) -> HistoryEntry? {
        var fields: [String: String] = ["_HOSTNAME": "cellar"]
        for (name, value) in record.fields { fields[name] = value }
        for (name, value) in changes { fields[name] = value }
        return HistoryEntry(recorded: Self.recorded) { fields[$0] }
    }

    private func finished(_ outcome: Outcome = Outcome(.warnings, exitStatus: 24, reason: "files vanished")) throws -> JournalRecord {
        .finished(
            try #require(Self.backup), Self.run, .catchUp, outcome, started: Self.began, duration: .minutes(3))
    }

    @Test func `what the runner records of a run is read back`() throws {
        let entry = try #require(read(try finished()))
        #expect(entry.backup.text == "server")
        #expect(entry.run == Self.run)
        #expect(entry.trigger == .catchUp)
        #expect(entry.result == .warnings)
        #expect(entry.exitStatus == 24)
        #expect(entry.signal == nil)
        #expect(entry.started == Self.began)
        #expect(entry.finished == Self.began + .minutes(3))
        #expect(entry.duration == .minutes(3))
        #expect(entry.reason == "files vanished")
        #expect(entry.host == "cellar")
    }

    @Test func `a refused run has no start, and the time of its record`() throws {
        let record = JournalRecord.refused(try #require(Self.backup), Self.run, .schedule, reason: "not executable")
        let entry = try #require(read(record))
        #expect(entry.result == .wrongConfig)
        #expect(entry.started == nil)
        #expect(entry.finished == Self.recorded)
    }

    @Test func `a missed elapse has its own time and no run`() throws {
        let record = JournalRecord.missed(try #require(Self.backup), elapse: Self.began, message: "the machine was off")
        let entry = try #require(read(record))
        #expect(entry.result == .missed)
        #expect(entry.run == nil)
        #expect(entry.finished == Self.began)
    }

    @Test(arguments: [
        ["MESSAGE_ID": nil], ["MESSAGE_ID": "54cc1f46a6b448899f14ebc8e1c91790"], ["LIGHTSOUT_BACKUP": "../etc"],
        ["LIGHTSOUT_BACKUP": nil], ["LIGHTSOUT_RESULT": "splendid"], ["LIGHTSOUT_RESULT": nil],
    ] as [[String: String?]])
    func `a record that is no result of a backup is no entry`(changes: [String: String?]) throws {
        #expect(read(try finished(), changes) == nil)
    }

    @Test(arguments: [
        "LIGHTSOUT_RUN", "LIGHTSOUT_TRIGGER", "LIGHTSOUT_EXIT_STATUS", "LIGHTSOUT_STARTED_USEC", "LIGHTSOUT_DURATION_USEC",
    ])
    func `a malformed field is not there, and the rest is`(field: String) throws {
        for value in ["", "x", "-9223372036854775808", "9223372036854775807", "99999999999999999999999", "\u{1b}[2J", "1e9"] {
            let entry = try #require(read(try finished(), [field: value]))
            #expect(entry.backup.text == "server")
            // What is shown of it is the proof that no number in it is out of reach.
            _ = JSONValue.object(entry.json(in: .utc)).text
            _ = HistoryEntry.table([entry], now: Self.recorded, zone: .utc, showsHost: true).lines(width: 40, colour: true)
        }
        let entry = try #require(read(try finished(), [field: "x"]))
        #expect(entry.result == .warnings)
        if field == "LIGHTSOUT_STARTED_USEC" {
            #expect(entry.started == nil)
            #expect(entry.finished == Self.recorded)
        }
    }

    @Test func `the JSON has the documented keys in their order`() throws {
        let entry = try #require(read(try finished()))
        #expect(
            JSONValue.object(entry.json(in: .utc)).text == """
                {"backup": "server", "run": "0123456789abcdeffedcba9876543210", "trigger": "catch-up", "result": "warnings", \
                "exit_status": 24, "signal": null, "started": "2025-11-25T01:50:00.000000+00:00", \
                "finished": "2025-11-25T01:53:00.000000+00:00", "duration": 180, "reason": "files vanished", "host": "cellar"}
                """)
    }
}
