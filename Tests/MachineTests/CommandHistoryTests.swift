import Foundation
import LightsOutCore
import Testing

extension WholeSystem {
    @Suite("lightsout history")
    struct CommandHistoryTests {
        /// Fields that a record of a success has, for `logger --journald`, with all that a forger could think of beside.
        private static func forged(_ backup: String) -> String {
            """
            MESSAGE=\(backup): backup finished with success after 1s
            PRIORITY=6
            SYSLOG_IDENTIFIER=lightsout
            MESSAGE_ID=\(MessageID.finished)
            LIGHTSOUT_BACKUP=\(backup)
            LIGHTSOUT_RUN=00000000000000000000000000000001
            LIGHTSOUT_TRIGGER=manual
            LIGHTSOUT_RESULT=success
            LIGHTSOUT_STARTED_USEC=1795000000000000
            LIGHTSOUT_DURATION_USEC=1000000
            _UID=0
            _GID=0
            _PID=1
            _COMM=lightsout
            _EXE=/usr/bin/lightsout
            _SYSTEMD_UNIT=lightsout-backup@\(backup).service
            UNIT=lightsout-backup@\(backup).service
            OBJECT_UID=0
            OBJECT_EXE=/usr/bin/lightsout

            """
        }

        private func backups(_ done: Completed) throws -> [String] { try done.json().compactMap { $0["backup"] as? String } }

        @Test func `results come newest first, as many as asked for, and all of them fit what is asked for`() throws {
            try DaemonWorld.with(scripts: ["good": "exit 0", "bad": "exit 1", "half": "exit 3"], starting: false) { world throws in
                let machine = world.machine
                let start = try machine.sh("date +@%s")
                _ = try machine.run("sleep 1; for name in good bad half bad; do lightsout run $name; done; journalctl --sync")
                func history(_ words: String) throws -> [String] {
                    try backups(try machine.run("lightsout history --since \(start) --json \(words)"))
                }
                #expect(try history("") == ["bad", "half", "bad", "good"])
                #expect(try history("-n 2") == ["bad", "half"])
                #expect(try history("bad") == ["bad", "bad"])
                #expect(try history("bad -n 1") == ["bad"])
                #expect(try history("--result failed") == ["bad", "bad"])
                #expect(try history("--result warnings half") == ["half"])
                #expect(try history("--result warnings good") == [])
                #expect(try history("nosuch") == [])
                #expect(try backups(try machine.run("lightsout history --since +1h --json")) == [])
                #expect(try machine.run("lightsout history nosuch").stdout == "No results.\n")
            }
        }

        @Test func `its JSON has the fields that are documented`() throws {
            try DaemonWorld.with(scripts: ["json": "exit 24"], starting: false) { world throws in
                let machine = world.machine
                let since = try machine.sh("date +@%s.%6N")
                _ = try machine.run("lightsout run json; journalctl --sync")
                let done = try machine.run("lightsout history json --since \(since) --json")
                #expect(
                    done.keysOfFirstObject == [
                        "backup", "run", "trigger", "result", "exit_status", "signal", "started", "finished", "duration", "reason",
                        "host",
                    ])
                let entry = try #require(try done.json().first)
                #expect(entry["backup"] as? String == "json")
                #expect((entry["run"] as? String)?.wholeMatch(of: /[0-9a-f]{32}/) != nil)
                #expect(entry["trigger"] as? String == "manual")
                #expect(entry["result"] as? String == "failed")
                #expect(entry["exit_status"] as? Int == 24)
                #expect(entry["signal"] is NSNull)
                #expect(isTime(entry["started"]) && isTime(entry["finished"]))
                #expect(try #require(entry["duration"] as? Double) < 30)
                #expect(entry["reason"] as? String == "the script exited with status 24")
                #expect(entry["host"] as? String == "machine")
            }
        }

        @Test func `a run that just ended was now`() throws {
            try DaemonWorld.with(scripts: ["quick": "exit 0"], starting: false) { world throws in
                let done = try world.machine.run("lightsout run quick; journalctl --sync; lightsout history quick -n 1")
                let line = try #require(done.stdout.split(separator: "\n").dropFirst().first)
                #expect(line.contains(#/ (now|[0-9]s) /#), "\(line)")
                #expect(!done.stdout.contains(/[0-9]ms +[0-9]+ms/))
            }
        }

        @Test func `what an unprivileged user forges does not show, whatever it says`() throws {
            let machine = try Machine.shared
            try machine.write("/tmp/forged", Self.forged("forged-by-user"))
            let done = try machine.run("for i in 1 2 3; do logger --journald=/tmp/forged; done", as: "tester")
            #expect(done.succeeded, "\(done)")
            // The field is there, so the forgery did reach the journal.
            #expect(try machine.journal("LIGHTSOUT_BACKUP=forged-by-user").count >= 3)
            #expect(try machine.run("lightsout history forged-by-user").stdout == "No results.\n")
            #expect(try backups(try machine.run("lightsout history -n 1000 --json")).contains("forged-by-user") == false)
        }

