import Foundation
import Testing

extension WholeSystem {
    /// What a script is given, and what becomes of what it prints.
    @Suite("The runner's script")
    struct RunnerScriptTests {
        let machine: Machine
        let cursor: String

        init() throws {
            machine = try Machine.shared
            cursor = try machine.journalCursor()
        }

        @Test func `has descriptors 0, 1 and 2 and no other, and the first is /dev/null`() throws {
            try machine.withBackup("fds", script: "#!/bin/sh\nls /proc/self/fd | xargs echo >/run/seen\nreadlink /proc/self/fd/0 >>/run/seen\n") { (unit: String) throws in
                // Descriptors that a caller leaks must not come through either.
                #expect(try machine.run("exec 7</etc/passwd 9>/run/leak; exec lightsout run fds").succeeded)
                // The fourth is the directory that ls reads.
                #expect(try machine.read("/run/seen") == "0 1 2 3\n/dev/null\n")
                #expect(try machine.run("systemctl start \(unit)").succeeded)
                #expect(try machine.read("/run/seen") == "0 1 2 3\n/dev/null\n")
            }
        }

        @Test func `a prompt gets the end of input, by hand on a terminal too`() throws {
            let script = """
                #!/bin/bash
                read -r -t 5 line; echo "stdin $? [$line]" >/run/seen
                { read -r -t 5 line <&1; echo "stdout $? [$line]"; } 2>/dev/null >>/run/seen
                { read -r -t 5 line <&2; } 2>/dev/null; echo "stderr $? [$line]" >>/run/seen
                (: </dev/tty) 2>/dev/null; echo "tty $?" >>/run/seen
                exit 0
                """
            try machine.withBackup("prompt", script: script) { (unit: String) throws in
                #expect(try machine.run("systemctl start \(unit)").succeeded)
                let inUnit = try machine.read("/run/seen")
                // `script` types what it is given into the terminal that the run is started on.
                let typed = try machine.run("{ sleep 0.5; echo typed; sleep 1; } | script --quiet --return --command 'lightsout run prompt' /dev/null", within: 20)
                #expect(typed.status == 0, "\(typed)")
                let byHand = try machine.read("/run/seen")
                for seen in [inUnit, byHand] {
                    let lines = seen.split(separator: "\n")
                    #expect(lines.first == "stdin 1 []")
                    #expect(lines.last == "tty 1")
                    #expect(!seen.contains("typed"))
                }
            }
        }

        @Test func `leads a session of its own, without a terminal`() throws {
            try machine.withBackup("session", script: "#!/bin/sh\ncut -d' ' -f1,6,7 /proc/$$/stat >/run/seen\n") { (_: String) throws in
                #expect(try machine.run("script --quiet --return --command 'lightsout run session' /dev/null").succeeded)
                let fields = try machine.read("/run/seen").split(whereSeparator: \.isWhitespace)
                #expect(fields.count == 3)
                #expect(fields[0] == fields[1], "its session is its own")
                #expect(fields[2] == "0", "no controlling terminal")
            }
        }

