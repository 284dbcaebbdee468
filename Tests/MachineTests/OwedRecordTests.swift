import Glibc
import LightsOutCore
import Testing

extension WholeSystem {
    /// Not only results: every record that the journal is to have is owed until it has been seen.
    @Suite("Records that are owed")
    struct OwedRecordTests {
        init() throws { _ = try Machine.shared }

        private static let journald = "systemctl kill --kill-who=main -s"
        /// Runs a line of shell in a unit from which journald takes next to nothing.
        private static func limited(_ line: String) -> String {
            """
            systemd-run --quiet --wait --pipe -p LogRateLimitIntervalSec=1h -p LogRateLimitBurst=1 \
              sh -c 'for i in 1 2 3 4 5 6 7 8 9; do for p in err notice info; do logger -p user.$p flood; done; done; \(line)'
            """
        }

        private func count(_ id: String, _ backup: String, _ world: DaemonWorld) throws -> Int {
            try world.machine.records(id, of: backup, after: world.cursor).count
        }

        @Test func `a missed elapse has its record once, although journald drops most of what the daemon writes`() throws {
            let names = (1...16).map { "m\($0)" }
            let backups = names.map { "  \($0): {schedule: hourly, catch_up: false}" }.joined(separator: "\n")
            let dropIn = "/run/systemd/system/lightsoutd.service.d/limit.conf"
            try DaemonWorld.with("backups:\n\(backups)\n", scripts: [:]) { world in
                let machine = world.machine
                defer { _ = try? machine.run("rm -f \(dropIn); systemctl daemon-reload; systemctl restart lightsoutd") }
                try machine.write(dropIn, "[Service]\nLogRateLimitIntervalSec=2s\nLogRateLimitBurst=1\n")
                try machine.sh("systemctl daemon-reload")
                try machine.eventually("the daemon remembers them") { try machine.exists("/var/lib/lightsout/m16.schedule") }
                try machine.sh("systemctl stop lightsoutd")
                let until = (Int64(time(nil)) - 7200) * 1_000_000
                try machine.sh("sed -i -e 's/^handled_until=.*/handled_until=\(until)/' -e 's/^handled_spans=.*/handled_spans=/' /var/lib/lightsout/*.schedule")
                try machine.sh("systemctl start lightsoutd")
                try machine.eventually("all records are there", within: 90) {
                    usleep(500_000)
                    return try machine.journal("MESSAGE_ID=\(JournalRecord.MessageID.missed)", after: world.cursor).count >= names.count
                }
                try machine.sh("sleep 8")
                let records = try machine.journal("MESSAGE_ID=\(JournalRecord.MessageID.missed)", after: world.cursor)
                #expect(Set(records.compactMap { $0["LIGHTSOUT_BACKUP"] }) == Set(names))
                #expect(records.count == names.count)
                try machine.eventually("nothing is owed any more", within: 60) {
                    try machine.sh("ls /var/lib/lightsout/owed 2>/dev/null | wc -l") == "0"
                }
            }
        }

        @Test func `a missed elapse is told by the next daemon when the one before could not`() throws {
            try DaemonWorld.with("backups: {m: {schedule: hourly, catch_up: false}}", scripts: [:]) { world in
                let machine = world.machine
                defer { _ = try? machine.run("\(Self.journald) CONT systemd-journald") }
                try machine.eventually("the daemon remembers it") { try machine.exists("/var/lib/lightsout/m.schedule") }
                try machine.sh("systemctl stop lightsoutd; mkdir -p /var/lib/lightsout/owed")
                try machine.write("/var/lib/lightsout/owed/m.1700000000000000.missed", "the backup of then was missed: nobody told\n")
                try machine.sh("systemctl start lightsoutd")
                try machine.eventually("its record is there", within: 20) { try count(JournalRecord.MessageID.missed, "m", world) == 1 }
                try machine.eventually("it is owed no longer", within: 20) { try !machine.exists("/var/lib/lightsout/owed/m.1700000000000000.missed") }
                try machine.sh("sleep 5")
                try #expect(count(JournalRecord.MessageID.missed, "m", world) == 1)
            }
        }

        @Test func `a refused script has its record once`() throws {
            try DaemonWorld.with("backups: {server: {}}", scripts: ["server": "exit 0"]) { world in
                try world.machine.sh("chmod 777 /etc/lightsout/backup/server_backup")
                let done = try world.machine.run(Self.limited("lightsout run server"))
                #expect(done.status == 78)
                try #expect(count(JournalRecord.MessageID.refused, "server", world) == 0)
                try world.machine.eventually("its record is there", within: 40) {
                    usleep(200_000)
                    return try world.machine.sh("tail -n 1 /var/lib/lightsout/server.run") == "recorded=1"
                }
                try world.machine.sh("sleep 4")
                try #expect(world.events(of: "server") == ["refused"])
                try #expect(world.machine.run("lightsout history server").output.contains("wrong-config"))
            }
        }

