import Glibc
import LightsOutCore
import Testing

extension WholeSystem {
    /// Each run has one finished record in the journal, whatever happens to journald; and a record counts when it is there.
    @Suite("The record of a run")
    struct RunnerRecordTests {
        init() throws { _ = try Machine.shared }

        private static let journald = "systemctl kill --kill-who=main -s"

        /// Waits until the journal has one finished record of `backup` with `result`, and its state says so.
        private func awaitRecord(of backup: String, _ result: String = "success", in world: DaemonWorld, within seconds: Double = 40) throws {
            let machine = world.machine
            try machine.eventually("the record is seen and noted", within: seconds) {
                usleep(200_000)
                return try machine.sh("tail -n 1 /var/lib/lightsout/\(backup).run").contains("recorded=1")
            }
            // Long enough for a second one to come.
            try machine.sh("sleep 5")
            try #expect(machine.results(of: backup, after: world.cursor) == [result])
        }

        @Test func `is sent again by the daemon when another unit's rate limit dropped it`() throws {
            try DaemonWorld.with("backups: {server: {}}", scripts: ["server": "exit 0"]) { world in
                let done = try world.machine.run(
                    """
                    systemd-run --quiet --wait --pipe -p LogRateLimitIntervalSec=1h -p LogRateLimitBurst=1 \
                      sh -c 'for i in 1 2 3 4 5 6 7 8 9; do for p in err notice info; do logger -p user.$p flood; done; done; lightsout run server'
                    """)
                #expect(done.status == 0)
                try #expect(world.machine.results(of: "server", after: world.cursor) == [])
                try awaitRecord(of: "server", in: world)
                try #expect(world.machine.run("lightsout history server").output.contains("success"))
            }
        }

        @Test func `is written by the next run when there is no daemon`() throws {
            try DaemonWorld.with("backups: {server: {}}", scripts: ["server": "exit 0"], starting: false) { world in
                _ = try world.machine.run(
                    """
                    systemd-run --quiet --wait --pipe -p LogRateLimitIntervalSec=1h -p LogRateLimitBurst=1 \
                      sh -c 'for i in 1 2 3 4 5 6 7 8 9; do for p in err notice info; do logger -p user.$p flood; done; done; lightsout run server'
                    """)
                try #expect(world.machine.sh("cat /var/lib/lightsout/server.run").contains("recorded=0"))
                try world.machine.sh("systemctl start lightsout-backup@server")
                try #expect(world.machine.results(of: "server", after: world.cursor) == ["success", "success"])
            }
        }

        @Test(arguments: ["systemctl start lightsout-backup@server", "lightsout run server"])
        func `is there once when journald hangs at the end of the run`(start: String) throws {
            try DaemonWorld.with(
                "backups: {server: {}}", scripts: ["server": "\(Self.journald) STOP systemd-journald; exit 0"]
            ) { world in
                defer { _ = try? world.machine.run("\(Self.journald) CONT systemd-journald") }
                let done = try world.machine.run(start)
                #expect(done.status == 0)
                try #expect(world.machine.sh("cat /var/lib/lightsout/server.run").contains("recorded=0"))
                try #expect(!world.machine.locks().contains { $0.who == "lightsout" && $0.mode == "block" })
                try world.machine.sh("\(Self.journald) CONT systemd-journald")
                try awaitRecord(of: "server", in: world)
            }
        }

        @Test func `of each of several runs is there when journald is back, and their starts too`() throws {
            try DaemonWorld.with("backups: {server: {}}", scripts: ["server": "exit 0"]) { world in
                defer { _ = try? world.machine.run("\(Self.journald) CONT systemd-journald") }
                let done = try world.machine.run(
                    """
                    systemd-run --quiet --wait --pipe -p LogRateLimitIntervalSec=1h -p LogRateLimitBurst=1 \
                      sh -c 'for i in 1 2 3 4 5 6 7 8 9; do for p in err notice info; do logger -p user.$p flood; done; done
                             lightsout run server; lightsout run server; lightsout run server'
                    """)
                #expect(done.status == 0)
                try world.machine.eventually("all records are there", within: 60) {
                    usleep(300_000)
                    return try world.machine.results(of: "server", after: world.cursor).count == 3
                }
                try world.machine.eventually("nothing is owed any more", within: 40) {
                    usleep(300_000)
                    return try world.machine.sh("ls /var/lib/lightsout/owed 2>/dev/null | wc -l").hasPrefix("0")
                }
                try #expect(world.machine.results(of: "server", after: world.cursor).count == 3)
                try #expect(world.machine.journal("MESSAGE_ID=\(JournalRecord.MessageID.started)", after: world.cursor).count == 3)
            }
        }

        @Test func `is looked for in the journal that a drop-in gives the unit`() throws {
            try DaemonWorld.with("backups: {server: {}}", scripts: ["server": "exit 0"]) { world in
                let dropIn = "/run/systemd/system/lightsout-backup@server.service.d/namespace.conf"
                try world.machine.write(dropIn, "[Service]\nLogNamespace=backups\n")
                defer { _ = try? world.machine.run("rm -r $(dirname \(dropIn)); systemctl daemon-reload") }
                try world.machine.sh("systemctl daemon-reload; systemctl start lightsout-backup@server; sleep 6")
                let found = try world.machine.sh(
                    "journalctl --namespace='*' -o cat --output-fields=LIGHTSOUT_RESULT MESSAGE_ID=\(JournalRecord.MessageID.finished) LIGHTSOUT_BACKUP=server _SYSTEMD_UNIT=lightsout-backup@server.service | grep -c success || true")
                try #expect(world.machine.read("/var/lib/lightsout/server.run").contains("recorded=1"))
                #expect(!found.hasPrefix("0"))
            }
        }

