import Foundation
import LightsOutCore
import Testing

extension WholeSystem {
    /// Nobody gets more of the machine's sleep from lightsout than from logind, and nobody who is there is overlooked.
    @Suite("Rights that are logind's")
    struct LoginRightsTests {
        init() throws { _ = try Machine.shared }

        private static let rule = "/etc/polkit-1/rules.d/10-test.rules"

        private func denying(_ action: String, _ world: DaemonWorld, _ body: () throws -> Void) throws {
            try world.machine.write(
                Self.rule,
                "polkit.addRule(function (action, subject) { if (action.id.indexOf('\(action)') == 0) return polkit.Result.NO; });\n")
            defer {
                try? world.machine.remove(Self.rule)
                _ = try? world.machine.sh("systemctl restart polkit")
                world.machine.eventually("polkit has forgotten the rule") { (try? mayHold(world)) == true }
            }
            try world.machine.sh("systemctl restart polkit")
            try world.machine.eventually("polkit has read the rule, and the lock is refused") { try !mayHold(world) }
            try body()
        }

        private func mayHold(_ world: DaemonWorld) throws -> Bool {
            try world.machine.run("lightsout hold -- true", as: "tester", session: true).succeeded
        }

        @Test func `who may not ask logind for a lock or a sleep may not ask lightsout either`() throws {
            try DaemonWorld.with("", scripts: ["server": "exit 0"]) { world throws in
                let machine = world.machine
                let hold = "lightsout hold -- true", sleep = "busctl call \(DaemonWorld.manager) SleepWhenDone s suspend"
                #expect(try machine.run(hold, as: "tester", session: true).succeeded)
                try denying("org.freedesktop.login1.", world) { () throws in
                    for line in [hold, sleep] {
                        let refused = try machine.run(line, as: "tester", session: true)
                        #expect(refused.status != 0, "\(refused)")
                    }
                    #expect(try machine.run(hold).succeeded)
                }
                // One action of these implies others, so a rule about one alone denies nothing.
                try denying("org.freedesktop.login1.inhibit-", world) { () throws in
                    try #expect(machine.run("lightsout -r --name mine", as: "tester", session: true).succeeded)
                }
            }
        }

        /// Makes so many sessions of `tester`'s, tells how many there are, and waits.
        private static func sessions(_ count: Int) -> String {
            """
            import time
            open("/run/machine/attack/maker", "w").write(str(os.getpid()))
            keeper, held = Bus(), []
            for i in range(\(count)):
                pid = os.fork()
                if pid == 0:
                    time.sleep(120); os._exit(0)
                held.append(keeper.call("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager",
                    "CreateSession", "uusssssussbssa(sv)", [1500, pid, "test", "tty", "user", "", "", 0, "", "", 0, "", "", []]))
            print("made", flush=True)
            time.sleep(120)
            """
        }

        @Test func `170 sessions are all seen`() throws {
            try DaemonWorld.with("", scripts: ["server": "exit 0"]) { world throws in
                let machine = world.machine
                let before = try machine.run("loginctl list-sessions --no-legend").output.split(separator: "\n").count
                let maker = try Attacker(machine: machine, user: "root").startPython(Self.sessions(170), within: 130)
                machine.eventually("the sessions are there", within: 90) { maker.outputSoFar().contains("made") }
                let made = maker.outputSoFar()
                #expect(made.contains("made"))
                let reasons = try machine.run("lightsout why --json")
                let seen = reasons.stdout.split(separator: "\n").count { $0.contains("\"kind\": \"session\"") }
                #expect(seen >= 170 && seen <= 170 + before, "\(seen), \(before) before, \(reasons), \(made)")
                _ = try machine.run("loginctl terminate-user tester; kill $(cat /run/machine/attack/maker)")
                _ = maker.finish()
            }
        }

        // MARK: Right before the sleep

        /// Lets `tester` ask, in a session of his own, for a sleep when `server` has ended; `meanwhile` happens before it has.
        private func asked(
            sleeps: Bool, says: String?, _ meanwhile: (SleepWorld) throws -> Void
        ) throws {
            try SleepWorld.with("", scripts: ["server": SleepTests.waits]) { world in
                let machine = world.machine
                try machine.sh("systemctl start --no-block lightsout-backup@server")
                try world.daemon.awaitState("running", of: "server")
                let session = try machine.start(
                    "lightsout sleep --when-done && echo asked && until [ -e /run/machine/log-out ]; do sleep 0.1; done",
                    as: "tester", session: true, within: 60)
                let outcome = Result {
                    try world.awaitDecision("when-done", containing: "tester wants the machine to suspend")
                    try meanwhile(world)
                    try machine.write("/run/test/go-on", "")
                    try world.daemon.awaitEvents(of: "server", ["started manual", "finished success"])
                    if let says { try world.awaitDecision("stays-awake", containing: says) }
                    if sleeps {
                        try world.awaitSleeps(["suspend"])
                        try world.wake()
                    } else {
                        usleep(1_000_000)
                        #expect(try machine.sleeps() == [])
                    }
                }
                try logOut(machine)
                _ = session.finish()
                try machine.remove("/run/machine/log-out")
                try outcome.get()
            }
        }

        private func logOut(_ machine: Machine) throws { try machine.sh("touch /run/machine/log-out") }

        @Test func `who asked for a sleep and is there still gets it, and by a restart of the daemon too`() throws {
            try asked(sleeps: true, says: nil) { try $0.daemon.kill9() }
        }

        @Test func `who has logged out meanwhile does not`() throws {
            try asked(sleeps: false, says: "tester has logged out") { world in
                try logOut(world.machine)
                world.machine.eventually("the session is gone", within: 20) {
                    (try? world.machine.sh("loginctl list-sessions --no-legend | grep -c tester || true")) == "0"
                }
            }
        }

        @Test func `who has lost the right meanwhile does not`() throws {
            try asked(sleeps: false, says: "tester may not have that any more") { world in
                try deny("org.freedesktop.login1.suspend", world.machine)
            }
            try permitAgain()
        }

        @Test func `nor who would sleep another away who has come, without a right to that`() throws {
            try deny("org.freedesktop.login1.suspend-multiple-sessions", Machine.shared)
            try asked(sleeps: false, says: "tester may not have that any more") { world in
                let maker = try Attacker(machine: world.machine, user: "root").startPython(
                    Self.sessions(1).replacing("1500, pid", with: "0, pid"), within: 60)
                world.machine.eventually("another is there", within: 20) { maker.outputSoFar().contains("made") }
            }
            _ = try Machine.shared.run("kill $(cat /run/machine/attack/maker)")
            try permitAgain()
        }

        private func deny(_ action: String, _ machine: Machine) throws {
            try machine.write(
                Self.rule,
                "polkit.addRule(function (action, subject) { if (action.id.indexOf('\(action)') == 0) return polkit.Result.NO; });\n")
            try machine.sh("systemctl restart polkit")
        }

        private func permitAgain() throws {
            try Machine.shared.remove(Self.rule)
            try Machine.shared.sh("systemctl restart polkit")
        }
    }
}
