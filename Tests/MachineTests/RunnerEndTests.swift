import Foundation
import Testing

extension WholeSystem {
    /// However a run ends, everything of it ends, and its result is recorded once.
    @Suite("The runner's end")
    struct RunnerEndTests {
        let machine: Machine
        let cursor: String

        init() throws {
            machine = try Machine.shared
            cursor = try machine.journalCursor()
        }

        @Test(arguments: [
            ("exit 0", "success", Int32(0), "6"), ("exit 1", "failed", 1, "3"), ("exit 2", "aborted", 2, "3"),
            ("exit 3", "warnings", 3, "5"), ("exit 4", "undefined", 4, "4"), ("exit 99", "failed", 1, "3"),
            ("kill -KILL $$", "aborted", 2, "3"), ("exit 24", "warnings", 3, "5"),
        ])
        func `the script's exit status becomes result, exit status and priority`(
            last: String, result: String, status: Int32, priority: String
        ) throws {
            let configuration = "backups: {exits: {exit_codes: {24: warnings}}}\n"
            try machine.withBackup("exits", script: "#!/bin/sh\n\(last)\n", configuration: configuration) { (unit: String) throws in
                #expect(try machine.run("lightsout run exits").status == status)
                let succeeds = try machine.run("systemctl start \(unit)").succeeded
                #expect(succeeds == (status == 0 || status == 3), "the unit counts 3 as success")
                let finished = try machine.records(MessageID.finished, of: "exits", after: cursor)
                try #require(finished.count == 2)
                for record in finished {
                    #expect(record["LIGHTSOUT_RESULT"] == result)
                    #expect(record["PRIORITY"] == priority)
                    if last.hasPrefix("exit") {
                        #expect(record["LIGHTSOUT_EXIT_STATUS"] == String(last.dropFirst(5)))
                        #expect(record["LIGHTSOUT_SIGNAL"] == nil)
                    } else {
                        #expect(record["LIGHTSOUT_SIGNAL"] == "9")
                        #expect(record["LIGHTSOUT_EXIT_STATUS"] == nil)
                    }
                }
            }
        }

        @Test func `the timeout ends all processes with SIGTERM`() throws {
            let configuration = "backups: {late: {timeout: 500ms}}\n"
            let script = """
                #!/bin/bash
                setsid --fork sleep 4242; (sleep 4242 &) &
                sleep 4242
                """
            try machine.withBackup("late", script: script, configuration: configuration) { (unit: String) throws in
                #expect(try machine.run("systemctl start \(unit)").status != 0)
                #expect(try machine.sleepers() == [])
                let finished = try #require(try machine.records(MessageID.finished, of: "late", after: cursor).first)
                #expect(finished["LIGHTSOUT_RESULT"] == "aborted")
                #expect(finished["LIGHTSOUT_REASON"] == "it ran longer than its timeout of 500ms")
                #expect(finished["LIGHTSOUT_SIGNAL"] == "15")
                #expect(try (500_000..<5_000_000).contains(#require(Int(finished["LIGHTSOUT_DURATION_USEC"] ?? ""))))
            }
        }

        @Test(arguments: [true, false])
        func `the timeout ends them with SIGKILL where they ignore SIGTERM, by hand too`(inUnit: Bool) throws {
            let configuration = "backups: {deaf: {timeout: 300ms, stop_timeout: 700ms}}\n"
            let script = """
                #!/bin/bash
                trap '' TERM
                setsid --fork sleep 4242
                systemd-run --quiet --scope sleep 4242 &
                (while :; do sleep 4242 & sleep 0.1; done)
                """
            try machine.withBackup("deaf", script: script, configuration: configuration) { (unit: String) throws in
                let run = try machine.run(inUnit ? "systemctl start \(unit)" : "lightsout run deaf")
                #expect(inUnit ? !run.succeeded : run.status == 2)
                #expect(try machine.sleepers() == [])
                let finished = try #require(try machine.records(MessageID.finished, of: "deaf", after: cursor).first)
                #expect(finished["LIGHTSOUT_RESULT"] == "aborted")
                #expect(finished["LIGHTSOUT_SIGNAL"] == "9")
                #expect(try (1_000_000..<6_000_000).contains(#require(Int(finished["LIGHTSOUT_DURATION_USEC"] ?? ""))))
            }
        }