        @Test func `is there once when journald is stopped during the run and started after it`() throws {
            try DaemonWorld.with(
                "backups: {server: {}}",
                scripts: ["server": "systemctl stop systemd-journald.service systemd-journald.socket systemd-journald-dev-log.socket; exit 0"]
            ) { world in
                defer { _ = try? world.machine.run("systemctl start systemd-journald.socket systemd-journald-dev-log.socket systemd-journald.service") }
                _ = try world.machine.run("systemctl start lightsout-backup@server")
                try world.machine.sh("systemctl start systemd-journald.socket systemd-journald-dev-log.socket systemd-journald.service")
                try awaitRecord(of: "server", in: world)
            }
        }

        @Test func `is there once when journald's socket is full, and nothing hangs`() throws {
            let fill = """
                python3 -c 'import socket
                s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.setblocking(False); s.connect("/run/systemd/journal/socket")
                n=0
                try:
                  while n<100000: s.send(b"MESSAGE=fill"); n+=1
                except BlockingIOError: pass'
                """
            try DaemonWorld.with("backups: {server: {}}", scripts: ["server": "exit 0"]) { world in
                defer { _ = try? world.machine.run("\(Self.journald) CONT systemd-journald") }
                let done = try world.machine.run("\(Self.journald) STOP systemd-journald; \(fill); timeout 20 lightsout run server")
                #expect(done.status == 0)
                try #expect(world.machine.sh("cat /var/lib/lightsout/server.run").contains("recorded=0"))
                try world.machine.sh("\(Self.journald) CONT systemd-journald")
                try awaitRecord(of: "server", in: world)
            }
        }

        @Test func `of a reported backup is there once when journald hangs at its end`() throws {
            try DaemonWorld.with { world in
                defer { _ = try? world.machine.run("\(Self.journald) CONT systemd-journald") }
                try world.machine.sh(
                    "lightsout -r --name other; \(Self.journald) STOP systemd-journald; lightsout -f 0 --name other")
                try world.machine.sh("\(Self.journald) CONT systemd-journald")
                try awaitRecord(of: "other", in: world)
            }
        }

        @Test func `of a run whose runner was killed is there once when journald hangs`() throws {
            try DaemonWorld.with(
                "backups: {server: {}}", scripts: ["server": "\(Self.journald) STOP systemd-journald; kill -KILL $PPID; sleep 60"]
            ) { world in
                defer { _ = try? world.machine.run("\(Self.journald) CONT systemd-journald") }
                _ = try world.machine.run("systemctl start lightsout-backup@server")
                try world.machine.sh("\(Self.journald) CONT systemd-journald")
                try awaitRecord(of: "server", "aborted", in: world)
            }
        }

        /// The daemon hears late that journald has dealt with the record of an earlier run, and finds a later one.
        @Test func `is there once when the run ends while the daemon waits for journald because of another run`() throws {
            try DaemonWorld.with("backups: {server: {}}", scripts: ["server": "exit 0"]) { world in
                let machine = world.machine
                defer { _ = try? machine.run("\(Self.journald) CONT lightsoutd; \(Self.journald) CONT systemd-journald") }
                _ = try machine.run(
                    """
                    systemd-run --quiet --wait --pipe -p LogRateLimitIntervalSec=1h -p LogRateLimitBurst=1 \
                      sh -c 'for i in 1 2 3 4 5 6 7 8 9; do for p in err notice info; do logger -p user.$p flood; done; done; lightsout run server'
                    """)
                // From here on journald answers only once, to the daemon, and the daemon reads the answer at the end.
                try machine.sh("\(Self.journald) STOP systemd-journald; sleep 4; \(Self.journald) STOP lightsoutd")
                try machine.sh("\(Self.journald) CONT systemd-journald; sleep 1; \(Self.journald) STOP systemd-journald")
                let done = try machine.run("lightsout run server")
                #expect(done.status == 0)
                try machine.sh("\(Self.journald) CONT lightsoutd; sleep 1; \(Self.journald) CONT systemd-journald")
                try machine.eventually("both records are there", within: 40) {
                    usleep(300_000)
                    return try machine.results(of: "server", after: world.cursor).count >= 2
                }
                try machine.sh("sleep 6")
                try #expect(machine.results(of: "server", after: world.cursor) == ["success", "success"])
                try #expect(machine.journal("MESSAGE_ID=\(JournalRecord.MessageID.started)", after: world.cursor).count == 2)
            }
        }

        @Test func `is noted only when the journal has it`() throws {
            try DaemonWorld.with("backups: {server: {}}", scripts: ["server": "exit 3"]) { world in
                try world.machine.sh("systemctl start lightsout-backup@server")
                try #expect(world.machine.sh("cat /var/lib/lightsout/server.run").contains("recorded=1"))
                try #expect(world.machine.results(of: "server", after: world.cursor) == ["warnings"])
            }
        }
    }
}
