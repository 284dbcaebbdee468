import Foundation
import Glibc
import Testing

extension WholeSystem {
    /// A desktop asks for a suspend once, is refused because of the backup's lock, and never asks again.
    @Suite("A sleep that a backup's lock refuses")
    struct RefusedSleepTests {
        let machine: Machine

        init() throws { machine = try Machine.shared }

        private static let waits = "while [ ! -e /run/test/go-on ]; do sleep 0.05; done"
        private static let configuration = "after_delay: 1s\nsleep_gap: 1s\n"

        /// Runs `body` while the backup `server` runs, which ends with `finish`.
        private func duringBackup(_ more: String = "", _ body: (SleepWorld) throws -> Void) throws {
            try SleepWorld.with(Self.configuration + more, scripts: ["server": Self.waits]) { world in
                try machine.sh("systemctl start --no-block lightsout-backup@server")
                try world.daemon.awaitState("running", of: "server")
                try machine.eventually("it has its lock") { try machine.locks().contains { $0.why == "Backup 'server' is running" } }
                try body(world)
            }
        }

        private func finish(_ world: SleepWorld) throws {
            try machine.write("/run/test/go-on", "")
            try world.daemon.awaitEvents(of: "server", ["started manual", "finished success"])
        }

        /// Somebody at the machine asks for a sleep, and is refused.
        private func ask(_ method: String = "Suspend", session: Bool = true) throws {
            let argument = method.hasSuffix("WithFlags") ? "t 0" : "b false"
            // The one who asks ends with his answer, as systemctl does; his session goes on for a moment.
            let asked = try machine.run(
                "busctl call \(Machine.logind) \(method) \(argument) && touch /tmp/was-let; sleep \(session ? 1 : 0)", as: "tester",
                session: session)
            #expect(asked.succeeded)
            try #expect(!machine.exists("/tmp/was-let"))
        }

        @Test(arguments: [("Suspend", "suspend"), ("SuspendWithFlags", "suspend"), ("Hibernate", "hibernate"), ("HybridSleep", "hybrid-sleep")])
        func `is made up for when the backup is over`(method: String, kind: String) throws {
            try duringBackup { world in
                try ask(method)
                try world.awaitDecision("delayed", containing: "when lightsout's lock stood against it")
                let why = try machine.sh("lightsout why")
                #expect(why.contains("as was wanted at"), "\(why)")
                usleep(1_500_000)
                try #expect(machine.sleeps() == [])
                try finish(world)
                try world.awaitSleeps([kind])
            }
        }

        @Test func `is made up for when it met the lock of a backup that is due`() throws {
            let configuration = Self.configuration + """
                wake_lead: 20s
                wake_wait: 3s
                backups: {server: {schedule: '\(DaemonWorld.once(in: 8))', wake: true}}
                """
            try SleepWorld.with(configuration) { world in
                try machine.eventually("it is kept awake") { try machine.locks().contains { $0.why.contains("is due at") } }
                usleep(300_000)
                try ask()
                try world.daemon.awaitEvents(of: "server", ["started schedule", "finished success"])
                try world.awaitSleeps(["suspend"])
            }
        }

        @Test(arguments: ["systemctl restart lightsoutd", "kill -KILL $(systemctl show -P MainPID lightsoutd)", "systemctl stop lightsoutd"])
        func `is made up for by the next daemon`(line: String) throws {
            try duringBackup { world in
                try ask()
                try world.awaitDecision("delayed", containing: "when lightsout's lock stood against it")
                let before = try world.daemon.pid
                try machine.sh(line)
                if line.contains("stop") {
                    // The backup ends while there is no daemon.
                    try machine.write("/run/test/go-on", "")
                    try world.daemon.awaitEvents(of: "server", ["started manual", "finished success"])
                    try machine.sh("systemctl start lightsoutd")
                } else {
                    try machine.eventually("another daemon runs", within: 10) { try ![0, before].contains(world.daemon.pid) }
                    try world.daemon.awaitState("running", of: "server")
                    usleep(1_500_000)
                    try #expect(machine.sleeps() == [])
                    try finish(world)
                }
                try world.awaitSleeps(["suspend"])
                try #expect(!machine.read("/var/lib/lightsout/sleep").contains("refused="))
            }
        }

        @Test func `is seen by a daemon that came up during the backup`() throws {
            try duringBackup { world in
                try machine.sh("systemctl restart lightsoutd")
                try world.daemon.awaitState("running", of: "server")
                usleep(500_000)
                try ask()
                try world.awaitDecision("delayed", containing: "when lightsout's lock stood against it")
                try finish(world)
                try world.awaitSleeps(["suspend"])
            }
        }

        @Test func `is not made up for where the configuration says so`() throws {
            try duringBackup("after_refused: nothing\n") { world in
                try ask()
                try finish(world)
                usleep(3_000_000)
                try #expect(machine.sleeps() == [])
            }
        }

        @Test func `is not lightsout's where another program forbids it too`() throws {
            try duringBackup { world in
                let holder = try machine.start("systemd-inhibit --what=sleep --who=film --why=shown --mode=block sleep 4")
                try machine.eventually("the film has its lock") { try machine.locks().contains { $0.who == "film" } }
                try ask()
                usleep(500_000)
                _ = holder.finish()
                try finish(world)
                usleep(3_000_000)
                try #expect(machine.sleeps() == [])
            }
        }

        @Test func `is nobody's where who asks may not put the machine to sleep`() throws {
            try duringBackup { world in
                for _ in 0..<30 { try ask(session: false) }
                try finish(world)
                usleep(3_000_000)
                try #expect(machine.sleeps() == [])
            }
        }

        @Test func `is dropped when somebody comes`() throws {
            try duringBackup { world in
                try ask()
                try world.awaitDecision("delayed", containing: "when lightsout's lock stood against it")
                let session = try machine.start("sleep 8", as: "tester", session: true)
                try machine.eventually("somebody has logged in") { try machine.sh("loginctl list-sessions --no-legend").contains("tester") }
                try finish(world)
                // Before the announcement, or during it where logind lists the session a moment later.
                try machine.eventually("it stays awake", within: 15) {
                    try world.decisions().contains { ["stays-awake", "cancelled"].contains($0.action) && $0.message.contains("has logged in") }
                }
                usleep(1_000_000)
                try #expect(machine.sleeps() == [])
                _ = session.finish()
            }
        }

        @Test func `nothing is watched while no backup runs`() throws {
            try SleepWorld.with(Self.configuration) { world in
                let names = "busctl --json=short call org.freedesktop.DBus / org.freedesktop.DBus ListNames"
                let pid = try world.daemon.pid
                let sockets = "ls -l /proc/\(pid)/fd | grep -c socket"
                let before = try machine.sh(sockets)
                try machine.sh("systemctl start lightsout-backup@server")
                try world.daemon.awaitEvents(of: "server", ["started manual", "finished success"])
                try machine.eventually("the watch has ended") { try machine.sh(sockets) == before }
                #expect(try machine.sh(names).contains("org.lightsout1"))
            }
        }
    }
}