        @Test func `systemctl stop gives every process SIGTERM once, and the result is aborted`() throws {
            let script = """
                #!/bin/bash
                told() { echo "$1" >>/run/told; }
                rm -f /run/told
                setsid bash -c 'trap "echo child >>/run/told; exit" TERM; while :; do sleep 0.05; done' &
                trap 'told script; exit 0' TERM
                touch /run/begun
                while :; do sleep 0.05; done
                """
            try machine.withBackup("stopped", script: script) { (unit: String) throws in
                try machine.begin(unit)
                usleep(200_000)
                #expect(try machine.run("systemctl stop \(unit)").succeeded)
                #expect(try machine.read("/run/told").split(separator: "\n").sorted() == ["child", "script"])
                let finished = try machine.records(MessageID.finished, of: "stopped", after: cursor)
                #expect(finished.map { $0["LIGHTSOUT_RESULT"] } == ["aborted"])
                #expect(finished.first?["LIGHTSOUT_REASON"] == "stopped on request")
                #expect(finished.first?["LIGHTSOUT_EXIT_STATUS"] == "0", "how the script took it is recorded too")
                #expect(try machine.ownLocks().isEmpty)
            }
        }

        @Test func `a stop that a process ignores is enforced after stop_timeout`() throws {
            let configuration = "backups: {stubborn: {stop_timeout: 500ms}}\n"
            try machine.withBackup(
                "stubborn", script: "#!/bin/bash\ntrap '' TERM\ntouch /run/begun\nsleep 4242\nsleep 4242\n", configuration: configuration
            ) { (unit: String) throws in
                try machine.begin(unit)
                let began = ContinuousClock.now
                try machine.sh("systemctl stop \(unit)")
                #expect(ContinuousClock.now - began < .seconds(5))
                #expect(try machine.sleepers() == [])
                #expect(try machine.results(of: "stubborn", after: cursor) == ["aborted"])
            }
        }

        @Test func `Ctrl-C ends a run by hand, and the script with it`() throws {
            try machine.withBackup("typed", script: "#!/bin/bash\ntouch /run/begun\nsleep 4242\n") { (_: String) throws in
                try machine.remove("/run/begun")
                let run = try machine.start("exec lightsout run typed")
                try machine.eventually("it runs") { try machine.exists("/run/begun") }
                try machine.sh("kill -INT $(sed -n s/^pid=//p /run/lightsout/typed.lock)")
                #expect(run.finish().status == 2)
                #expect(try machine.sleepers() == [])
                let finished = try machine.records(MessageID.finished, of: "typed", after: cursor)
                #expect(finished.map { $0["LIGHTSOUT_REASON"] } == ["interrupted from the keyboard"])
            }
        }

        @Test func `a runner that is killed takes everything with it, and systemd has one aborted run recorded`() throws {
            try machine.withBackup("shot", script: "#!/bin/bash\nsetsid --fork sleep 4242\ntouch /run/begun\nsleep 4242\n") { (unit: String) throws in
                try machine.begin(unit)
                try machine.sh("kill -KILL $(systemctl show --property=MainPID --value \(unit))")
                try machine.awaitEnd(of: unit)
                #expect(try machine.sleepers() == [])
                #expect(try machine.ownLocks().isEmpty)
                let finished = try machine.records(MessageID.finished, of: "shot", after: cursor)
                #expect(finished.map { $0["LIGHTSOUT_RESULT"] } == ["aborted"])
                #expect(finished.first?["LIGHTSOUT_REASON"] == "its runner was killed (SIGKILL)")
                let started = try machine.records(MessageID.started, of: "shot", after: cursor)
                #expect(started.map { $0["LIGHTSOUT_RUN"] } == finished.map { $0["LIGHTSOUT_RUN"] })
                // Nothing is added by the next run.
                try machine.write("/etc/lightsout/backup/shot_backup", "#!/bin/sh\n", mode: 0o700)
                #expect(try machine.run("systemctl reset-failed \(unit); systemctl start \(unit)").succeeded)
                #expect(try machine.results(of: "shot", after: cursor) == ["aborted", "success"])
            }
        }

        @Test func `a run by hand whose runner was killed is settled by the next one`() throws {
            try machine.withBackup("hand-shot", script: "#!/bin/bash\n[ -e /run/once ] && exit 0\ntouch /run/begun /run/once\nexec sleep 4242\n") { (_: String) throws in
                try killRunnerByHand(of: "hand-shot")
                try machine.eventually("the kernel ended the script as well") { try machine.sleepers() == [] }
                #expect(try machine.run("lightsout run hand-shot").status == 0)
                let finished = try machine.records(MessageID.finished, of: "hand-shot", after: cursor)
                #expect(finished.map { $0["LIGHTSOUT_RESULT"] } == ["aborted", "success"])
                #expect(finished.first?["LIGHTSOUT_REASON"]?.hasPrefix("its runner ended without a result") == true)
            }
        }

