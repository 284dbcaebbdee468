import Foundation
import LightsOutCore
import Testing

extension WholeSystem {
    /// Whatever one local user sends over the bus, root and other users are served, and nothing of it stays.
    @Suite("Floods")
    struct FloodTests {
        init() throws { _ = try Machine.shared }

        private static let manager = "\"org.lightsout1\", \"/org/lightsout1\", \"org.lightsout1.Manager\""

        /// Two hundred backups, as many as make an answer dear.
        private static let many = "backups:\n" + (1...200).map { "  b\($0): {script: /bin/true, schedule: yearly}\n" }.joined()

        /// How long root waits for the standing of all backups, and how long for logind, which has nothing to do with the
        /// flood: the bus between them is flooded too. Seconds, sorted, of so many questions on one connection.
        private func askedByRoot(_ machine: Machine, times: Int = 20) throws -> (ours: [Double], others: [Double]) {
            let answer = try Attacker(machine: machine, user: "root").python(
                """
                import time
                root = Bus()
                for _ in range(\(times)):
                    began = time.monotonic()
                    root.call("org.lightsout1", "/org/lightsout1", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
                    ended = time.monotonic()
                    root.call("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.DBus.Peer", "Ping")
                    print(ended - began, time.monotonic() - ended)
                    time.sleep(0.05)
                """, within: 120)
            let rows = answer.output.split(separator: "\n").map { $0.split(separator: " ").compactMap { Double($0) } }
            guard answer.succeeded, rows.count == times, rows.allSatisfy({ $0.count == 2 }) else {
                throw MachineError("root is not answered: \(answer)")
            }
            return (rows.map { $0[0] }.sorted(), rows.map { $0[1] }.sorted())
        }

        private func memory(_ world: DaemonWorld) throws -> Int {
            Int(try world.machine.sh("sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/\(world.pid)/status")) ?? 0
        }

        private func descriptors(_ world: DaemonWorld) throws -> Int {
            try world.machine.sh("ls /proc/\(world.pid)/fd").split(separator: "\n").count
        }

        /// What one user may send without an end, in Python: each is a function of a connection and a number.
        private static let floods: [(name: String, line: String)] = [
            ("GetManagedObjects", "b.send(CALL, \"org.lightsout1\", \"/org/lightsout1\", \"org.freedesktop.DBus.ObjectManager\", \"GetManagedObjects\")"),
            ("GetManagedObjects that nobody waits for", "b.send(CALL, \"org.lightsout1\", \"/org/lightsout1\", \"org.freedesktop.DBus.ObjectManager\", \"GetManagedObjects\", flags=NO_REPLY)"),
            ("Introspect", "b.send(CALL, \"org.lightsout1\", \"/org/lightsout1/backup\", \"org.freedesktop.DBus.Introspectable\", \"Introspect\")"),
            ("GetAll", "b.send(CALL, \"org.lightsout1\", \"/org/lightsout1/backup/b1\", \"org.freedesktop.DBus.Properties\", \"GetAll\", \"s\", [\"org.lightsout1.Backup\"])"),
            ("Why", "b.send(CALL, \(manager), \"Why\")"),
            ("StartBackup", "b.send(CALL, \(manager), \"StartBackup\", \"s\", [\"b1\"])"),
            ("ReportProgress", "b.send(CALL, \(manager), \"ReportProgress\", \"sy\", [\"x\", i % 100], flags=NO_REPLY)"),
        ]

        @Test(arguments: floods.indices)
        func `of any call by one user leave root's answers as fast as three usual ones, and the memory as it was`(index: Int) throws {
            let flood = Self.floods[index]
            try DaemonWorld.with(Self.many) { world throws in
                let machine = world.machine
                _ = try askedByRoot(machine)
                let usual = try askedByRoot(machine, times: 40)
                let before = try memory(world)
                let pid = try world.pid
                // Unread answers, on fifty connections.
                let attack = try Attacker(machine: machine).startPython(
                    """
                    import select, time
                    bees = [Bus() for _ in range(50)]
                    for b in bees: b.socket.settimeout(0.05)
                    print("begun", flush=True)
                    end, i = time.monotonic() + 6, 0
                    while time.monotonic() < end:
                        for b in list(bees):
                            i += 1
                            try: \(flood.line)
                            except OSError: bees.remove(b)
                        time.sleep(0.01)
                    print(i)
                    time.sleep(1)
                    """, within: 60)
                machine.eventually("it has begun", within: 20) { attack.outputSoFar().contains("begun") }
                let under = try askedByRoot(machine, times: 40)
                let done = attack.finish()
                let sent = Int(done.output.split(separator: "\n").last ?? "") ?? 0
                print("\(flood.name): usual \(usual.ours[20]), worst \(usual.ours[39]); under \(sent) calls \(under.ours[20]), worst \(under.ours[39]), logind \(under.others[20]), \(under.others[39])")
                #expect(under.ours[38] < 3 * (usual.ours[38] + under.others[39]) + 0.03, "\(flood.name): usual \(usual), under the flood \(under)")
                #expect(sent > 1000)
                try machine.eventually("the memory is given back", within: 20) { try memory(world) <= before + 2048 }
                #expect(try world.pid == pid)
            }
        }

