import Foundation
import Testing

extension WholeSystem {
    /// Nobody but root, and the user of a backup, decides what a run does and what is believed of it.
    @Suite("Trust in what others can write")
    struct TrustTests {
        let machine: Machine
        let cursor: String

        init() throws {
            machine = try Machine.shared
            cursor = try machine.journalCursor()
        }

        @Test func `a directory of the search path that others can write is left out of the script's PATH`() throws {
            let script = "#!/usr/bin/env bash\necho $PATH >/run/path; true\n"
            try machine.withBackup("path", script: script) { (unit: String) throws in
                try machine.sh("systemctl start \(unit)")
                #expect(try machine.read("/run/path") == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n")
                try machine.sh("chgrp staff /usr/local/bin; chmod g+w /usr/local/bin")
                defer { _ = try? machine.run("chmod 755 /usr/local/bin; chgrp root /usr/local/bin; rm -f /usr/local/bin/bash") }
                // What somebody of the group puts there is not run, also where it comes while the check goes on.
                try machine.write("/usr/local/bin/bash", "#!/bin/sh\ntouch /run/hijacked\n", mode: 0o755, owner: 1000)
                #expect(try machine.run("systemctl start \(unit)").succeeded)
                #expect(try machine.read("/run/path") == "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin\n")
                #expect(try !machine.exists("/run/hijacked"))
                let said = try machine.journal("LIGHTSOUT_BACKUP=path", after: cursor).compactMap { $0["MESSAGE"] }
                #expect(said.count { $0.contains("PATH leaves out") && $0.contains("/usr/local/bin") } == 1, "\(said)")
            }
        }

        @Test func `a finished record that another program of root's wrote is not the run's`() throws {
            try machine.withBackup("forged", script: "#!/bin/sh\ntouch /run/begun; exec sleep 60\n") { (unit: String) throws in
                try machine.begin(unit)
                let run = try machine.sh("sed -n s/^run=//p /run/lightsout/forged.lock")
                for duration in ["1000", "9223372036854775808", "18446744073709551615"] {
                    try machine.write(
                        "/run/record",
                        "MESSAGE=forged: backup succeeded\nMESSAGE_ID=782b279e4aed49008a521705136ad691\nLIGHTSOUT_BACKUP=forged\nLIGHTSOUT_RUN=\(run)\nLIGHTSOUT_RESULT=success\nLIGHTSOUT_DURATION_USEC=\(duration)\n")
                    try machine.sh("systemd-run --quiet --wait --pipe logger --journald </run/record; journalctl --sync")
                }
                try machine.sh("systemctl kill --signal=KILL \(unit)")
                try machine.awaitEnd(of: unit)
                let records = try machine.journal("MESSAGE_ID=782b279e4aed49008a521705136ad691", "LIGHTSOUT_RUN=\(run)", after: cursor)
                #expect(records.filter { $0["_EXE"] == "/usr/bin/lightsout" }.map { $0["LIGHTSOUT_RESULT"] } == ["aborted"])
                #expect(try machine.sh("sed -n s/^result=//p /var/lib/lightsout/forged.run") == "aborted")
            }
        }

        @Test func `a step that runs as another user has no say in the result of root's run`() throws {
            let reports = try Reports()
            let script = "#!/bin/sh\nrunuser -u tester -- lightsout -f 0 2>/run/machine/said; echo $? >>/run/machine/said; runuser -u tester -- lightsout -p 50; lightsout -f 3\n"
            try machine.withBackup("steps", script: script) { (unit: String) throws in
                try machine.sh("systemctl start \(unit)")
                let said = try machine.read("/run/machine/said")
                #expect(said.contains("run of another user"), "\(said)")
                #expect(said.hasSuffix("77\n") || !said.hasSuffix("\n0\n"), "\(said)")
                #expect(try reports.results(of: "steps", after: cursor) == ["warnings"])
            }
        }

        @Test func `a call starts the daemon only where it is enabled`() throws {
            let call = "busctl call --timeout=5 org.lightsout1 /org/lightsout1 org.freedesktop.DBus.Peer Ping"
            try machine.sh("systemctl stop lightsoutd")
            #expect(try machine.sh("systemctl is-enabled lightsoutd || true").contains("disabled"))
            #expect(try !machine.run(call, as: "tester").succeeded)
            #expect(try !machine.run(call).succeeded)
            let report = try machine.run("lightsout -r --name mine", as: "tester")
            #expect(report.status != 0 && report.stderr.contains("systemctl start lightsoutd"), "\(report)")
            #expect(try machine.property("ActiveState", of: "lightsoutd") == "inactive")
            try machine.sh("systemctl enable --quiet lightsoutd")
            defer { _ = try? machine.run("systemctl disable --quiet lightsoutd") }
            #expect(try machine.run(call, as: "tester").succeeded)
            #expect(try machine.property("ActiveState", of: "lightsoutd") == "active")
        }
    }
}
