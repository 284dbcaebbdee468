import Foundation
import Glibc
import Testing

extension WholeSystem {
    /// A process that a script leaves behind does not keep the machine awake for ever, and does not change the result.
    @Suite("What a script leaves behind, in its unit")
    struct RunnerLeftoversTests {
        let machine: Machine
        let cursor: String

        /// Leaves two processes behind, one of them in a session of its own.
        private static func script(exit status: Int32 = 0) -> String {
            "#!/bin/bash\nsleep 4242 & setsid --fork sleep 4242\nexit \(status)\n"
        }

        init() throws {
            machine = try Machine.shared
            cursor = try machine.journalCursor()
        }

        private func finished(_ backup: String) throws -> [String: String] {
            try #require(try machine.records(MessageID.finished, of: backup, after: cursor).last)
        }

        private func endSleepers() throws {
            try machine.sh("kill -KILL \(machine.sleepers().joined(separator: " "))")
            try machine.eventually("no sleeper is left") { try machine.sleepers().isEmpty }
        }

        @Test(arguments: [("leftovers_timeout: 1s", Int32(0), "success"), ("leftovers: kill", 0, "success"), ("leftovers: kill", 1, "failed")])
        func `they are ended, and the result is the script's own`(key: String, status: Int32, result: String) throws {
            let configuration = "backups: {leaves: {\(key)}}\n"
            try machine.withBackup("leaves", script: Self.script(exit: status), configuration: configuration) { (unit: String) throws in
                _ = try machine.run("systemctl start \(unit)")
                #expect(try machine.sleepers() == [])
                let record = try finished("leaves")
                #expect(record["LIGHTSOUT_RESULT"] == result)
                #expect(record["LIGHTSOUT_EXIT_STATUS"] == String(status))
                #expect(record["LIGHTSOUT_REASON"]?.contains("\"sleep\" (pid ") == true, "\(record)")
                #expect(try machine.ownLocks().isEmpty)
            }
        }

        @Test func `one that ignores SIGTERM is killed after stop_timeout`() throws {
            let script = "#!/bin/bash\n(trap '' TERM; touch /run/begun; while :; do sleep 1; done) &\nwhile [ ! -e /run/begun ]; do sleep 0.01; done\n"
            try machine.remove("/run/begun")
            let configuration = "backups: {leaves: {leftovers: kill, stop_timeout: 1s}}\n"
            try machine.withBackup("leaves", script: script, configuration: configuration) { (unit: String) throws in
                #expect(try machine.run("timeout 20 systemctl start \(unit)").succeeded)
                #expect(try finished("leaves")["LIGHTSOUT_RESULT"] == "success")
            }
        }

        @Test func `detached, they outlive the unit, and the next run begins`() throws {
            let configuration = "backups: {leaves: {leftovers: detach}}\n"
            try machine.withBackup("leaves", script: Self.script(), configuration: configuration) { (unit: String) throws in
                for run in 1...2 {
                    #expect(try machine.run("timeout 20 systemctl start \(unit)").succeeded)
                    #expect(try machine.sleepers().count == 2 * run)
                }
                #expect(try machine.ownLocks().isEmpty)
                try machine.sh("systemctl stop \(unit)")
                #expect(try machine.sleepers().count == 4)
                #expect(try finished("leaves")["LIGHTSOUT_RESULT"] == "success")
                #expect(try machine.run("systemctl list-units --plain --no-legend 'lightsout-leftovers-*'").output.contains("running"))
                try endSleepers()
                try machine.eventually("the scopes are gone") {
                    try machine.run("systemctl list-units --plain --no-legend 'lightsout-leftovers-*'").output.isEmpty
                }
            }
        }

        @Test(arguments: ["timeout: 2s", "description: none"])
        func `a timeout or a stop after the script's end leaves its result`(key: String) throws {
            let configuration = "backups: {leaves: {\(key)}}\n"
            try machine.withBackup("leaves", script: Self.script(), configuration: configuration) { (unit: String) throws in
                try machine.sh("systemctl start --no-block \(unit)")
                try machine.eventually("the script has ended") {
                    try machine.exists("/run/lightsout/leaves.lock") && machine.read("/run/lightsout/leaves.lock").contains("#:script_ended=")
                }
                if !key.hasPrefix("timeout") {
                    try machine.sh("sleep 1.5; systemctl stop \(unit)")
                }
                try machine.awaitEnd(of: unit, within: 10)
                let record = try finished("leaves")
                #expect(record["LIGHTSOUT_RESULT"] == "success", "\(record)")
                #expect(record["LIGHTSOUT_REASON"]?.hasPrefix("what the script left running was ended: ") == true)
                #expect(try machine.sleepers() == [])
            }
        }