        @Test func `so have the lock's changes`() throws {
            try DaemonWorld.with("backups: {server: {}}", scripts: ["server": "exit 0"]) { world in
                let done = try world.machine.run(Self.limited("lightsout run server"))
                #expect(done.status == 0)
                try #expect(count(JournalRecord.MessageID.lock, "server", world) == 0)
                try world.machine.eventually("the records are there", within: 40) {
                    usleep(200_000)
                    return try world.machine.sh("tail -n 1 /var/lib/lightsout/server.run") == "recorded=1"
                }
                try world.machine.sh("sleep 4")
                let changes = try world.machine.records(JournalRecord.MessageID.lock, of: "server", after: world.cursor)
                #expect(changes.compactMap { $0["LIGHTSOUT_LOCK"] } == ["taken", "released"])
                try #expect(world.events(of: "server") == ["started manual", "finished success"])
            }
        }

        @Test func `the daemon answers while journald hangs, and its records come in their order afterwards`() throws {
            let fill = """
                python3 -c 'import socket
                s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.setblocking(False); s.connect("/run/systemd/journal/socket")
                n=0
                try:
                  while n<100000: s.send(b"MESSAGE=fill"); n+=1
                except BlockingIOError: pass'
                """
            try DaemonWorld.with("backups: {a: {schedule: yearly}}", scripts: ["a": "exit 0"]) { world in
                let machine = world.machine
                defer { _ = try? machine.run("\(Self.journald) CONT systemd-journald") }
                let calls = 20
                let done = try machine.run(
                    """
                    \(Self.journald) STOP systemd-journald; \(fill)
                    begin=$(date +%s%N)
                    for i in $(seq \(calls)); do busctl call org.lightsout1 /org/lightsout1 org.lightsout1.Manager Reload; done
                    echo $((($(date +%s%N) - begin) / 1000000))
                    """)
                let milliseconds = try #require(Int(done.output.split(separator: "\n").last ?? ""), "\(done)")
                #expect(milliseconds < calls * 150, "each record alone would have taken 200 ms")
                try machine.sh("\(Self.journald) CONT systemd-journald")
                try machine.eventually("the records are there", within: 20) {
                    try world.messages().count { $0.hasPrefix("the configuration was read anew") } == calls
                }
            }
        }

        @Test func `nothing is lost when the disk of the journal was full`() throws {
            try DaemonWorld.with("backups: {server: {}}", scripts: ["server": "exit 0"]) { world in
                let machine = world.machine
                let disk = "/var/log/journal"
                try machine.sh(
                    """
                    mkdir -p \(disk) /run/systemd/journald.conf.d
                    mount -t tmpfs -o size=9m,mode=755 small \(disk); mkdir \(disk)/$(cat /etc/machine-id)
                    printf '[Journal]\\nStorage=persistent\\nRateLimitIntervalSec=0\\n' >/run/systemd/journald.conf.d/small.conf
                    systemctl restart systemd-journald; journalctl --flush
                    """)
                defer {
                    _ = try? machine.run(
                        """
                        rm -f /run/systemd/journald.conf.d/small.conf; umount -l \(disk); systemctl restart systemd-journald; journalctl --flush
                        """)
                }
                // What journald has set aside is filled, and there is no more.
                try machine.sh("cat /dev/zero >\(disk)/fill 2>/dev/null; for i in $(seq 300); do head -c 40000 /dev/urandom | base64 -w 900 | logger -t fill; done; true")
                _ = try machine.run("cat /dev/zero >>\(disk)/fill")
                for _ in 0..<3 { _ = try machine.run("lightsout run server") }
                try machine.sh("rm \(disk)/fill; journalctl --rotate; systemctl restart systemd-journald")
                try machine.eventually("all results are there", within: 60) {
                    usleep(500_000)
                    return try machine.sh("journalctl -q -o cat MESSAGE_ID=\(JournalRecord.MessageID.finished) LIGHTSOUT_BACKUP=server | wc -l") == "3"
                }
                try machine.sh("sleep 5")
                try #expect(machine.sh("journalctl -q -o cat MESSAGE_ID=\(JournalRecord.MessageID.finished) LIGHTSOUT_BACKUP=server | wc -l") == "3")
                try #expect(machine.sh("journalctl -q -o cat MESSAGE_ID=\(JournalRecord.MessageID.started) LIGHTSOUT_BACKUP=server | wc -l") == "3")
            }
        }
    }
}
