import Foundation
import Testing

extension WholeSystem {
    /// What happens to the records of a run where disk or journal fail it.
    @Suite("The runner's state and journal")
    struct RunnerStateTests {
        let machine: Machine
        let cursor: String

        init() throws {
            machine = try Machine.shared
            cursor = try machine.journalCursor()
        }

        @Test(arguments: ["garbage", "version=2\n", "", "\u{0}\u{0}\u{0}", String(repeating: "x", count: 100_000)])
        func `a damaged state file is set aside and reported, and the run goes on`(text: String) throws {
            try machine.withBackup("damaged", script: "#!/bin/sh\n") { (_: String) throws in
                try machine.write("/var/lib/lightsout/damaged.run", text)
                try machine.remove("/run/lightsout/damaged.lock")
                let run = try machine.run("lightsout run damaged")
                #expect(run.status == 0)
                #expect(run.stderr.contains("damaged: its state file was damaged ("), "\(run)")
                #expect(run.stderr.split(separator: "\n").count == 1, "\(run)")
                #expect(try machine.read("/var/lib/lightsout/damaged.run.damaged") == text)
                #expect(try machine.read("/var/lib/lightsout/damaged.run").contains("result=success"))
            }
        }

        @Test func `a state file that is something else is set aside too`() throws {
            try machine.withBackup("odd", script: "#!/bin/sh\n") { (_: String) throws in
                try machine.sh("mkdir -p /var/lib/lightsout; ln -s /etc/passwd /var/lib/lightsout/odd.run")
                #expect(try machine.run("lightsout run odd").status == 0)
                #expect(try machine.read("/var/lib/lightsout/odd.run").contains("result=success"))
                #expect(try machine.sh("head -n 1 /etc/passwd").hasPrefix("root:"))
            }
        }

        @Test func `on a full disk the run goes on, says so, and its result is in the journal once`() throws {
            try machine.withBackup("full", script: "#!/bin/sh\n") { (_: String) throws in
                try onFullDisk {
                    let run = try machine.run("lightsout run full")
                    #expect(run.status == 0)
                    #expect(run.stderr.contains("full: its state cannot be kept in /var/lib/lightsout: "), "\(run)")
                    #expect(run.stderr.contains("No space left on device"))
                    #expect(run.stderr.contains("Make room there"))
                }
                #expect(try machine.run("lightsout run full").status == 0)
                #expect(try machine.results(of: "full", after: cursor) == ["success", "success"])
            }
        }

        @Test func `a disk that fills during a run makes no second end of it`() throws {
            try machine.withBackup("fills", script: "#!/bin/bash\n[ -e /run/once ] || cat /dev/zero >/var/lib/lightsout/fill 2>/dev/null\nexit 0\n") { (_: String) throws in
                try machine.remove("/run/once")
                try onSmallDisk {
                    #expect(try machine.run("lightsout run fills").status == 0)
                    #expect(try machine.read("/var/lib/lightsout/fills.run").contains("\npid="), "the disk still says that it runs")
                    // /run is gone after a reboot: then the journal is all there is.
                    try machine.sh("journalctl --sync; rm /run/lightsout/fills.lock /var/lib/lightsout/fill; touch /run/once")
                    #expect(try machine.run("lightsout run fills").status == 0)
                }
                #expect(try machine.results(of: "fills", after: cursor) == ["success", "success"])
            }
        }

        @Test func `a runner that is killed on a full disk still leaves one record`() throws {
            try machine.withBackup("worst", script: "#!/bin/bash\ntouch /run/begun\nsleep 4242\n") { (unit: String) throws in
                try onFullDisk {
                    try machine.begin(unit)
                    try machine.sh("kill -KILL $(systemctl show --property=MainPID --value \(unit))")
                    try machine.awaitEnd(of: unit)
                }
                #expect(try machine.results(of: "worst", after: cursor) == ["aborted"])
            }
        }

