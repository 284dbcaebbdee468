import Glibc
import Testing

extension WholeSystem {
    /// The daemon as systemd sees it.
    @Suite("lightsoutd.service")
    struct DaemonServiceTests {
        private static let unit = "lightsoutd.service"

        @Test func `its status line says how many backups there are and what is next`() throws {
            try Machine.shared.forgetJournal()
            try DaemonWorld.with(
                "backups: {server: {schedule: 'Tue *-*-* 02:30'}, client: {schedule: 'Tue *-*-* 02:31'}}",
                scripts: ["server": "exit 0", "client": "exit 0"]
            ) { world throws in
                let status = try world.machine.property("StatusText", of: Self.unit)
                #expect(status == "2 backups, next: server Tue 02:30")
            }
        }

        @Test func `systemctl reload returns when the new configuration holds`() throws {
            try DaemonWorld.with("", scripts: ["one": "exit 0"]) { world throws in
                try world.configure("backups: {one: {schedule: 'Tue *-*-* 02:30'}}")
                try world.machine.sh("systemctl reload lightsoutd")
                #expect(try world.property("NextElapse", of: "one") != "t 0")
                #expect(try world.machine.property("ActiveState", of: Self.unit) == "active")
            }
        }

        @Test func `SIGHUP reloads too`() throws {
            try DaemonWorld.with("", scripts: ["one": "exit 0"]) { world throws in
                try world.configure("backups: {one: {schedule: 'Tue *-*-* 02:30'}}")
                try world.machine.sh("kill -HUP \(world.pid)")
                try world.machine.eventually("it is reloaded") { try world.property("NextElapse", of: "one") != "t 0" }
            }
        }

        @Test func `a reload of a bad configuration fails, says where, and changes nothing of what is due`() throws {
            try DaemonWorld.with(
                "backups: {due: {schedule: '@+6s', args: [old]}}",
                scripts: ["due": "echo $1 >/run/test/args"]
            ) { world throws in
                try world.configure("backups: {due: {schedule: 'nonsense', args: [new]}}")
                #expect(try world.machine.run("systemctl reload lightsoutd").status != 0)
                try world.awaitMessage("/etc/lightsout/lightsout.yaml:1:")
                #expect(try world.machine.property("StatusText", of: Self.unit).contains("the one before it goes on"))
                // A person who starts it learns of the mistake; what is due goes by what was accepted, after a crash as well.
                #expect(try world.machine.run("systemctl start lightsout-backup@due").status != 0)
                try world.kill9()
                try world.awaitEvents(of: "due", ["refused", "started schedule", "finished success"])
                #expect(try world.machine.read("/run/test/args") == "old\n")
            }
        }

        @Test func `an edit that was not reloaded changes nothing of what is due`() throws {
            try DaemonWorld.with(
                "backups: {due: {schedule: '@+3s', args: [old]}}",
                scripts: ["due": "echo $1 >/run/test/args"]
            ) { world throws in
                try world.configure("backups: {due: {schedule: 'daily', args: [new]}}")
                try world.awaitEvents(of: "due", ["started schedule", "finished success"])
                #expect(try world.machine.read("/run/test/args") == "old\n")
                try world.machine.sh("systemctl start lightsout-backup@due")
                #expect(try world.machine.read("/run/test/args") == "new\n")
            }
        }

        @Test func `the copy of the accepted configuration is for root only`() throws {
            try DaemonWorld.with("") { world throws in
                #expect(try world.machine.sh("stat -c '%a %U' /run/lightsout/accepted") == "600 root")
            }
        }

        @Test func `it starts with what is right in a configuration that is partly wrong, and says so`() throws {
            try DaemonWorld.with(
                "backups: {good: {schedule: 'Tue *-*-* 02:30'}, bad: {schedule: nonsense}}",
                scripts: ["good": "exit 0"]
            ) { world throws in
                #expect(try world.machine.property("StatusText", of: Self.unit).contains("part of the configuration is wrong"))
                #expect(try world.property("NextElapse", of: "good") != "t 0")
            }
        }

        @Test func `its watchdog is answered, and a daemon that hangs is replaced`() throws {
            try DaemonWorld.with("") { world throws in
                try world.machine.write(
                    "/run/systemd/system/lightsoutd.service.d/watchdog.conf", "[Service]\nWatchdogSec=2\nTimeoutAbortSec=1\nLimitCORE=0\n")
                defer {
                    _ = try? world.machine.run(
                        "rm -r /run/systemd/system/lightsoutd.service.d; systemctl daemon-reload")
                }
                try world.machine.sh("systemctl daemon-reload; systemctl restart lightsoutd; sleep 3")
                let pid = try world.pid
                #expect(try world.machine.property("NRestarts", of: Self.unit) == "0")
                try world.machine.sh("kill -STOP \(pid)")
                try world.machine.eventually("another is there", within: 20) {
                    let now = try world.pid
                    return try now != 0 && now != pid && world.machine.property("ActiveState", of: Self.unit) == "active"
                }
                try world.machine.sh("systemctl reset-failed lightsoutd")
            }
        }

        @Test func `it is confined: an exposure of 2.0 or better`() throws {
            let machine = try Machine.shared
            let report = try machine.sh("systemd-analyze security --offline=true --no-pager /lib/systemd/system/lightsoutd.service")
            let level = try #require(report.firstMatch(of: /exposure level for lightsoutd.service: ([0-9.]+)/))
            let exposure = try #require(Double(level.1))
            #expect(exposure <= 2.0)
        }

        @Test func `it makes no system call while nothing is due`() throws {
            try DaemonWorld.with("backups: {server: {schedule: monthly}}", scripts: ["server": "exit 0"]) { world throws in
                try world.machine.sh("sleep 1")
                // Who sleeps in the kernel and is not woken calls nothing: the switches tell of each time that it was.
                let count = "grep -h _ctxt_switches /proc/\(try world.pid)/task/*/status"
                let before = try world.machine.sh(count)
                try world.machine.sh("sleep 5")
                #expect(try world.machine.sh(count) == before)
            }
        }

        @Test func `stopping it stops no backup`() throws {
            try DaemonWorld.with("", scripts: ["long": DaemonScheduleTests.waits]) { world throws in
                try world.machine.sh("systemctl start --no-block lightsout-backup@long")
                try world.awaitState("running", of: "long")
                try world.machine.sh("systemctl stop lightsoutd")
                #expect(try world.machine.property("ActiveState", of: "lightsout-backup@long.service") == "activating")
                try world.machine.sh(": >/run/test/go-on")
                try world.awaitEvents(of: "long", ["started manual", "finished success"])
            }
        }
    }
}
