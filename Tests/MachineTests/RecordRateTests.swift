import Foundation
import LightsOutCore
import Testing

extension WholeSystem {
    /// No user fills the journal with the daemon's trusted records, and none loses a result to that.
    @Suite("The rate of records")
    struct RecordRateTests {
        init() throws { _ = try Machine.shared }

        private func count(_ world: DaemonWorld, _ match: String) throws -> Int {
            try world.machine.journal(match, "SYSLOG_IDENTIFIER=lightsout", after: world.cursor).count
        }

        /// Reports as fast as it can for `seconds`, and says how often it did.
        private static func flood(_ seconds: Int) -> String {
            """
            import time
            bus, pidfd = Bus(), os.pidfd_open(os.getpid())
            path, manager = "/org/lightsout1", "org.lightsout1.Manager"
            end, done = time.time() + \(seconds), 0
            while time.time() < end:
                bus.call("org.lightsout1", path, manager, "ReportStarted", "sh", ["mine", 0], fds=[pidfd])
                bus.call("org.lightsout1", path, manager, "ReportFinished", "si", ["mine", 0])
                done += 1
            print(done)
            """
        }

        @Test func `of reports is bounded for a user, and every result is there`() throws {
            try DaemonWorld.with("") { world throws in
                let done = try Attacker(machine: world.machine, session: true).python(Self.flood(70), within: 90)
                let cycles = try #require(Int(done.output.trimmingCharacters(in: .whitespacesAndNewlines)), "\(done)")
                // The burst, and four a second; the last one waited.
                #expect(cycles > 256 && cycles <= 256 + 4 * 71, "\(cycles)")
                try world.machine.eventually("every result is there") { try count(world, Reports.finished) == cycles }
                let told = try world.machine.journal("SYSLOG_IDENTIFIER=lightsout", after: world.cursor)
                    .count { $0["MESSAGE"]?.contains("waits for its turn") == true }
                #expect(told == 1)
            }
        }

        @Test func `of wishes for sleep is bounded for a user`() throws {
            try DaemonWorld.with("", scripts: ["server": "sleep 20"]) { world throws in
                try world.machine.sh("systemctl start --no-block lightsout-backup@server")
                try world.awaitState("running", of: "server")
                let attack = """
                    bus, refused = Bus(), ""
                    for i in range(200):
                        for member, signature, body in [("SleepWhenDone", "s", ["suspend"]), ("CancelSleep", "", [])]:
                            try: bus.call("org.lightsout1", "/org/lightsout1", "org.lightsout1.Manager", member, signature, body)
                            except RuntimeError as error: refused = str(error)
                    print(refused)
                    """
                let done = try Attacker(machine: world.machine, session: true).python(attack)
                #expect(done.output.hasPrefix("org.freedesktop.DBus.Error.LimitsExceeded"), "\(done)")
                #expect(try count(world, "LIGHTSOUT_ACTION=when-done") <= 20)
                // Root is not limited.
                for _ in 0..<25 { try world.machine.sh("lightsout sleep --when-done; lightsout sleep --cancel") }
                try world.machine.sh("systemctl stop lightsout-backup@server")
            }
        }
    }
}
