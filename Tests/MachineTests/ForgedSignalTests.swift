import Foundation
import LightsOutCore
import Testing

extension WholeSystem {
    /// A signal counts only if its sender owns the name that it speaks for: for the daemon, the command and the runner.
    @Suite("Forged signals")
    struct ForgedSignalTests {
        init() throws { _ = try Machine.shared }

        private static let daemon = "[Bus().owner('org.lightsout1')]"
        private static let waits = "rm -f /run/let-it-end; touch /run/begun; until [ -e /run/let-it-end ]; do sleep 0.02; done"

        // MARK: The daemon

        @Test(arguments: [("tester", daemon), ("tester", "[None]"), ("root", daemon), ("root", "[None]")])
        func `that the machine goes to sleep does not stop the schedule`(user: String, destinations: String) throws {
            try DaemonWorld.with("backups: {server: {schedule: '@+4s'}}", scripts: ["server": "exit 0"]) { world throws in
                try withoutBusPolicy(world) {
                    let attack = Attacker.forge(Attacker.Signal.all, to: destinations, rounds: 20)
                    #expect(try Attacker(machine: world.machine, user: user).python(attack).succeeded)
                    try world.awaitEvents(of: "server", ["started schedule", "finished success"])
                }
            }
        }

        @Test func `are turned away by the bus already`() throws {
            try DaemonWorld.with("") { world throws in
                let answer = try Attacker(machine: world.machine).python(
                    """
                    attacker = Bus()
                    serial = attacker.send(SIGNAL, "org.lightsout1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager",
                                           "PrepareForSleep", "b", [1])
                    try: attacker.wait(serial)
                    except RuntimeError as error: print(error)
                    """, within: 10)
                #expect(answer.output.hasPrefix("org.freedesktop.DBus.Error.AccessDenied"), "\(answer)")
            }
        }

        @Test func `do not end a start of the daemon's, and a real end of its job does`() throws {
            try DaemonWorld.with("backups: {server: {schedule: '@+3s'}}", scripts: ["server": Self.waits]) { world throws in
                try withoutBusPolicy(world) {
                    try world.machine.remove("/run/begun")
                    try world.machine.eventually("the script runs", within: 20) { try world.machine.exists("/run/begun") }
                    let unit = "lightsout-backup@server.service"
                    let forged = ["failed", "canceled", "timeout", "done", "dependency"].flatMap { result in
                        (1...400).map { Attacker.Signal.jobRemoved(unit, result, job: "/org/freedesktop/systemd1/job/\($0)") }
                    }
                    try Attacker(machine: world.machine).python(Attacker.forge(forged, to: Self.daemon))
                    #expect(try world.state(of: "server") == "running")
                    try world.machine.write("/run/let-it-end", "")
                    try world.awaitEvents(of: "server", ["started schedule", "finished success"])
                }
            }
        }

        // MARK: What is really so

        @Test func `a logind that came later is believed`() throws {
            try SleepWorld.with(SleepWorld.server(in: 3600)) { world in
                try world.machine.sh("systemctl reset-failed systemd-logind; systemctl restart systemd-logind")
                try world.machine.eventually("it has its lock again") {
                    try world.machine.locks().contains { $0.who == "lightsout" && $0.mode == "delay" }
                }
                try world.sleep()
                try world.awaitDecision("sleeping")
                try world.wake()
                try world.awaitDecision("resumed")
            }
        }

        @Test func `a logind that was killed during a sleep says nothing, and the schedule goes on`() throws {
            try SleepWorld.with("backups: {server: {schedule: '@+12s'}}") { world in
                try world.sleep()
                try world.awaitDecision("sleeping")
                try world.machine.sh("systemctl mask --runtime sleep.target 2>/dev/null; systemctl kill -s KILL systemd-logind")
                defer { _ = try? world.machine.sh("systemctl unmask --runtime sleep.target") }
                try world.machine.eventually("there is another", within: 10) {
                    try world.machine.run("busctl get-property \(Machine.logind) PreparingForSleep").output == "b false"
                }
                try world.daemon.awaitEvents(of: "server", ["started schedule", "finished success"], within: 30)
            }
        }

        /// Owns logind's name, gives locks, announces a sleep once, and answers that there is none.
        private static let liar = """
            import array, threading, time
            open("/run/machine/attack/liar", "w").write(str(os.getpid()))
            bus = Bus()
            bus.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName", "su", ["org.freedesktop.login1", 4])
            lock = os.pipe()[1]
            threading.Timer(1, lambda: bus.signal(
                None, "/org/freedesktop/login1", "org.freedesktop.login1.Manager", "PrepareForSleep", "b", [1])).start()
            while True:
                question = bus.receive()
                if question.kind != CALL: continue
                about = dict(destination=question.fields["sender"], reply=question.serial)
                if question.fields["member"] == "Inhibit":
                    bus.socket.sendmsg([message(RETURN, 1000000 + question.serial, "h", [0], fds=1, **about)],
                                       [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [lock]))])
                elif question.fields["member"] == "Get":
                    bus.socket.sendall(message(RETURN, 1000000 + question.serial, "v", [("b", 0)], **about))
                else:
                    bus.socket.sendall(message(ERROR, 1000000 + question.serial, error="org.freedesktop.DBus.Error.Failed", **about))
            """