        @Test func `gets the environment that is documented and nothing of the caller's`() throws {
            try machine.withBackup("env", script: "#!/usr/bin/env -S sh\ncat /proc/$$/environ | tr '\\0' '\\n' | sort >/run/seen\n") { (_: String) throws in
                #expect(try machine.run("SECRET=1 LANG=xx PATH=/tmp:$PATH BASH_ENV=/tmp/evil LD_PRELOAD= lightsout run env").succeeded)
                let finished = try #require(try machine.records(MessageID.finished, of: "env", after: cursor).first)
                #expect(try machine.read("/run/seen") == """
                    HOME=/root
                    LIGHTSOUT_BACKUP=env
                    LIGHTSOUT_RUN=\(finished["LIGHTSOUT_RUN"] ?? "none")
                    LIGHTSOUT_SCRIPT=/etc/lightsout/backup/env_backup
                    LIGHTSOUT_TRIGGER=manual
                    LOGNAME=root
                    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
                    SHELL=/bin/bash
                    USER=root

                    """)
            }
        }

        @Test func `gets its arguments as they are`() throws {
            let configuration = "backups: {args: {args: [\"a b\", \"$HOME\", \"\", \"*\", \"'\"]}}\n"
            try machine.withBackup("args", script: "#!/bin/sh\nprintf '[%s]' \"$@\" >/run/seen\n", configuration: configuration) { (_: String) throws in
                #expect(try machine.run("lightsout run args").succeeded)
                #expect(try machine.read("/run/seen") == "[a b][$HOME][][*][']")
            }
        }

        @Test func `has nothing blocked or ignored among its signals`() throws {
            try machine.withBackup("signals", script: "#!/bin/sh\ngrep -E '^Sig(Blk|Ign)' /proc/self/status >/run/seen\n") { (unit: String) throws in
                #expect(try machine.run("systemctl start \(unit)").succeeded)
                let masks = try machine.read("/run/seen").split(whereSeparator: \.isWhitespace).compactMap { UInt64($0, radix: 16) }
                // The C library's own two, 32 and 33, are what they were when the machine was started.
                #expect(masks.map { $0 & ~(3 << 31) } == [0, 0])
            }
        }

        @Test func `runs as the user that the configuration names, with its groups, under a lock of root's`() throws {
            let configuration = "backups: {other: {user: tester}}\n"
            let script = """
                #!/bin/sh
                { id; echo "$HOME $USER $LOGNAME $SHELL"; grep -E '^(CapEff|NoNewPrivs)' /proc/self/status; } >/tmp/seen
                echo to stdout by name >/dev/stdout
                echo to stderr by name >/dev/stderr
                touch /run/escalated
                exit 0
                """
            try machine.sh("groupadd --force helpers && usermod --append --groups helpers tester; rm -f /tmp/seen")
            try machine.withBackup("other", script: script, mode: 0o755, configuration: configuration) { (unit: String) throws in
                #expect(try machine.run("systemctl start \(unit)").succeeded)
                let id = try machine.sh("id tester")
                #expect(
                    try machine.read("/tmp/seen") == """
                        \(id)
                        /home/tester tester tester /bin/bash
                        CapEff:\t0000000000000000
                        NoNewPrivs:\t0

                        """)
                #expect(try !machine.exists("/run/escalated"))
                let told = try machine.journal("_SYSTEMD_UNIT=\(unit)", after: cursor).compactMap { $0["MESSAGE"] }
                #expect(told.contains("to stdout by name") && told.contains("to stderr by name"))
            }
        }

        @Test func `its user's lock is root's`() throws {
            try machine.withBackup(
                "rootlock", script: "#!/bin/sh\nsystemd-inhibit --list --no-legend >/tmp/seen-lock\n", mode: 0o755,
                configuration: "backups: {rootlock: {user: tester}}\n"
            ) { (unit: String) throws in
                try machine.sh("rm -f /tmp/seen-lock")
                #expect(try machine.run("systemctl start \(unit)").succeeded)
                #expect(try machine.read("/tmp/seen-lock").split(separator: "\n").contains { $0.hasPrefix("lightsout 0 ") || $0.contains(" 0 root ") })
            }
        }

        @Test func `a user who is not there is a mistake of the configuration`() throws {
            try machine.withBackup("nobody", script: "#!/bin/sh\n", configuration: "backups: {nobody: {user: ghost}}\n") { (_: String) throws in
                let run = try machine.run("lightsout run nobody")
                #expect(run.status == 78)
                #expect(run.stderr.contains("\"ghost\", who is not known here"))
            }
        }

        @Test func `what it prints is in the unit's journal while it runs, NULs and unterminated lines too`() throws {
            let script = """
                #!/bin/bash
                echo "first line"; touch /run/begun
                until [ -e /run/let-it-end ]; do sleep 0.02; done
                printf 'with a \\0 in it\\n'; echo "to stderr" >&2; printf 'not ended'
                """
            try machine.withBackup("prints", script: script) { (unit: String) throws in
                try machine.remove("/run/let-it-end")
                try machine.begin(unit)
                try machine.eventually("the first line is there") {
                    try machine.journal("_SYSTEMD_UNIT=\(unit)", after: cursor).contains { $0["MESSAGE"] == "first line" }
                }
                try machine.write("/run/let-it-end", "")
                try machine.awaitEnd(of: unit)
                let told = try machine.journal("_SYSTEMD_UNIT=\(unit)", "SYSLOG_IDENTIFIER=prints_backup", after: cursor).compactMap { $0["MESSAGE"] }
                #expect(told == ["first line", "with a", " in it", "to stderr", "not ended"], "journald ends a line at a NUL")
            }
        }

        @Test func `a great deal of output costs the runner no memory`() throws {
            let script = """
                #!/bin/bash
                grep VmHWM /proc/$PPID/status >/run/seen
                head -c 200000000 /dev/zero | tr '\\0' 'x' | fold -w 2000
                head -c 50000000 /dev/zero
                grep VmHWM /proc/$PPID/status >>/run/seen
                """
            try machine.withBackup("prolific", script: script) { (unit: String) throws in
                let run = try machine.run("systemctl start \(unit)", within: 120)
                #expect(run.succeeded)
                let peaks = try machine.read("/run/seen").split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
                try #require(peaks.count == 2)
                #expect(peaks[1] - peaks[0] < 512, "peak memory before and after, KiB: \(peaks)")
                try machine.sh("journalctl --rotate --vacuum-size=1M 2>&1")
            }
        }

        @Test func `that is started by hand prints to the caller`() throws {
            try machine.withBackup("hand", script: "#!/bin/sh\necho out; echo err >&2\n") { (_: String) throws in
                let run = try machine.run("lightsout run hand")
                #expect(run.stdout == "out\n")
                #expect(run.stderr == "err\n", "a success by hand says nothing of its own: \(run)")
            }
        }

        @Test func `goes on when the caller's pipe is closed, where it ignores that`() throws {
            try machine.withBackup("pipe", script: "#!/bin/sh\ntrap '' PIPE\nfor i in 1 2 3; do echo $i 2>/dev/null; sleep 0.1; done\ntouch /run/seen-to-the-end\n") { (_: String) throws in
                try machine.remove("/run/seen-to-the-end")
                _ = try machine.run("lightsout run pipe | head -n 1")
                #expect(try machine.exists("/run/seen-to-the-end"))
            }
        }
    }
}
