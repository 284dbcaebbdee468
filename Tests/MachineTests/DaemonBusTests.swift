import Foundation
import Testing

extension WholeSystem {
    /// org.lightsout1 as other programs see it.
    @Suite("org.lightsout1")
    struct DaemonBusTests {
        private static let path = "/org/lightsout1"
        private static let objects = "org.lightsout1 /org/lightsout1 org.freedesktop.DBus.ObjectManager"

        /// The signals that the daemon sends while `body` runs, as busctl prints them.
        private func signals(_ world: DaemonWorld, _ body: () throws -> Void) throws -> String {
            let monitor = try world.machine.start(
                "busctl --json=short monitor --match \"type='signal',sender='org.lightsout1'\" >/run/test/signals")
            defer { _ = try? world.machine.run("pkill -x busctl") }
            try world.machine.eventually("the monitor listens") {
                try world.machine.run("busctl list --acquired=no --unique | grep -c 'busctl'; grep -c . /run/test/signals").status == 1
                    && monitor.isRunning()
            }
            usleep(300_000)
            try body()
            usleep(300_000)
            return try world.machine.read("/run/test/signals")
        }

        @Test func `it says what it can do`() throws {
            try DaemonWorld.with("", scripts: ["one": "exit 0"]) { world throws in
                let manager = try world.machine.sh("busctl introspect org.lightsout1 \(Self.path)")
                for word in [
                    "org.lightsout1.Manager", ".StartBackup", ".StopBackup", ".Reload", ".Pause", ".Resume", ".Backups", ".NextWakeup",
                    "org.freedesktop.DBus.ObjectManager", ".GetManagedObjects", ".InterfacesAdded", ".InterfacesRemoved",
                ] { #expect(manager.contains(word), "\(word)") }
                let backup = try world.machine.sh("busctl introspect org.lightsout1 \(Self.path)/backup/one")
                for word in [
                    ".Name", ".Description", ".State", ".Progress", ".NextElapse", ".LastElapse", ".LastStarted", ".LastFinished",
                    ".LastResult", ".PropertiesChanged",
                ] { #expect(backup.contains(word), "\(word)") }
            }
        }

        @Test func `names are escaped in paths as sd_bus_path_encode does it`() throws {
            try DaemonWorld.with("", scripts: ["my-disk_2": "exit 0"]) { world throws in
                let name = try world.property("Name", of: "my_2ddisk_5f2")
                #expect(name == #"s "my-disk_2""#)
                let backups = try world.machine.sh("busctl get-property \(DaemonWorld.manager) Backups")
                #expect(backups == #"ao 1 "/org/lightsout1/backup/my_2ddisk_5f2""#)
            }
        }

        @Test func `the object manager lists every backup with its properties`() throws {
            try DaemonWorld.with(
                "backups: {one: {description: The first}}", scripts: ["one": "exit 0", "two": "exit 0"]
            ) { world throws in
                let listed = try world.machine.sh("busctl --json=short call \(Self.objects) GetManagedObjects")
                for text in ["\(Self.path)/backup/one", "\(Self.path)/backup/two", "The first", "LastResult"] {
                    #expect(listed.contains(text))
                }
            }
        }

        @Test func `a run is told by PropertiesChanged from its beginning to its end`() throws {
            try DaemonWorld.with("", scripts: ["one": "sleep 0.3"]) { world throws in
                let signals = try signals(world) { try world.machine.sh("systemctl start lightsout-backup@one; sleep 0.2") }
                let changes = signals.split(separator: "\n").filter { $0.contains("PropertiesChanged") && $0.contains("backup/one") }
                let states = changes.compactMap { $0.firstMatch(of: /"State":{"type":"s","data":"(\w+)"}/).map { String($0.1) } }
                #expect(states.first == "running" && states.last == "idle")
                #expect(changes.last?.contains(#""LastResult":{"type":"s","data":"success"}"#) == true)
            }
        }

        @Test func `a reload tells which backups came and went, and says nothing of those that stay`() throws {
            try DaemonWorld.with("", scripts: ["stays": "exit 0", "goes": "exit 0"]) { world throws in
                try world.machine.sh("systemctl reload lightsoutd")
                let signals = try signals(world) {
                    try world.install("comes", "exit 0")
                    try world.machine.sh("rm /etc/lightsout/backup/goes_backup; systemctl reload lightsoutd")
                }
                defer { _ = try? world.machine.remove("/etc/lightsout/backup/comes_backup") }
                let lines = signals.split(separator: "\n")
                func isTold(_ signal: String, _ what: String) -> Bool {
                    lines.contains { $0.contains(signal) && $0.contains(what) }
                }
                #expect(isTold("InterfacesAdded", "/backup/comes"))
                #expect(isTold("InterfacesRemoved", "/backup/goes"))
                #expect(isTold("PropertiesChanged", #""Backups""#))
                #expect(!isTold("PropertiesChanged", #""path":"/org/lightsout1/backup/stays""#))
            }
        }

        @Test func `a call starts the daemon where it is enabled and not running`() throws {
            try DaemonWorld.with("", scripts: ["one": "exit 0"], starting: false) { world throws in
                try world.machine.sh("systemctl enable --quiet lightsoutd")
                defer { _ = try? world.machine.run("systemctl disable --quiet lightsoutd") }
                #expect(try world.property("Name", of: "one") == #"s "one""#)
                #expect(try world.machine.property("ActiveState", of: "lightsoutd.service") == "active")
            }
        }

        @Test func `StartBackup starts the unit, StopBackup stops it, and a second start is refused`() throws {
            try DaemonWorld.with("", scripts: ["long": DaemonScheduleTests.waits]) { world throws in
                #expect(try world.call("StartBackup s long").output == #"o "/org/lightsout1/backup/long""#)
                try world.awaitState("running", of: "long")
                #expect(try world.call("StartBackup s long").stderr.contains("is running already"))
                #expect(try world.call("StopBackup s long").succeeded)
                try world.awaitEvents(of: "long", ["started manual", "finished aborted"])
                #expect(try world.call("StopBackup s long").stderr.contains("is not running"))
            }
        }

        @Test(arguments: ["nothing", "../etc", "a/b", "", "x;y"])
        func `a name that is no backup's is refused with what to do`(name: String) throws {
            try DaemonWorld.with("") { world throws in
                let done = try world.call("StartBackup s '\(name)'")
                #expect(done.status != 0)
                #expect(done.stderr.contains("there is no backup") || done.stderr.contains("name"))
            }
        }

        @Test func `everybody may read; an unprivileged user may not start, stop, reload or pause`() throws {
            try DaemonWorld.with("", scripts: ["one": "exit 0"]) { world throws in
                #expect(
                    try world.machine.run(
                        "busctl get-property org.lightsout1 \(Self.path)/backup/one org.lightsout1.Backup State", as: "tester"
                    ).output == #"s "idle""#)
                for session in [false, true] {
                    for method in ["StartBackup s one", "Reload", "Pause st one 0", "Resume s one"] {
                        let done = try world.machine.run(
                            "busctl --allow-interactive-authorization=no call \(DaemonWorld.manager) \(method)", as: "tester",
                            session: session)
                        #expect(done.status != 0, "\(method)")
                        #expect(done.stderr.contains("needs a password") || done.stderr.contains("not permitted"), "\(done)")
                    }
                }
                try world.machine.sh("systemctl start --no-block lightsout-backup@one")
                #expect(try world.events(of: "one").filter { $0 == "started schedule" } == [])
                #expect(try world.state(of: "one") != "paused")
            }
        }

        @Test func `only root may own the name`() throws {
            let machine = try Machine.shared
            try machine.sh("systemctl stop lightsoutd")
            let done = try machine.run(
                "busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus RequestName su org.lightsout1 4", as: "tester")
            #expect(done.status != 0)
        }

        @Test func `a caller that goes away while polkit thinks does the daemon no harm`() throws {
            try DaemonWorld.with("", scripts: ["one": "exit 0"]) { world throws in
                let pid = try world.pid
                try world.machine.sh("busctl --quiet call org.freedesktop.PolicyKit1 / org.freedesktop.DBus.Peer Ping")
                let polkit = try world.machine.property("MainPID", of: "polkit.service")
                try world.machine.sh("kill -STOP \(polkit)")
                defer { _ = try? world.machine.run("kill -CONT \(polkit)") }
                let callers = try world.machine.run(
                    "for i in $(seq 20); do timeout -s KILL 0.3 busctl call \(DaemonWorld.manager) StartBackup s one & done; wait",
                    as: "tester")
                #expect(callers.succeeded)
                // Meanwhile root and readers are served.
                #expect(try world.state(of: "one") == "idle")
                #expect(try world.call("Reload").succeeded)
                try world.machine.sh("kill -CONT \(polkit); sleep 0.5")
                #expect(try world.events(of: "one") == [])
                #expect(try world.pid == pid)
                #expect(try world.call("StartBackup s one").succeeded)
            }
        }

        @Test func `what a user asks of a polkit that does not answer costs the schedule none of its calls`() throws {
            try DaemonWorld.with(
                "backups: {one: {schedule: '@+5s'}}", scripts: ["one": "exit 0", "two": "exit 0"]
            ) { world throws in
                try world.machine.sh("busctl --quiet call org.freedesktop.PolicyKit1 / org.freedesktop.DBus.Peer Ping")
                let polkit = try world.machine.property("MainPID", of: "polkit.service")
                try world.machine.sh("kill -STOP \(polkit)")
                defer { _ = try? world.machine.run("kill -CONT \(polkit)") }
                try world.machine.write(
                    "/run/test/flood",
                    """
                    import dbus, dbus.mainloop.glib, time
                    connections = [dbus.SystemBus(private=True) for _ in range(3)]
                    for connection in connections:
                        for _ in range(100):
                            message = dbus.lowlevel.MethodCallMessage(
                                "org.lightsout1", "/org/lightsout1", "org.lightsout1.Manager", "StartBackup")
                            message.append("one", signature="s")
                            connection.send_message(message)
                        connection.flush()
                    time.sleep(20)
                    """)
                let flood = try world.machine.start("exec python3 /run/test/flood", as: "tester")
                try world.machine.sh("sleep 1")
                let isFlooding = flood.isRunning()
                #expect(isFlooding)
                #expect(try world.call("StartBackup s two").succeeded)
                try world.awaitEvents(of: "two", ["started manual", "finished success"])
                #expect(try world.call("Why").succeeded)
                try world.awaitEvents(of: "one", ["started schedule", "finished success"])
                #expect(try !world.messages().contains { $0.contains("pending replies") })
            }
        }

        @Test func `of those who start one backup at once, one does, and the others hear of it`() throws {
            try DaemonWorld.with("", scripts: ["long": DaemonScheduleTests.waits]) { world throws in
                let ends = try world.machine.sh(
                    "for i in 1 2 3 4 5; do (busctl call \(DaemonWorld.manager) StartBackup s long >/dev/null 2>&1; echo $?) & done; wait")
                #expect(ends.split(separator: "\n").filter { $0 == "0" }.count == 1, "\(ends)")
                try world.awaitState("running", of: "long")
                try world.machine.sh(": >/run/test/go-on")
                try world.awaitEvents(of: "long", ["started manual", "finished success"])
                #expect(try world.call("StartBackup s long").succeeded)
            }
        }

        @Test func `a run whose backup is no longer in the configuration is stopped like any other`() throws {
            try DaemonWorld.with("", scripts: ["long": DaemonScheduleTests.waits]) { world throws in
                try world.machine.sh("systemctl start --no-block lightsout-backup@long")
                try world.awaitState("running", of: "long")
                try world.machine.sh("rm /etc/lightsout/backup/long_backup; systemctl reload lightsoutd")
                #expect(try world.call("StopBackup s long").succeeded)
                try world.awaitEvents(of: "long", ["started manual", "finished aborted"])
            }
        }

        @Test func `the last elapse is one of the schedule, and none before there was one`() throws {
            try DaemonWorld.with(
                "backups: {one: {schedule: '@+4s'}, never: {schedule: yearly}}", scripts: ["one": "exit 0", "never": "exit 0"]
            ) { world throws in
                #expect(try world.property("LastElapse", of: "one") == "t 0")
                let due = try world.property("NextElapse", of: "one")
                try world.awaitEvents(of: "one", ["started schedule", "finished success"])
                #expect(try world.property("LastElapse", of: "one") == due)
                #expect(try world.property("LastElapse", of: "never") == "t 0")
            }
        }

        @Test func `calls that make no sense are answered with an error`() throws {
            try DaemonWorld.with("") { world throws in
                let pid = try world.pid
                for call in ["StartBackup", "StartBackup u 1", "StartBackup ss a b", "Nonsense", "Pause s a", "Pause st nothing 0"] {
                    #expect(try world.call(call).status != 0, "\(call)")
                }
                #expect(try world.machine.run("busctl introspect org.lightsout1 \(Self.path)/backup/_00").status != 0)
                #expect(try world.pid == pid)
            }
        }
    }
}