        @Test func `a state directory that cannot be written is reported`() throws {
            try machine.withBackup("readonly", script: "#!/bin/sh\n") { (_: String) throws in
                try machine.sh("mkdir -p /var/lib/lightsout; mount --bind /var/lib/lightsout /var/lib/lightsout; mount -o remount,bind,ro /var/lib/lightsout")
                let run = try machine.run("lightsout run readonly")
                try machine.sh("umount /var/lib/lightsout")
                #expect(run.status == 0)
                #expect(run.stderr.contains("Read-only file system"))
                #expect(try machine.results(of: "readonly", after: cursor) == ["success"])
            }
        }

        private static let stopJournal = "systemctl stop systemd-journald.socket systemd-journald-dev-log.socket systemd-journald-audit.socket systemd-journald.service 2>&1 || :"
        private static let startJournal = "systemctl start systemd-journald.socket systemd-journald-dev-log.socket systemd-journald.service"

        @Test(arguments: [(Int32(0), "success"), (3, "warnings"), (1, "failed")])
        func `without a journal the exit status is right, and the record is made up for`(status: Int32, result: String) throws {
            defer { startAfresh() }
            try machine.withBackup("unheard", script: "#!/bin/sh\necho hello\nexit \(status)\n") { (_: String) throws in
                try machine.sh(Self.stopJournal)
                let run = try machine.run("lightsout run unheard")
                try machine.sh(Self.startJournal)
                #expect(run.status == status)
                #expect(run.stdout == "hello\n")
                #expect(run.stderr.contains("the journal cannot be written to"), "\(run)")
                #expect(try machine.results(of: "unheard", after: cursor) == [])
                #expect(try machine.run("lightsout run unheard").status == status)
                #expect(try machine.results(of: "unheard", after: cursor) == [result, result])
            }
        }

        @Test func `a journal that is stopped and started during a run ends no script, and what it missed is told`() throws {
            let script = """
                #!/bin/bash
                echo before
                \(Self.stopJournal)
                for i in 1 2 3; do echo "during $i"; done
                \(Self.startJournal)
                sleep 1.2
                echo after
                """
            defer { startAfresh() }
            try machine.withBackup("deafened", script: script) { (unit: String) throws in
                #expect(try machine.run("systemctl start \(unit)").succeeded)
                let told = try machine.journal("_SYSTEMD_UNIT=\(unit)", after: cursor).compactMap { $0["MESSAGE"] }
                #expect(told.contains("after"), "\(told)")
                // systemd 257's journald keeps its streams while it is stopped: then nothing is lost.
                let isWhole = ["during 1", "during 2", "during 3"].allSatisfy(told.contains)
                #expect(told.contains { $0.hasSuffix("bytes of its output are lost: the journal did not take them") } != isWhole, "\(told)")
                try #expect(!isWhole || machine.systemdVersion >= 257)
                #expect(try machine.results(of: "deafened", after: cursor) == ["success"])
            }
        }

        @Test func `a restart of the journal loses nothing of what the script prints`() throws {
            let script = "#!/bin/bash\nfor i in $(seq 1 20); do echo line $i; [ $i != 10 ] || systemctl restart systemd-journald; done\n"
            try machine.withBackup("restarted", script: script) { (unit: String) throws in
                #expect(try machine.run("systemctl start \(unit)").succeeded)
                let told = try machine.journal("_SYSTEMD_UNIT=\(unit)", "SYSLOG_IDENTIFIER=restarted_backup", after: cursor).compactMap { $0["MESSAGE"] }
                #expect(told == (1...20).map { "line \($0)" })
            }
        }

