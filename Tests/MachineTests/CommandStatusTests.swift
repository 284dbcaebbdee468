import Foundation
import LightsOutCore
import Testing

extension WholeSystem {
    @Suite("lightsout status")
    struct CommandStatusTests {
        private static let fields = [
            "backup", "description", "state", "progress", "trigger", "since", "last_result", "last_started", "last_finished",
            "next_elapse", "wake", "stale", "problem", "kept_awake_since",
        ]
        private static let configuration = """
            backups:
              server: {description: Nightly copy, schedule: "*-*-* 02:30", wake: true}
              ill: {description: Never well, stale_after: 1s}
            """
        private static let scripts = ["server": "exit 3", "ill": "exit 1"]

        private func status(_ machine: Machine, _ words: String = "", as user: String = "root") throws -> [String: [String: Any]] {
            let done = try machine.run("lightsout status --json \(words)", as: user)
            #expect(done.keysOfFirstObject == Self.fields)
            return Dictionary(uniqueKeysWithValues: try done.json().map { ($0["backup"] as? String ?? "", $0) })
        }

        @Test func `each backup is shown with its documented fields`() throws {
            try DaemonWorld.with(Self.configuration, scripts: Self.scripts) { world throws in
                _ = try world.machine.run("lightsout start server; lightsout start ill; sleep 1.2")
                let all = try status(world.machine)
                #expect(all.keys.sorted() == ["ill", "server"])
                let server = try #require(all["server"])
                #expect(server["description"] as? String == "Nightly copy")
                #expect(server["state"] as? String == "idle")
                #expect(server["last_result"] as? String == "warnings")
                for key in ["last_started", "last_finished", "next_elapse"] { #expect(isTime(server[key]), "\(key)") }
                for key in ["progress", "trigger", "since", "problem"] { #expect(server[key] is NSNull, "\(key)") }
                #expect(server["wake"] as? Bool == true)
                #expect(server["stale"] as? Bool == false)
                let ill = try #require(all["ill"])
                #expect(ill["last_result"] as? String == "failed")
                #expect(ill["next_elapse"] is NSNull)
                #expect(ill["stale"] as? Bool == true)
                #expect(ill["problem"] as? String == "no success yet")
                #expect(try status(world.machine, "server").keys.sorted() == ["server"])
            }
        }

        @Test func `everybody may look, and sees the same`() throws {
            // Nothing here changes with time, as staleness does.
            try DaemonWorld.with("backups: {server: {schedule: \"*-*-* 02:30\"}}", scripts: Self.scripts) { world throws in
                _ = try world.machine.run("lightsout start server")
                let root = try world.machine.run("lightsout --json")
                let user = try world.machine.run("lightsout --json", as: "tester")
                #expect(root.succeeded && root.stderr.isEmpty, "\(root)")
                #expect(user.stdout == root.stdout)
            }
        }

        @Test(arguments: ["root", "tester"])
        func `without the daemon it shows what files tell, and says that nothing is started`(user: String) throws {
            try DaemonWorld.with(Self.configuration, scripts: Self.scripts.merging(["long": ": >/run/begun; sleep 60"]) { $1 }, starting: false) {
                world throws in
                let machine = world.machine
                _ = try machine.run("lightsout run server; lightsout run ill")
                try machine.begin("lightsout-backup@long.service")
                let done = try machine.run("lightsout", as: user)
                #expect(done.succeeded)
                #expect(done.complaint().hasPrefix("lightsoutd is not running: no backup starts by schedule."))
                #expect(done.complaint().hasSuffix("systemctl start lightsoutd"))
                let all = try status(machine, as: user)
                #expect(all.keys.sorted() == ["ill", "long", "server"])
                #expect(all["server"]?["last_result"] as? String == "warnings")
                #expect(isTime(all["server"]?["last_finished"]))
                #expect(all["ill"]?["last_result"] as? String == "failed")
                #expect(all["long"]?["state"] as? String == "running")
                #expect(isTime(all["long"]?["since"]))
                // A look changes nothing: it starts no daemon.
                #expect(try machine.property("ActiveState", of: "lightsoutd.service") == "inactive")
            }
        }

        @Test func `without the daemon files tell of a pause, of what never succeeded, and of nothing that is no longer named`() throws {
            try DaemonWorld.with(
                "backups: {old: {schedule: yearly, stale_after: 1s}}", scripts: ["old": "exit 1", "gone": "exit 0", "held": "exit 0"]
            ) { world throws in
                let machine = world.machine
                try machine.sh("systemctl start lightsout-backup@gone; lightsout pause held; sleep 2; systemctl stop lightsoutd")
                try machine.remove("/etc/lightsout/backup/gone_backup")
                let all = try status(machine, as: "tester")
                #expect(all.keys.sorted() == ["held", "old"])
                #expect(all["held"]?["state"] as? String == "paused")
                #expect(all["old"]?["stale"] as? Bool == true)
                #expect(all["old"]?["problem"] as? String == "no success yet")
            }
        }

        @Test func `without the daemon a run that was cut off does not count as running`() throws {
            try DaemonWorld.with(scripts: ["cut": ": >/run/begun; sleep 60"], starting: false) { world throws in
                let machine = world.machine
                let runner = try machine.start("exec lightsout run cut")
                try machine.remove("/run/begun")
                try machine.eventually("the script runs") { try machine.exists("/run/begun") }
                try machine.sh("pkill -KILL -x lightsout")
                _ = runner.finish()
                let cut = try #require(try status(machine, as: "tester")["cut"])
                #expect(cut["state"] as? String == "idle")
                #expect(cut["last_result"] as? String == "aborted")
                #expect(cut["problem"] as? String == "its last run was cut off")
                _ = try machine.run("pkill -x sleep")
            }
        }

        @Test(arguments: [true, false])
        func `the last result stays in sight while the next run goes on`(isDaemonUp: Bool) throws {
            try DaemonWorld.with(scripts: ["again": "test ! -e /run/test/wait || { : >/run/begun; sleep 60; }; exit 4"], starting: isDaemonUp) {
                world throws in
                let machine = world.machine
                _ = try machine.run("systemctl start lightsout-backup@again; : >/run/test/wait; journalctl --sync")
                try machine.begin("lightsout-backup@again.service")
                if isDaemonUp { try world.awaitState("running", of: "again") }
                let again = try #require(try status(machine)["again"])
                #expect(again["state"] as? String == "running")
                #expect(again["last_result"] as? String == "undefined")
                let (started, finished) = (again["last_started"] as? String, again["last_finished"] as? String)
                #expect(try #require(finished) < #require(started))
                #expect(again["since"] as? String == started)
            }
        }

        @Test func `one backup is shown with the reason of its result, and where its log is`() throws {
            try DaemonWorld.with(Self.configuration, scripts: Self.scripts) { world throws in
                _ = try world.machine.run("lightsout start ill")
                let done = try world.machine.run("lightsout status ill", as: "tester")
                #expect(done.stdout.hasPrefix("ill – Never well\n"))
                #expect(done.stdout.contains(" Last result: failed, "))
                #expect(done.stdout.contains("      Reason: the script exited with status 1\n"))
                #expect(done.stdout.contains("         Log: journalctl -u lightsout-backup@ill.service\n"))
                #expect(try world.machine.run("lightsout status server").stdout.contains(", wakes the machine"))
            }
        }

        @Test(arguments: [("servr", "Did you mean server?"), ("histroy", "Did you mean history?"), ("qwertz", "See: lightsout status")])
        func `a name that no backup has is an error with a hint`(name: String, hint: String) throws {
            try DaemonWorld.with(Self.configuration, scripts: Self.scripts) { world throws in
                for call in ["lightsout \(name)", "lightsout status \(name) --json"] {
                    let done = try world.machine.run(call)
                    #expect(done.status == 78)
                    #expect(done.stdout.isEmpty)
                    #expect(done.complaint() == "there is no backup \(name). \(hint)")
                }
            }
        }

        @Test func `the table fits the terminal, and has colour there and nowhere else`() throws {
            let configuration = "backups: {server: {description: \"\(String(repeating: "long words ", count: 20))\"}}"
            try DaemonWorld.with(configuration, scripts: Self.scripts) { world throws in
                let machine = world.machine
                _ = try machine.run("lightsout start server")
                for columns in [60, 80, 200] {
                    let shown = try machine.onTerminal("lightsout", columns: columns).stdout
                    #expect(shown.contains("\u{1b}[33mwarnings\u{1b}[0m"))
                    let plain = shown.replacing(/\e\[[0-9;]*m/, with: "")
                    #expect(plain.split(whereSeparator: \.isNewline).allSatisfy { $0.count <= columns }, "\(shown)")
                    #expect(plain.contains("…"))
                }
                #expect(!(try machine.onTerminal("NO_COLOR=1 lightsout").stdout.contains("\u{1b}")))
                #expect(!(try machine.onTerminal("TERM=dumb lightsout").stdout.contains("\u{1b}")))
                let piped = try machine.run("lightsout | cat").stdout
                #expect(!piped.contains("\u{1b}") && !piped.contains("…"))
            }
        }

        @Test func `where there are no backups it says how to make one`() throws {
            try DaemonWorld.with { world throws in
                #expect(try world.machine.run("lightsout").stdout.hasPrefix("There are no backups yet. Put a script called NAME_backup into "))
                #expect(try world.machine.run("lightsout --json").stdout == "[]\n")
            }
        }
    }
}
