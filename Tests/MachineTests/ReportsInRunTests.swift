import Foundation
import Testing

extension WholeSystem {
    /// What a script that lightsout has started reports of its own run.
    @Suite("Reports from inside a run")
    struct ReportsInRunTests {
        let machine: Machine
        let reports: Reports

        init() throws {
            reports = try Reports()
            machine = reports.machine
        }

        /// Runs `script` as the backup `server` and gives its record.
        private func run(_ script: String, _ body: () throws -> Void = {}) throws -> [String: String] {
            try machine.withBackup("server", script: "#!/bin/sh\n\(script)\n") { unit in
                try machine.sh("lightsout reload")
                let cursor = try machine.journalCursor()
                let run = try machine.start("systemctl start \(unit)")
                try body()
                _ = run.finish()
                let records = try machine.journal(Reports.finished, "LIGHTSOUT_BACKUP=server", after: cursor)
                try #require(records.count == 1)
                return records[0]
            }
        }

        /// The script goes on when the test has looked.
        private static let wait = "until [ -e /run/machine/go-on ]; do sleep 0.02; done; rm /run/machine/go-on"

        @Test func `progress shows on the bus, in status and in systemctl status, without a name`() throws {
            _ = try run("lightsout -r; lightsout -p 40; \(Self.wait)") {
                try machine.eventually("it shows on the bus") { try reports.property("Progress", of: "server") == "y 40" }
                #expect(try machine.sh("lightsout status server").contains("40"))
                #expect(try machine.property("StatusText", of: "lightsout-backup@server").contains(", 40 %, standby blocked"))
                try machine.write("/run/machine/go-on", "")
            }
            #expect(try reports.property("Progress", of: "server") != "y 40")
        }

        @Test(arguments: [
            ("lightsout -f 3", "warnings"), ("lightsout -f 1", "failed"), ("lightsout -f 255", "unknown"),
            ("lightsout -f 0", "success"), ("lightsout -f 0; exit 1", "failed"), ("lightsout -f 1; exit 3", "failed"),
            ("lightsout -f 3; exit 2", "aborted"), ("lightsout -f 1; lightsout -f 3", "warnings"),
        ])
        func `a reported result counts where the script succeeds, else the worse of the two`(script: String, result: String) throws {
            #expect(try run(script)["LIGHTSOUT_RESULT"] == result)
        }

        @Test(arguments: ["-r", "-p 1", "-f 0"])
        func `a report about another's run is refused, by command and by bus`(report: String) throws {
            try machine.write("/run/machine/other.py", "exec(open('/usr/local/lib/lightsout-reports.py').read())\ncall('ReportProgress', 'sy', 'other', 7)\n")
            try reports.reporting("other") {
                let record = try run(
                    """
                    lightsout \(report) --name other; [ $? = 77 ] || exit 1
                    case $(python3 /run/machine/other.py) in *AccessDenied*) ;; *) exit 2 ;; esac
                    """)
                #expect(record["LIGHTSOUT_RESULT"] == "success")
                #expect(try reports.property("Progress", of: "other") == "y 255")
            }
        }

        @Test func `they need no daemon`() throws {
            let script = "lightsout -p 40; echo $? >/run/machine/said; \(Self.wait); lightsout -f 3"
            let record = try machine.withBackup("server", script: "#!/bin/sh\n\(script)\n") { unit in
                try machine.sh("systemctl stop lightsoutd")
                let cursor = try machine.journalCursor()
                let run = try machine.start("systemctl start \(unit)")
                try machine.eventually("the runner shows it") {
                    try machine.property("StatusText", of: unit).contains("40 %")
                }
                #expect(try machine.read("/run/machine/said") == "0\n")
                try machine.write("/run/machine/go-on", "")
                _ = run.finish()
                return try machine.journal(Reports.finished, "LIGHTSOUT_BACKUP=server", after: cursor).first
            }
            #expect(record?["LIGHTSOUT_RESULT"] == "warnings")
        }

        @Test func `a script of another user's reports too, and nobody else about it`() throws {
            let configuration = "backups:\n  server:\n    user: tester\n    script: /var/lib/tester/server_backup\n"
            try machine.write("/var/lib/tester/server_backup", "#!/bin/sh\nlightsout -p 33 || exit 1\n\(Self.wait.replacing("/run/machine", with: "/var/lib/tester"))\nlightsout -f 3\n", mode: 0o700, owner: 1000)
            let uid = try machine.sh("id -u tester")
            try machine.sh("chown -R \(uid):\(uid) /var/lib/tester")
            try machine.withBackup("server", script: "#!/bin/sh\n", configuration: configuration) { unit in
                try machine.sh("lightsout reload")
                let cursor = try machine.journalCursor()
                let run = try machine.start("systemctl start \(unit)")
                try machine.eventually("its progress shows") { try reports.property("Progress", of: "server") == "y 33" }
                let state = try machine.sh("sed -n s/^run=//p /run/lightsout/server.lock")
                let forged = try machine.run("LIGHTSOUT_BACKUP=server LIGHTSOUT_RUN=\(state) lightsout -f 0 --name server", as: "other")
                #expect(forged.status != 0)
                try machine.write("/var/lib/tester/go-on", "")
                _ = run.finish()
                #expect(try reports.results(of: "server", after: cursor) == ["warnings"])
            }
            try machine.remove("/var/lib/tester")
            try machine.sh("lightsout reload")
        }

        @Test func `a run begun by hand hears its script as well`() throws {
            try machine.withBackup("server", script: "#!/bin/sh\nlightsout -p 40 && lightsout -f 3\n") { _ throws in
                #expect(try machine.run("lightsout run server").status == 3)
            }
        }

        @Test func `a run whose backup a reload removes goes on, is shown and heard`() throws {
            try machine.withBackup("server", script: "#!/bin/sh\n\(Self.wait); lightsout -p 60; \(Self.wait); lightsout -f 3\n") { unit in
                try machine.sh("lightsout reload")
                let cursor = try machine.journalCursor()
                let run = try machine.start("systemctl start \(unit)")
                try machine.eventually("it runs") { try reports.property("State", of: "server") == #"s "running""# }
                try machine.sh("mv /etc/lightsout/backup/server_backup /etc/lightsout/backup/server_backup.off; lightsout reload")
                try machine.write("/run/machine/go-on", "")
                try machine.eventually("its progress shows") { try reports.property("Progress", of: "server") == "y 60" }
                try machine.write("/run/machine/go-on", "")
                _ = run.finish()
                #expect(try reports.results(of: "server", after: cursor) == ["warnings"])
                try machine.eventually("it is shown no more") { try reports.property("Name", of: "server") == "" }
                try machine.remove("/etc/lightsout/backup/server_backup.off")
            }
        }
    }
}
