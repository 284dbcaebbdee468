import Foundation
import LightsOutCore
import Testing

extension WholeSystem {
    @Suite("lightsout start and stop")
    struct CommandStartTests {
        private static let scripts = [
            "success": "exit 0", "failed": "exit 1", "aborted": "exit 2", "warnings": "exit 3", "undefined": "exit 4", "odd": "exit 78",
            "killed": "kill -KILL $$",
            "long": ": >/run/begun; sleep 60",
        ]
        /// What each backup's result is called and what waiting for it exits with.
        private static let results: [(backup: String, word: String, status: Int32)] = [
            ("success", "success", 0), ("failed", "failed", 1), ("aborted", "aborted", 2), ("warnings", "warnings", 3),
            ("undefined", "undefined", 4), ("odd", "failed", 1), ("killed", "aborted", 2), ("refused", "wrong-config", 78),
        ]

        private func withBackups(isDaemonUp: Bool = true, _ body: (Machine) throws -> Void) throws {
            try DaemonWorld.with("backups: {refused: {script: /nowhere/at_all}}", scripts: Self.scripts, starting: isDaemonUp) { world throws in
                try world.machine.remove("/run/begun")
                if isDaemonUp { try body(world.machine) } else { try world.machine.withoutDaemon { try body(world.machine) } }
            }
        }

        private func startLong(_ machine: Machine) throws {
            #expect(try machine.run("lightsout start long --no-wait").succeeded)
            try machine.eventually("the script runs") { try machine.exists("/run/begun") }
        }

        @Test(arguments: [true, false])
        func `a waiting start ends with the result, and exits with its code, also without the daemon`(isDaemonUp: Bool) throws {
            try withBackups(isDaemonUp: isDaemonUp) { machine throws in
                for (backup, word, status) in Self.results {
                    let done = try machine.run("lightsout start \(backup)")
                    #expect(done.status == status, "\(backup): \(done)")
                    #expect(done.stdout.hasPrefix("\(backup): \(word) after "), "\(done)")
                    #expect(done.stderr.isEmpty, "\(done)")
                }
            }
        }

        @Test(arguments: [
            ("[Unit]\nConditionPathExists=/nonexistent", "not run", 75), ("[Service]\nExecCondition=/bin/false", "not run", 75),
            ("[Service]\nExecStartPre=/bin/false", "failed", 1),
        ] as [(String, String, Int32)])
        func `a start that no run comes of is never told as the script's result`(dropIn: String, word: String, status: Int32) throws {
            try withBackups { machine throws in
                // What systemd remembers of the run before is not this one's.
                #expect(try machine.run("lightsout start undefined").status == 4)
                try machine.write("/run/systemd/system/lightsout-backup@undefined.service.d/test.conf", dropIn + "\n")
                defer { _ = try? machine.run("rm -r /run/systemd/system/lightsout-backup@undefined.service.d; systemctl daemon-reload") }
                try machine.sh("systemctl daemon-reload")
                let done = try machine.run("lightsout start undefined")
                #expect(done.status == status, "\(done)")
                #expect(done.stdout.hasPrefix("undefined: \(word) after "), "\(done)")
                #expect(done.stdout.hasSuffix(", see: systemctl status lightsout-backup@undefined.service\n"), "\(done)")
            }
        }

        @Test func `systemd does not refuse a backup for being started often`() throws {
            try withBackups { machine throws in
                #expect(try machine.run("for time in 1 2 3 4 5 6 7 8; do lightsout start success || exit; done", within: 60).succeeded)
            }
        }

        @Test(arguments: [true, false])
        func `one that does not wait returns at once, and a second start says what runs`(isDaemonUp: Bool) throws {
            try withBackups(isDaemonUp: isDaemonUp) { machine throws in
                try startLong(machine)
                let again = try machine.run("lightsout start long", within: 10)
                #expect(again.status == 75)
                #expect(again.complaint().hasPrefix("long is running already"))
                let stopped = try machine.run("lightsout stop long")
                #expect(stopped.stdout == "long is being stopped; its result will be: aborted.\n")
                try machine.awaitEnd(of: "lightsout-backup@long.service")
                let idle = try machine.run("lightsout stop long")
                #expect(idle.succeeded)
                #expect(idle.stdout == "long is not running.\n")
            }
        }