        /// A write to a frozen file system is in uninterruptible sleep, and SIGKILL does not end it until the thaw.
        @Test(
            .enabled(
                if: access("/dev/loop-control", F_OK) == 0 && Machine.has("/usr/sbin/mkfs.ext4") && Machine.has("/usr/sbin/fsfreeze"),
                "needs a loop device, mkfs.ext4 and fsfreeze"))
        func `a process that SIGKILL does not end is named, and the run is recorded without it`() throws {
            let configuration = "backups: {frozen: {timeout: 1s, stop_timeout: 0s}}\n"
            let script = "#!/bin/sh\nfsfreeze -f /mnt/frozen\nexec dd if=/dev/zero of=/mnt/frozen/x bs=4k count=1\n"
            try machine.sh(
                """
                truncate -s 32M /run/frozen; mkfs.ext4 -q /run/frozen; mkdir -p /mnt/frozen
                [ -e /dev/loop-control ] || mknod /dev/loop-control c 10 237
                disk=$(losetup -f); [ -e $disk ] || mknod $disk b 7 ${disk#/dev/loop}
                losetup $disk /run/frozen; mount $disk /mnt/frozen
                """)
            // Loop devices are the host's: another machine may have taken any fixed one.
            defer { _ = try? machine.run("fsfreeze -u /mnt/frozen; umount -d /mnt/frozen") }
            try machine.withBackup("frozen", script: script, configuration: configuration) { (unit: String) throws in
                defer { _ = try? machine.run("fsfreeze -u /mnt/frozen") }
                try machine.sh("systemctl start --no-block \(unit)")
                try machine.eventually("the run is recorded", within: 30) {
                    try !machine.records(MessageID.finished, of: "frozen", after: cursor).isEmpty
                }
                let record = try finished("frozen")
                #expect(record["LIGHTSOUT_RESULT"] == "aborted")
                let reason = try #require(record["LIGHTSOUT_REASON"])
                #expect(reason.contains(/SIGKILL did not end "dd" \(pid \d+, waiting in .*\)/), "\(reason)")
                try machine.eventually("standby is not blocked") { try machine.ownLocks().isEmpty }
                let next = try machine.run("lightsout run frozen")
                #expect(next.status == 1)
                #expect(next.stderr.contains("processes of the run before are still there: \"dd\" (pid "), "\(next)")
                try machine.sh("fsfreeze -u /mnt/frozen")
                try machine.write("/etc/lightsout/backup/frozen_backup", "#!/bin/sh\nexit 0\n", mode: 0o700)
                try machine.eventually("the process is gone, and the next run begins") { try machine.run("lightsout run frozen").status == 0 }
            }
        }

        @Test(arguments: [true, false])
        func `who starts the backup meanwhile is told what it waits for and what ends it`(isDaemonUp: Bool) throws {
            let script = "setsid --fork sleep 4242 </dev/null >/dev/null 2>&1; exit 0"
            try DaemonWorld.with("backups: {left: {}}", scripts: ["left": script], starting: isDaemonUp) { world throws in
                let machine = world.machine
                let body = {
                    try machine.sh("systemctl start --no-block lightsout-backup@left")
                    try machine.eventually("the script has ended") {
                        try machine.run("cat /run/lightsout/left.lock").output.contains("#:script_ended=")
                    }
                    for command in ["lightsout start left", "lightsout run left"] {
                        let said = try machine.run(command, within: 10)
                        #expect(said.status == 75, "\(said)")
                        #expect(said.stderr.contains("processes that it left behind still run"), "\(said)")
                        #expect(said.stderr.contains("To end them: lightsout stop left"), "\(said)")
                    }
                    try machine.sh("systemctl stop lightsout-backup@left")
                }
                if isDaemonUp { try body() } else { try machine.withoutDaemon(body) }
            }
        }

        @Test func `after a minute everything names them, hostile names in quotes, and what was due meanwhile follows`() throws {
            let script = """
                echo run >>/run/test/runs
                [ $(wc -l </run/test/runs) = 1 ] || exit 0
                name=$(printf '/run/a\\033[2Jb'); cp /bin/sleep "$name"; "$name" 4242 &
                exit 3
                """
            try DaemonWorld.with("backups: {leaves: {schedule: '@+20s'}}\n", scripts: ["leaves": script]) { world throws in
                let unit = "lightsout-backup@leaves.service"
                try machine.sh("systemctl start --no-block \(unit)")
                func status() throws -> String { try machine.run("lightsout status --json leaves").output }
                try machine.eventually("the status names what is left", within: 75) { try status().contains("it left processes running") }
                let words = "the script ended with exit status 3, but it left processes running: "
                #expect(try status().contains("running"))
                #expect(try status().contains(words))
                #expect(try machine.run("lightsout why").output.contains("left processes running"))
                #expect(try machine.run("systemctl status \(unit)").stdout.contains(words))
                let messages = try machine.journal("LIGHTSOUT_BACKUP=leaves", after: cursor).compactMap { $0["MESSAGE"] }
                let note = try #require(messages.first { $0.contains(words) })
                #expect(note.contains("\"a\\u{1b}[2Jb\" (pid "), "\(note)")
                #expect(messages.contains { $0.contains("starts when the run before has ended: ") })
                // The daemon comes back, and knows what is to follow.
                try machine.sh("systemctl restart lightsoutd; kill $(cat /sys/fs/cgroup/system.slice/system-lightsout*/\(unit)/script/cgroup.procs)")
                try machine.eventually("what was due has run", within: 20) {
                    try machine.records(MessageID.finished, of: "leaves", after: cursor).count == 2
                }
                let finished = try machine.records(MessageID.finished, of: "leaves", after: cursor)
                #expect(finished.map { $0["LIGHTSOUT_RESULT"] } == ["warnings", "success"])
                #expect(finished.last?["LIGHTSOUT_TRIGGER"] == "catch-up")
            }
        }
    }
}
