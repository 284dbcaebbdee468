import LightsOutCore
import Testing

extension WholeSystem {
    /// Whatever a script prints, the journal has the records of its run, and the parts of its output that matter.
    @Suite("What a script prints")
    struct RunnerOutputTests {
        init() throws { _ = try Machine.shared }

        private func run(_ script: String, _ body: (_ machine: Machine, _ output: [String], _ records: [[String: String]]) throws -> Void) throws {
            let machine = try Machine.shared
            try machine.withBackup("talks", script: "#!/bin/bash\n\(script)\n") { unit in
                let cursor = try machine.journalCursor()
                _ = try machine.run("systemctl start \(unit)", within: 60)
                let output = try machine.journal("SYSLOG_IDENTIFIER=talks_backup", "_SYSTEMD_UNIT=\(unit)", after: cursor)
                    .map { $0["MESSAGE"] ?? "" }
                let records = try machine.journal("LIGHTSOUT_BACKUP=talks", after: cursor)
                try body(machine, output, records)
            }
        }

        private func count(_ id: String, _ records: [[String: String]]) -> Int { records.count { $0["MESSAGE_ID"] == id } }

        @Test(arguments: ["seq 1 200000", "seq 1 200000 >&2", "seq 1 100000; seq 100001 200000 >&2", "seq 1 200000 & wait"])
        func `never pushes out the records of its run`(script: String) throws {
            try run(script + "; exit 0") { machine, output, records in
                #expect(count(JournalRecord.MessageID.started, records) == 1)
                #expect(count(JournalRecord.MessageID.finished, records) == 1)
                try #expect(machine.run("lightsout history talks --json").output.contains("\"success\""))
                #expect(output.first == "1")
                #expect(output.last == "200000")
                let leftOut = output.compactMap { $0.firstMatch(of: #/^lightsout: (\d+) lines of output left out$/#).flatMap { Int($0.output.1) } }
                #expect(leftOut.count == 1)
                #expect(output.count - 1 + (leftOut.first ?? 0) == 200_000)
            }
        }

        @Test func `is whole when it is not too much, to the last byte`() throws {
            try run("seq 1 10000; printf 'no newline'") { _, output, _ in
                #expect(output == (1...10_000).map(String.init) + ["no newline"])
            }
        }

        @Test func `of a run that fails after a flood has its last words`() throws {
            try run("yes | head -n 300000; echo 'disk full' >&2; exit 1") { _, output, records in
                #expect(output.last == "disk full")
                #expect(records.last { $0["MESSAGE_ID"] == JournalRecord.MessageID.finished }?["LIGHTSOUT_RESULT"] == "failed")
            }
        }

        @Test func `of a progress bar has a line now and then, and no binary`() throws {
            try run(#"for i in $(seq 0 5 100); do printf '\r%3d %%' $i; sleep 0.02; done; echo; echo end"#) { _, output, _ in
                #expect(output.last == "end")
                #expect(output.contains("100 %"))
                #expect(output.count < 5)
            }
        }
    }
}
