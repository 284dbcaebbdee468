import Foundation
import LightsOutCore
import Testing

extension WholeSystem {
    /// No text that a user may choose keeps the daemon from its work, however long it is and whatever it consists of.
    @Suite("Hostile text")
    struct HostileTextTests {
        /// Text whose comparison as Unicode takes time with the square of its length; ten megabytes of it.
        private static let marks = "'\\u0301\\u0316\\u0315' * 1700000"

        @Test func `in any argument of any method is refused at once`() throws {
            try DaemonWorld.with("", scripts: ["server": "exit 0"]) { world throws in
                let usual = try askedByRoot(world)
                let pid = try world.pid
                let attack = """
                    marks = \(Self.marks)
                    attacker = Bus()
                    to = ("org.lightsout1", "/org/lightsout1", "org.lightsout1.Manager")
                    for start in ["", "suspend", "server", "client"]:
                        for member, signature, more in [("StartBackup", "s", []), ("StopBackup", "s", []), ("Pause", "st", [0]), ("Resume", "s", []),
                                                        ("ReportProgress", "sy", [1]), ("ReportFinished", "si", [0]), ("Hold", "ss", ["x"]),
                                                        ("SleepWhenDone", "s", [])]:
                            try: attacker.call(*to, member, signature, [start + marks] + more); print("taken", member)
                            except RuntimeError as error: assert len(str(error)) < 2000 and "InvalidArgs" in str(error), str(error)[:300]
                        try: attacker.call(*to, "Hold", "ss", ["x", start + marks]); print("taken")
                        except RuntimeError as error: assert "InvalidArgs" in str(error), str(error)[:300]
                        try: attacker.call(*to, "ReportStarted", "sh", [start + marks, 0], fds=[0]); print("taken")
                        except RuntimeError as error: assert "InvalidArgs" in str(error), str(error)[:300]
                    print("done")
                    """
                let attacking = try Attacker(machine: world.machine).startPython(attack, within: 120)
                var slowest = Duration.zero
                while attacking.isRunning() { slowest = max(slowest, try askedByRoot(world)) }
                let done = attacking.finish()
                #expect(done.output == "done", "\(done)")
                #expect(slowest < usual * 3 + .seconds(3), "usual \(usual), slowest \(slowest)")
                #expect(try world.pid == pid)
            }
        }

        @Test func `in a lock of logind's costs nothing where locks are looked at`() throws {
            try DaemonWorld.with("", scripts: ["server": "exit 0"]) { world throws in
                let machine = world.machine
                let usual = try askedByRoot(world)
                let attack = """
                    import time
                    marks = (\(Self.marks))[:2000000] # logind's list of them has to fit in a message, else the bus throws logind out
                    attacker = Bus()
                    for start in ["lightsout", "block", ""]:
                        attacker.call("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager", "Inhibit", "ssss",
                                      ["sleep", start + marks, "Backup 'server' is running" + marks, "block"])
                    print("held", flush=True)
                    time.sleep(60)
                    """
                let holder = try Attacker(machine: machine, session: true).startPython(attack, within: 90)
                machine.eventually("the locks are held", within: 30) { holder.outputSoFar().contains("held") }
                // The machine is asked for a sleep, so that the daemon looks at the locks itself too.
                #expect(try world.call("SleepWhenDone s suspend").succeeded)
                let why = ContinuousClock.now
                let answer = try machine.run("lightsout why; lightsout why --json")
                #expect(answer.succeeded, "\(answer.stderr)")
                #expect(ContinuousClock.now - why < .seconds(5))
                #expect(answer.stdout.utf8.count < 100_000)
                let hold = try machine.run("lightsout hold -- true")
                #expect(hold.succeeded, "\(hold)")
                #expect(try askedByRoot(world) < usual * 3 + .seconds(1))
                #expect(try world.call("CancelSleep").succeeded)
                holder.send(signal: 9)
                try machine.sh("pkill -u tester -f /run/machine/attack/ || true")
            }
        }

        /// How long root waits for an answer of the daemon's.
        private func askedByRoot(_ world: DaemonWorld) throws -> Duration {
            let began = ContinuousClock.now
            _ = try world.state(of: "server")
            return ContinuousClock.now - began
        }
    }
}
