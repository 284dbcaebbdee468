import Foundation
import Testing

extension WholeSystem {
    /// What is not run, and what is said of it: one line, with the component at fault and what mends it.
    @Suite("The runner's refusals")
    struct RunnerRefusalTests {
        let machine: Machine
        let cursor: String

        init() throws {
            machine = try Machine.shared
            cursor = try machine.journalCursor()
        }

        private static let script = "/etc/lightsout/backup/bad_backup"

        /// One thing that is wrong with the backup `bad`.
        struct Fault: Sendable, CustomTestStringConvertible {
            /// The shell commands that bring it about, and those that undo it.
            let make: String
            var unmake = ":"
            /// What the line begins with, after the backup's name.
            let component: String
            let problem: String
            var testDescription: String { make }
        }

        static let mendable = [
            Fault(make: "chgrp tester \(script); chmod g+w \(script)", component: script, problem: #"can be written by group "tester""#),
            Fault(make: "chmod o+w \(script)", component: script, problem: "can be written by everybody"),
            Fault(make: "chown tester \(script)", component: script, problem: #"belongs to user "tester", not to root"#),
            Fault(make: "chmod a-x \(script)", component: script, problem: "is not executable"),
            Fault(make: "chmod u+s \(script)", component: script, problem: "is setuid or setgid"),
            Fault(make: "ln \(script) /etc/lightsout/second", unmake: "rm -f /etc/lightsout/second", component: script, problem: "has 2 names (hard links), and may be changed through another"),
            Fault(make: "printf '#!/bin/sh\\r\\nexit 0\\r\\n' >\(script)", component: script, problem: "has DOS line ends, so that its interpreter is not found"),
            Fault(make: "chmod 777 /etc/lightsout/backup", component: "/etc/lightsout/backup", problem: "can be written by everybody"),
            Fault(make: "chmod 1777 /etc/lightsout/backup", component: "/etc/lightsout/backup", problem: "can be written by everybody"),
            Fault(make: "chown other /etc/lightsout/backup", component: "/etc/lightsout/backup", problem: #"belongs to user "other", not to root"#),
            Fault(make: "printf '#!/opt/shell\\n' >\(script); cp /bin/sh /opt/shell; chmod 775 /opt/shell; chgrp other /opt/shell", unmake: "rm -f /opt/shell", component: "/opt/shell", problem: #"can be written by group "other""#),
            Fault(make: "printf '#!/usr/bin/env sloppy\\n' >\(script); ln -sf /opt/sloppy/sh /usr/local/bin/sloppy; mkdir -p /opt/sloppy; cp /bin/sh /opt/sloppy/; chmod 757 /opt/sloppy", unmake: "rm -rf /opt/sloppy /usr/local/bin/sloppy", component: "/opt/sloppy", problem: "can be written by everybody"),
        ]

        @Test(arguments: mendable)
        func `names the component at fault and the command that mends it, and that command does`(fault: Fault) throws {
            try machine.withBackup("bad", script: "#!/bin/sh\n") { (unit: String) throws in
                try machine.sh(fault.make)
                defer { _ = try? machine.run("\(fault.unmake); chown root:root /etc/lightsout/backup; chmod 755 /etc/lightsout/backup") }
                let refused = try machine.run("lightsout run bad")
                #expect(refused.status == 78)
                let lines = refused.stderr.split(separator: "\n")
                try #require(lines.count == 1, "\(refused)")
                let expected = "lightsout: bad: not run: \(fault.component) \(fault.problem). Mend it with: "
                try #require(refused.stderr.hasPrefix(expected), "\(refused)")
                let record = try #require(try machine.records(MessageID.refused, of: "bad", after: cursor).first)
                #expect(record["LIGHTSOUT_REASON"].map { "lightsout: bad: not run: \($0)" } == String(lines[0]))
                #expect(record["PRIORITY"] == "3")
                #expect(try machine.results(of: "bad", after: cursor) == [], "a run that was not begun has no end")

                try machine.sh(String(lines[0].dropFirst(expected.count)))
                let mended = try machine.run("lightsout run bad")
                #expect(mended.status == 0, "\(mended)")
            }
        }

        static let others = [
            Fault(make: "rm \(script)", component: "there is no such backup:", problem: "no file in /etc/lightsout names it, and there is no \(script)"),
            Fault(make: ": >\(script)", component: script, problem: "is empty"),
            Fault(make: "echo echo >\(script)", component: script, problem: "does not begin with a #! line"),
            Fault(make: "rm \(script); ln -s /bin/true \(script)", component: script, problem: "is a symbolic link"),
            Fault(make: "rm \(script); mkdir \(script)", unmake: "rmdir \(script)", component: script, problem: "is a directory, not a script"),
            Fault(make: "rm \(script); mkfifo -m 700 \(script)", component: script, problem: "is no regular file"),
            Fault(make: "printf '#!/usr/bin/missing -x\\n' >\(script)", component: script, problem: "names the interpreter /usr/bin/missing, which does not exist"),
            Fault(make: "printf '#!/usr/bin/env missing\\n' >\(script)", component: script, problem: "names the interpreter missing, which is not in /usr/local/sbin:"),
            Fault(make: "printf '#! sh\\n' >\(script)", component: script, problem: #"names the interpreter "sh", which is no absolute path"#),
            Fault(make: "cp \(script) /run/bad; mount -t tmpfs -o noexec,mode=755 tmpfs /etc/lightsout/backup; cp /run/bad \(script); chmod 700 \(script)", unmake: "umount /etc/lightsout/backup", component: script, problem: "is on a file system mounted noexec"),
            Fault(make: "mv /etc/lightsout/backup /etc/lightsout/moved; ln -s moved /etc/lightsout/backup", unmake: "rm /etc/lightsout/backup; mv /etc/lightsout/moved /etc/lightsout/backup", component: "/etc/lightsout/backup", problem: "is a symbolic link"),
        ]

        @Test(arguments: others)
        func `says in one line what no single command mends`(fault: Fault) throws {
            try machine.withBackup("bad", script: "#!/bin/sh\n") { (unit: String) throws in
                try machine.sh(fault.make)
                defer { _ = try? machine.run(fault.unmake) }
                let refused = try machine.run("lightsout run bad")
                #expect(refused.status == 78)
                #expect(refused.stderr.split(separator: "\n").count == 1, "\(refused)")
                #expect(refused.stderr.hasPrefix("lightsout: bad: not run: \(fault.component) \(fault.problem)"), "\(refused)")
                #expect(try !machine.run("systemctl start \(unit)").succeeded)
                #expect(try machine.property("ExecMainStatus", of: unit) == "78")
                #expect(try machine.records(MessageID.refused, of: "bad", after: cursor).count == 2)
            }
        }

        @Test func `a name that is no backup's leaves no state behind`() throws {
            #expect(try machine.run("lightsout run typo").status == 78)
            #expect(try !machine.exists("/var/lib/lightsout/typo.run"))
        }

        @Test(arguments: [
            "a/b", "../server", "..", "'a\nb'", "''", "-x", "' '", "'a;reboot'", "é", "$(head -c 4000 /dev/zero | tr '\\0' a)",
            "'$(printf \"\\033[2J\")'",
        ])
        func `a name of another form is refused before it reaches a path`(name: String) throws {
            let run = try machine.run("lightsout run -- \(name)")
            #expect(run.status == 64)
            #expect(run.stderr.split(separator: "\n").count == 1, "\(run)")
            #expect(run.stderr.contains("is no name of a backup: 1 to 64 letters"))
            #expect(run.stderr.utf8.count < 400)
            #expect(!run.stderr.contains("\u{1b}"))
        }

        @Test func `an unprivileged user cannot run a backup, and is told what to do`() throws {
            try machine.withBackup("mine", script: "#!/bin/sh\n") { (_: String) throws in
                let run = try machine.run("lightsout run mine", as: "tester")
                #expect(run.status == 77)
                #expect(run.stderr.split(separator: "\n").count == 1)
                #expect(run.stderr.contains("Run it as root"))
            }
        }

        @Test func `directories of one's own make a trial without privileges`() throws {
            try machine.sh("rm -rf /home/tester/trial; mkdir -p /home/tester/trial/backup; printf '#!/bin/sh\\nid -un\\n' >/home/tester/trial/backup/mine_backup; chmod 700 /home/tester/trial/backup/mine_backup; chown -R tester:tester /home/tester/trial")
            let there = "LIGHTSOUT_CONFIG_DIR=/home/tester/trial LIGHTSOUT_STATE_DIR=/home/tester/trial/state LIGHTSOUT_RUNTIME_DIR=/home/tester/trial/run"
            let run = try machine.run("\(there) lightsout run mine", as: "tester")
            #expect(run.stdout == "tester\n", "\(run)")
            // An unprivileged user may not take the lock by polkit's leave.
            #expect(run.status == 0 || run.status == 3 && run.stderr.contains("logind refused"), "\(run)")
            #expect(try machine.exists("/home/tester/trial/state/mine.run"))
        }

        @Test func `a mistake in what is said of a backup refuses it, and another's does not`() throws {
            let configuration = """
                backups:
                  bad:
                    timeout: soon
                  good: {}
                """
            try machine.withBackup("bad", script: "#!/bin/sh\n", configuration: configuration) { (_: String) throws in
                try machine.withBackup("good", script: "#!/bin/sh\n") { (_: String) throws in
                    let bad = try machine.run("lightsout run bad")
                    #expect(bad.status == 78)
                    #expect(bad.stderr.hasPrefix("lightsout: bad: not run: /etc/lightsout/lightsout.yaml:3:14: "), "\(bad)")
                    #expect(bad.stderr.hasSuffix("See: lightsout check\n"))
                    #expect(bad.stderr.split(separator: "\n").count == 1)
                    let refused = try machine.records(MessageID.refused, of: "bad", after: cursor)
                    #expect(refused.count == 1)
                    #expect(try machine.run("lightsout run good").status == 0)
                }
            }
        }

        @Test func `a configuration that is no YAML refuses every backup`() throws {
            try machine.withBackup("bad", script: "#!/bin/sh\n", configuration: "backups: {other: [\n") { (_: String) throws in
                let bad = try machine.run("lightsout run bad")
                #expect(bad.status == 78)
                #expect(bad.stderr.contains("/etc/lightsout/lightsout.yaml:"), "\(bad)")
            }
        }
    }
}