        @Test func `Ctrl-C ends the waiting, says so, and leaves the backup running`() throws {
            try withBackups { machine throws in
                let waiting = try machine.start("export TERM=xterm; script -qec 'lightsout start long' /run/test/terminal </dev/null >/dev/null")
                try machine.eventually("the script runs") { try machine.exists("/run/begun") }
                try machine.sh("pkill -INT -x lightsout --full '^lightsout start long$' || pkill -INT --full '^lightsout start long$'")
                let status = waiting.finish().status
                #expect(status == 130)
                #expect(try machine.read("/run/test/terminal").contains("long goes on. Its result will be in: lightsout history long. To end it: lightsout stop long"))
                #expect(try machine.property("ActiveState", of: "lightsout-backup@long.service") == "activating")
            }
        }

        @Test func `a terminal shows how far it is`() throws {
            let script = "for percent in 0 40 80; do lightsout -p $percent; sleep 0.7; done"
            try DaemonWorld.with(scripts: ["slow": script]) { world throws in
                let done = try world.machine.onTerminal("lightsout start slow", columns: 60)
                #expect(done.succeeded)
                #expect(done.stdout.contains("slow  [########------------]  40%"), "\(done)")
                let lines = done.stdout.replacing(#/\e\[[0-9;]*[mK]/#, with: "").split(whereSeparator: { $0 == "\r" || $0 == "\r\n" })
                #expect(lines.allSatisfy { $0.count < 60 })
                #expect(lines.last?.hasPrefix("slow: success after ") == true)
                #expect(!done.stdout.contains("idle"))
                // Elsewhere there is the result and nothing else.
                #expect(try world.machine.run("lightsout start slow").stdout.wholeMatch(of: #/slow: success after [0-9a-z ]+\n/#) != nil)
            }
        }

        @Test func `the daemon's death takes nothing from who waits`() throws {
            try DaemonWorld.with(scripts: ["through": ": >/run/begun; while ! test -e /run/test/go-on; do sleep 0.1; done; exit 3"]) { world throws in
                try world.machine.remove("/run/begun")
                let waiting = try world.machine.start("lightsout start through")
                try world.machine.eventually("the script runs") { try world.machine.exists("/run/begun") }
                try world.kill9()
                try world.machine.write("/run/test/go-on", "")
                let done = waiting.finish()
                #expect(done.status == 3)
                #expect(done.stdout.hasPrefix("through: warnings after "))
            }
        }

        @Test(arguments: ["start", "stop"])
        func `what there is not is an error, and others are not permitted`(verb: String) throws {
            try withBackups { machine throws in
                let unknown = try machine.run("lightsout \(verb) nosuch")
                #expect(unknown.status == 78)
                #expect(unknown.complaint().hasPrefix("there is no backup nosuch"))
                let refused = try machine.run("lightsout \(verb) success", as: "tester")
                #expect(refused.status == 77)
                #expect(refused.stdout.isEmpty)
                #expect(refused.complaint().contains("Do it as root"))
                // On a terminal without an agent of polkit's it is the same.
                #expect(try machine.onTerminal("lightsout \(verb) success", as: "tester").stdout.contains("Do it as root"))
                #expect(try machine.run("lightsout \(verb) ../x").status == 64)
                #expect(try machine.run("lightsout \(verb)").status == 64)
            }
        }

        @Test func `without a bus it says so`() throws {
            try withBackups { machine throws in
                for call in ["lightsout start success", "lightsout stop success", "lightsout reload", "lightsout pause", "lightsout why"] {
                    let done = try machine.run("DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere \(call)")
                    #expect(done.status == 69, "\(call): \(done)")
                    #expect(done.complaint().hasPrefix("the system bus cannot be reached"))
                }
            }
        }
    }
}