        @Test func `the records of a run have the fields that are documented, and trusted ones`() throws {
            try machine.withBackup("fields", script: "#!/bin/sh\nsleep 0.1\nexit 3\n") { (unit: String) throws in
                #expect(try machine.run("systemctl start \(unit)").succeeded)
                let records = try machine.journal("LIGHTSOUT_BACKUP=fields", after: cursor)
                let fields = records.map { $0.filter { $0.key.hasPrefix("LIGHTSOUT_") || ["MESSAGE_ID", "PRIORITY"].contains($0.key) } }
                let invocation = try #require(records.first?["_SYSTEMD_INVOCATION_ID"])
                var finished = try #require(fields.first { $0["MESSAGE_ID"] == MessageID.finished })
                let duration = try #require(Int(finished.removeValue(forKey: "LIGHTSOUT_DURATION_USEC") ?? ""))
                #expect((100_000..<5_000_000).contains(duration))
                let started = try #require(Double(finished.removeValue(forKey: "LIGHTSOUT_STARTED_USEC") ?? ""))
                #expect(abs(Date.now.timeIntervalSince1970 * 1e6 - started) < 60e6)
                let common = ["LIGHTSOUT_BACKUP": "fields", "LIGHTSOUT_RUN": invocation]
                #expect(
                    finished == common.merging([
                        "MESSAGE_ID": MessageID.finished, "PRIORITY": "5", "LIGHTSOUT_TRIGGER": "manual",
                        "LIGHTSOUT_RESULT": "warnings", "LIGHTSOUT_EXIT_STATUS": "3",
                        "LIGHTSOUT_REASON": "the script exited with status 3",
                    ]) { $1 })
                #expect(
                    fields.filter { $0["MESSAGE_ID"] != MessageID.finished } == [
                        common.merging(["MESSAGE_ID": MessageID.lock, "PRIORITY": "6", "LIGHTSOUT_LOCK": "taken"]) { $1 },
                        common.merging(["MESSAGE_ID": MessageID.started, "PRIORITY": "6", "LIGHTSOUT_TRIGGER": "manual"]) { $1 },
                        common.merging(["MESSAGE_ID": MessageID.lock, "PRIORITY": "6", "LIGHTSOUT_LOCK": "released"]) { $1 },
                    ])
                for record in records {
                    #expect(record["_UID"] == "0")
                    #expect(record["_SYSTEMD_UNIT"] == unit)
                    #expect(record["SYSLOG_IDENTIFIER"] == "lightsout")
                }
            }
        }

        @Test func `journalctl -x explains every record of lightsout's`() throws {
            try machine.sh("journalctl --update-catalog")
            let catalogue = try machine.sh("journalctl --dump-catalog")
            for id in [
                MessageID.started, MessageID.finished, "a5231a81efc44fa8a201a9111182bae3", MessageID.refused, MessageID.lock,
                "ce372310c0de429f963904684a48b9da",
            ] {
                #expect(catalogue.contains("-- \(id)"), "no entry for \(id)")
            }
            try machine.withBackup("explained", script: "#!/bin/sh\nexit 1\n") { (unit: String) throws in
                #expect(try machine.run("systemctl start \(unit)").status != 0)
                let shown = try machine.sh("journalctl --sync; journalctl -x --no-pager -u \(unit)")
                #expect(shown.contains("Subject: Backup explained has ended: failed"), "\(shown)")
                #expect(shown.contains("man:lightsout-backup@.service(8)"))
                #expect(!shown.contains("@LIGHTSOUT_"), "every field that the text names is in the record")
            }
        }

        /// systemd and logind do not find their way back to a journal that was stopped.
        private func startAfresh() {
            do { try machine.reboot() } catch { Issue.record(error) }
        }

        private func onSmallDisk(_ body: () throws -> Void) throws {
            try machine.sh("mkdir -p /var/lib/lightsout; mount -t tmpfs -o size=64k,mode=755 tmpfs /var/lib/lightsout")
            defer { _ = try? machine.run("umount /var/lib/lightsout") }
            try body()
        }

        private func onFullDisk(_ body: () throws -> Void) throws {
            try onSmallDisk {
                _ = try machine.run("cat /dev/zero >/var/lib/lightsout/fill")
                try body()
            }
        }
    }
}