        @Test func `of descriptors are closed, and other users hold and report meanwhile`() throws {
            try DaemonWorld.with("", scripts: ["server": "exit 0"]) { world throws in
                let machine = world.machine
                let before = try descriptors(world)
                let pid = try world.pid
                // polkit does not answer.
                try machine.sh("systemctl kill -s STOP polkit 2>/dev/null || systemctl start polkit && systemctl kill -s STOP polkit")
                defer { _ = try? machine.sh("systemctl kill -s CONT polkit") }
                let attack = try Attacker(machine: machine).startPython(
                    """
                    import time
                    bees, sent = [Bus() for _ in range(200)], 0
                    for round in range(20):
                        for b in bees:
                            own = os.pidfd_open(os.getpid())
                            fds = [own] + [0] * 15
                            try: b.send(CALL, \(Self.manager), "ReportStarted", "sh", ["x%d" % sent, 0], fds=fds); sent += 1
                            except OSError: pass
                            os.close(own)
                    print("sent", sent, flush=True)
                    time.sleep(20)
                    """, within: 90)
                machine.eventually("all is sent", within: 60) { attack.outputSoFar().contains("sent") }
                #expect(try descriptors(world) < 2500)
                try machine.eventually("few are kept for calls that wait", within: 20) { try descriptors(world) < before + 100 }
                #expect(try machine.run("lightsout hold -- true").succeeded)
                #expect(try machine.run("lightsout status").succeeded)
                try machine.sh("systemctl kill -s CONT polkit")
                #expect(try machine.run("lightsout hold -- true", as: "other", session: true).succeeded)
                #expect(try machine.run("lightsout -r --name others", as: "other", session: true).succeeded)
                try machine.sh("kill $(pgrep -u tester -f machine/attack) 2>/dev/null; true")
                _ = attack.finish()
                try machine.eventually("every descriptor is closed", within: 20) { try descriptors(world) <= before + 4 }
                #expect(try world.pid == pid)
            }
        }

        @Test func `of prompts that nobody answers shut out no other user`() throws {
            try DaemonWorld.with("", scripts: ["server": "exit 0"]) { world throws in
                let machine = world.machine
                // An agent that is asked for the password and keeps silent.
                let attack = try Attacker(machine: machine, session: true).startPython(
                    """
                    import time
                    agent = Bus()
                    session = agent.call("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager",
                                         "GetSessionByPID", "u", [os.getpid()])[0]
                    id = agent.call("org.freedesktop.login1", session, "org.freedesktop.DBus.Properties", "Get", "ss",
                                    ["org.freedesktop.login1.Session", "Id"])[0]
                    agent.call("org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1.Authority",
                               "RegisterAuthenticationAgent", "(sa{sv})ss", [("unix-session", {"session-id": ("s", id)}), "C", "/agent"])
                    bees = [Bus() for _ in range(60)]
                    for round in range(4):
                        for b in bees: b.send(CALL, \(Self.manager), "StartBackup", "s", ["server"], flags=4)
                    refused = 0
                    for b in bees:
                        b.socket.settimeout(2)
                        try:
                            while True: refused += b.receive().kind == ERROR
                        except OSError: pass
                        if refused: break
                    print("refused", refused, flush=True)
                    time.sleep(30)
                    """, within: 90)
                machine.eventually("prompts are open", within: 30) { attack.outputSoFar().contains("refused") }
                #expect(attack.outputSoFar().contains("refused") && !attack.outputSoFar().contains("refused 0"))
                for _ in 0..<4 { #expect(try machine.run("lightsout hold -- true", as: "other", session: true, within: 10).succeeded) }
                let started = try machine.run("lightsout start server --no-wait", within: 10)
                #expect(started.succeeded, "\(started)")
                try machine.sh("kill $(pgrep -u tester -f machine/attack) 2>/dev/null; true")
                _ = attack.finish()
            }
        }
    }
}