        @Test func `what such a run left behind is waited for: exit status 75, with the pids`() throws {
            try machine.withBackup("leftover", script: "#!/bin/bash\n[ -e /run/once ] && exit 0\nsetsid --fork sleep 4242\ntouch /run/begun /run/once\nexec sleep 100\n") { (_: String) throws in
                try killRunnerByHand(of: "leftover")
                let left = try machine.sleepers()
                try #require(left.count == 1)
                let second = try machine.run("lightsout run leftover")
                #expect(second.status == 75)
                #expect(second.stderr.contains("processes of a run whose runner is gone still live (pid \(left[0]), since "), "\(second)")
                try machine.sh("kill \(left[0])")
                try machine.eventually("it is gone") { try machine.sleepers().isEmpty }
                #expect(try machine.run("lightsout run leftover").status == 0)
                #expect(try machine.results(of: "leftover", after: cursor) == ["aborted", "success"])
            }
        }

        @Test func `two runs never overlap: the second says who runs, since when, and exits 75`() throws {
            try machine.withBackup("one", script: "#!/bin/bash\ntouch /run/begun\nsleep 4242\n") { (unit: String) throws in
                try machine.begin(unit)
                let runner = try machine.property("MainPID", of: unit)
                let second = try machine.run("lightsout run one")
                #expect(second.status == 75)
                #expect(second.stderr.hasPrefix("lightsout: one: another run of it is under way (pid \(runner), since "))
                #expect(second.stderr.split(separator: "\n").count == 1)
                #expect(try machine.property("ActiveState", of: unit) == "activating", "the first is not disturbed")
                try machine.sh("systemctl stop \(unit)")
                #expect(try machine.results(of: "one", after: cursor) == ["aborted"], "the second is no run")
            }
        }

        @Test func `a unit that meets a run by hand exits 75, and leaves that run alone`() throws {
            try machine.withBackup("met", script: "#!/bin/bash\ntouch /run/begun\nuntil [ -e /run/let-it-end ]; do sleep 0.02; done\n") { (unit: String) throws in
                try machine.remove("/run/begun")
                try machine.remove("/run/let-it-end")
                let first = try machine.start("exec lightsout run met")
                try machine.eventually("it runs") { try machine.exists("/run/begun") }
                #expect(try !machine.run("systemctl start \(unit)").succeeded)
                #expect(try machine.property("ExecMainStatus", of: unit) == "75")
                try machine.write("/run/let-it-end", "")
                #expect(first.finish().status == 0)
                #expect(try machine.results(of: "met", after: cursor) == ["success"])
            }
        }

        @Test func `nobody else can keep a backup from running by holding its lock file`() throws {
            try machine.withBackup("locked", script: "#!/bin/sh\n") { (_: String) throws in
                #expect(try machine.run("lightsout run locked").status == 0)
                let other = try machine.run("flock --shared /run/lightsout/locked.lock true", as: "tester")
                #expect(other.status != 0)
                #expect(try machine.sh("stat --format=%a:%U /run/lightsout/locked.lock /run/lightsout") == "600:root\n755:root")
            }
        }

        @Test func `a run that a loss of power cut off is recorded as aborted, with that reason`() throws {
            try machine.withBackup("dark", script: "#!/bin/bash\n[ -e /var/lib/once ] && exit 0\ntouch /run/begun /var/lib/once\nsync\nsleep 4242\n") { (unit: String) throws in
                try machine.begin(unit)
                try machine.sh("journalctl --sync")
                try machine.reboot(powerLoss: true)
                #expect(try machine.run("systemctl start \(unit)").succeeded)
                let finished = try machine.records(MessageID.finished, of: "dark")
                #expect(finished.map { $0["LIGHTSOUT_RESULT"] } == ["aborted", "success"])
                #expect(finished.first?["LIGHTSOUT_REASON"] == "the machine went down during the run (reboot, or loss of power)")
                try machine.remove("/var/lib/once")
            }
        }

        @Test func `the status line of the unit tells what goes on`() throws {
            try machine.withBackup("told", script: "#!/bin/bash\ntouch /run/begun\nsleep 4242\n") { (unit: String) throws in
                try machine.begin(unit)
                let status = try machine.property("StatusText", of: unit)
                #expect(status.wholeMatch(of: /Running since \d\d:\d\d, standby blocked: sleep, lid switch/) != nil, "\(status)")
                try machine.sh("systemctl stop \(unit)")
            }
        }

        /// Starts the backup by hand and kills its runner when the script has begun.
        private func killRunnerByHand(of backup: String) throws {
            try machine.remove("/run/begun")
            try machine.remove("/run/once")
            let run = try machine.start("exec lightsout run \(backup)")
            try machine.eventually("it runs") { try machine.exists("/run/begun") }
            try machine.sh("kill -KILL $(sed -n s/^pid=//p /run/lightsout/\(backup).lock)")
            #expect(run.finish().status == 137)
        }
    }
}
