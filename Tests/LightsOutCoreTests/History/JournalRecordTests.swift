import Testing

import LightsOutCore

/// What goes to the journal has the fields of the contract, each once.
struct JournalRecordTests {
    private let backup: BackupName
    private let run = RunIdentifier(high: 1, low: 2)

    init() throws { backup = try BackupName("server") }

    private func fields(_ record: JournalRecord) -> [String: String] {
        Dictionary(record.fields.map { ($0.name, $0.value) }) { "\($0) and \($1)" }
    }

    private let common = [
        "SYSLOG_IDENTIFIER": "lightsout", "LIGHTSOUT_BACKUP": "server", "LIGHTSOUT_RUN": "00000000000000010000000000000002",
    ]

    @Test func `started`() {
        #expect(
            fields(.started(backup, run, .catchUp)) == common.merging([
                "MESSAGE": "server: backup started to catch up on a missed time", "PRIORITY": "6",
                "MESSAGE_ID": "54cc1f46a6b448899f14ebc8e1c91790", "LIGHTSOUT_TRIGGER": "catch-up",
            ]) { $1 })
    }

    @Test func `finished, by exit`() {
        let record = JournalRecord.finished(
            backup, run, .manual, Outcome(.failed, exitStatus: 1, reason: "disk full"), started: Timestamp(microseconds: 7),
            duration: .seconds(62))
        #expect(
            fields(record) == common.merging([
                "MESSAGE": "server: backup failed after 1min 2s: disk full", "PRIORITY": "3",
                "MESSAGE_ID": "782b279e4aed49008a521705136ad691", "LIGHTSOUT_TRIGGER": "manual", "LIGHTSOUT_RESULT": "failed",
                "LIGHTSOUT_EXIT_STATUS": "1", "LIGHTSOUT_DURATION_USEC": "62000000", "LIGHTSOUT_STARTED_USEC": "7",
                "LIGHTSOUT_REASON": "disk full",
            ]) { $1 })
    }

    @Test func `finished, by a signal, has no exit status; a success has no reason`() {
        let killed = fields(
            .finished(backup, run, .schedule, Outcome(.aborted, signal: 9), started: Timestamp(microseconds: 0), duration: .seconds(1)))
        #expect(killed["LIGHTSOUT_SIGNAL"] == "9")
        #expect(killed["LIGHTSOUT_EXIT_STATUS"] == nil)
        let success = fields(
            .finished(backup, run, .schedule, Outcome(.success, exitStatus: 0), started: Timestamp(microseconds: 0), duration: .seconds(1)))
        #expect(success["LIGHTSOUT_REASON"] == nil)
        #expect(success["MESSAGE"] == "server: backup finished with success after 1s")
    }

    @Test func `refused`() {
        #expect(
            fields(.refused(backup, run, .manual, reason: "no script")) == common.merging([
                "MESSAGE": "server: not run: no script", "PRIORITY": "3", "MESSAGE_ID": "eb7f049984e645f5a689e39cbba089cd",
                "LIGHTSOUT_TRIGGER": "manual", "LIGHTSOUT_RESULT": "wrong-config", "LIGHTSOUT_REASON": "no script",
            ]) { $1 })
    }

    @Test(arguments: [(JournalRecord.LockChange.taken, "6"), (.released, "6"), (.lost, "4"), (.refused, "3")])
    func `lock`(change: JournalRecord.LockChange, priority: String) {
        #expect(
            fields(.lock(change, backup, run, message: "so it is")) == common.merging([
                "MESSAGE": "server: so it is", "PRIORITY": priority, "MESSAGE_ID": "a937b622de78436daf6515597cd564d2",
                "LIGHTSOUT_LOCK": change.rawValue,
            ]) { $1 })
    }
}