        @Test func `of an announced sleep logind is asked again after a while`() throws {
            try DaemonWorld.with("", scripts: ["server": "exit 0"]) { world throws in
                try world.machine.sh("systemctl mask --runtime --now systemd-logind.service 2>&1")
                defer {
                    _ = try? world.machine.sh(
                        "kill $(cat /run/machine/attack/liar); systemctl unmask --runtime systemd-logind.service 2>&1; systemctl restart systemd-logind polkit")
                }
                let liar = try Attacker(machine: world.machine, user: "root").startPython(Self.liar)
                try world.awaitMessage("the machine goes to sleep", within: 10)
                try world.configure("backups: {server: {schedule: '@+3s'}}")
                try world.machine.sh("systemctl reload lightsoutd")
                try world.awaitEvents(of: "server", ["started schedule", "finished success"], within: 30)
                let isLying = liar.isRunning()
                #expect(isLying)
            }
        }

        // MARK: The command

        @Test(arguments: ["tester", "root"])
        func `of a job's end do not end a waiting start`(user: String) throws {
            try DaemonWorld.with("", scripts: ["server": Self.waits]) { world throws in
                let machine = world.machine
                try machine.remove("/run/begun")
                let start = try machine.start("lightsout start server")
                try machine.eventually("the script runs") { try machine.exists("/run/begun") }
                let unit = "lightsout-backup@server.service"
                let forged = ["dependency", "canceled", "failed", "done", "timeout"].map { Attacker.Signal.jobRemoved(unit, $0) }
                let attack = Attacker.forge(
                    forged + Attacker.Signal.all, to: "connection_of(\(try machine.sh("pgrep -xf 'lightsout start server'")))")
                #expect(try Attacker(machine: machine, user: user).python(attack).succeeded)
                usleep(300_000)
                let isWaiting = start.isRunning()
                #expect(isWaiting)
                try machine.write("/run/let-it-end", "")
                let done = start.finish()
                #expect(done.status == 0 && done.stdout.contains("server: success after "), "\(done)")
            }
        }

        // MARK: The runner

        @Test(arguments: ["tester", "root"])
        func `of a sleep are no sleep of a run's`(user: String) throws {
            let machine = try Machine.shared
            let cursor = try machine.journalCursor()
            try machine.withBackup("runner", script: "#!/bin/sh\n\(Self.waits)\n") { (unit: String) throws in
                try machine.begin(unit)
                let forged = [.prepareForSleep(true), .prepareForSleep(false)] + Attacker.Signal.all
                let attack = Attacker.forge(forged, to: "connection_of(\(try machine.property("MainPID", of: unit)))")
                #expect(try Attacker(machine: machine, user: user).python("assert connection_of(\(try machine.property("MainPID", of: unit)))\n" + attack).succeeded)
                usleep(300_000)
                #expect(try machine.ownLocks().count == 1)
                try machine.write("/run/let-it-end", "")
                try machine.awaitEnd(of: unit)
                let record = try #require(try machine.records(MessageID.finished, of: "runner", after: cursor).last)
                #expect(record["LIGHTSOUT_RESULT"] == "success")
                #expect(record["LIGHTSOUT_REASON"] == nil, "\(record)")
                #expect(try machine.records(MessageID.lock, of: "runner", after: cursor).map { $0["LIGHTSOUT_LOCK"] } == ["taken", "released"])
            }
        }

        /// Runs `body` on a bus that lets everybody send signals to the daemon: what the daemon itself makes of them counts.
        private func withoutBusPolicy(_ world: DaemonWorld, _ body: () throws -> Void) throws {
            let file = try world.machine.sh("ls /usr/share/dbus-1/system.d/org.lightsout1.conf /etc/dbus-1/system.d/org.lightsout1.conf 2>/dev/null | head -1")
            let policy = try world.machine.read(file)
            #expect(policy.contains("send_type=\"signal\""))
            try world.machine.write(file, policy.replacing(/<deny send_destination[^>]*>/, with: ""))
            try world.machine.sh("systemctl reload dbus")
            defer {
                do {
                    try world.machine.write(file, policy)
                    try world.machine.sh("systemctl reload dbus")
                } catch { Issue.record(error, "restoring the bus policy") }
            }
            try body()
        }
    }
}