        @Test func `what a forwarder of root's passes on from another unit does not show`() throws {
            let machine = try Machine.shared
            try machine.write("/tmp/forged", Self.forged("forwarded"))
            // Alive when journald looks at it, as a forwarder is.
            let forwarder = """
                import socket, time
                journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                journal.connect("/run/systemd/journal/socket")
                journal.send(open("/tmp/forged", "rb").read())
                time.sleep(1)
                """
            try machine.write("/tmp/forwarder", forwarder)
            try machine.sh("systemd-run --quiet --wait --unit=forwarder python3 /tmp/forwarder")
            #expect(try machine.journal("LIGHTSOUT_BACKUP=forwarded", "_SYSTEMD_UNIT=forwarder.service").count == 1)
            #expect(try machine.run("lightsout history forwarded").stdout == "No results.\n")
        }

        @Test func `it reaches back over rotated journals`() throws {
            try DaemonWorld.with(scripts: ["old": "exit 0", "new": "exit 1"], starting: false) { world throws in
                let machine = world.machine
                let since = try machine.sh("date +@%s.%6N")
                _ = try machine.run(
                    "lightsout run old; journalctl --rotate; lightsout run new; journalctl --rotate; lightsout run old; journalctl --sync")
                #expect(try backups(try machine.run("lightsout history --since \(since) --json")) == ["old", "new", "old"])
            }
        }

        @Test func `journals of other machines are read from a directory, and say whose they are`() throws {
            try DaemonWorld.with(scripts: ["far": "exit 3"], starting: false) { world throws in
                let machine = world.machine
                _ = try machine.run("lightsout run far; journalctl --sync")
                try machine.sh("rm -rf /tmp/collected; mkdir /tmp/collected; cp /*/log/journal/*/system*.journal /tmp/collected/")
                defer { _ = try? machine.run("rm -rf /tmp/collected") }
                let done = try machine.run("lightsout history --directory /tmp/collected -n 1 far")
                #expect(done.stdout.hasPrefix("HOST     BACKUP"), "\(done)")
                #expect(done.stdout.contains("machine  far           warnings") || done.stdout.contains("machine  far     warnings"), "\(done)")
                let missing = try machine.run("lightsout history --directory /tmp/nowhere")
                #expect(missing.status == 64)
                #expect(missing.complaint().contains("/tmp/nowhere"))
            }
        }

        @Test func `who may not read the journal is told whom to ask, not that there is nothing`() throws {
            try DaemonWorld.with(scripts: ["secret": "exit 0"], starting: false) { world throws in
                let machine = world.machine
                _ = try machine.run("lightsout run secret; journalctl --sync")
                let refused = try machine.run("lightsout history", as: "tester")
                #expect(refused.status == 77)
                #expect(refused.stdout.isEmpty)
                #expect(refused.complaint().contains("systemd-journal"))
                let member = try machine.run(
                    "setpriv --reuid tester --regid tester --groups \"$(getent group systemd-journal | cut -d: -f3)\" lightsout history secret --json")
                #expect(try backups(member).contains("secret"), "\(member)")
            }
        }

        @Test func `times are those of the machine's zone`() throws {
            try DaemonWorld.with(scripts: ["zoned": "exit 0"], starting: false) { world throws in
                let machine = world.machine
                try machine.sh("ln -sfn /usr/share/zoneinfo/Asia/Kathmandu /etc/localtime.test; cp -P /etc/localtime /etc/localtime.before 2>/dev/null; mv -T /etc/localtime.test /etc/localtime")
                defer { _ = try? machine.run("rm -f /etc/localtime; mv /etc/localtime.before /etc/localtime 2>/dev/null") }
                _ = try machine.run("lightsout run zoned; journalctl --sync")
                #expect(try machine.run("lightsout history zoned -n 1").stdout.contains(" +0545 "))
                let entry = try #require(try machine.run("lightsout history zoned -n 1 --json").json().first)
                #expect((entry["finished"] as? String)?.hasSuffix("+05:45") == true)
                #expect(try machine.run("TZ=Europe/Berlin LC_ALL=de_DE.UTF-8 lightsout history zoned -n 1").stdout.contains(#/ CES?T /#))
            }
        }

        @Test(arguments: ["-n 0", "-n -1", "-n 99999999999999999999", "-n x", "--result sucess", "--since ''", "--since 'no day'", "../etc"])
        func `what cannot be asked is refused`(words: String) throws {
            let done = try Machine.shared.run("lightsout history \(words)")
            #expect(done.status == 64, "\(done)")
            #expect(!done.complaint().isEmpty)
            if words == "--result sucess" { #expect(done.stderr.contains("did you mean \"success\"?")) }
        }
    }
}
