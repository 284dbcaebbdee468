import Foundation
import LightsOutCore
import Testing

extension WholeSystem {
    @Suite("lightsout check, reload, pause, next and calendar")
    struct CommandConfigurationTests {
        private static let bad = """
            max_parallel: many
            backups:
              server: {schedul: daily, timeout: soon}

            """

        // MARK: check and reload

        @Test func `check shows everything that is wrong, each at its place`() throws {
            try DaemonWorld.with(Self.bad, starting: false) { world throws in
                let done = try world.machine.run("lightsout check")
                #expect(done.status == 78)
                for place in ["1:15: error: ", "3:12: error: ", "3:37: error: "] {
                    #expect(done.stdout.contains("/etc/lightsout/lightsout.yaml:\(place)"), "\(done.stdout)")
                }
                #expect(done.stdout.contains("did you mean \"schedule\"?"))
                #expect(done.stdout.hasSuffix("3 errors.\n"))
                let json = try world.machine.run("lightsout check --json")
                #expect(json.status == 78)
                #expect(json.keysOfFirstObject == ["file", "line", "column", "severity", "message", "suggestion"])
                #expect(try json.json().map { $0["line"] as? Int } == [1, 3, 3])
            }
        }

        @Test func `check is content where nothing is wrong`() throws {
            try Machine.shared.forgetJournal()
            try DaemonWorld.with("backups: {server: {schedule: daily}}", scripts: ["server": "exit 0"], starting: false) { world throws in
                let done = try world.machine.run("lightsout check")
                #expect(done.status == 0)
                #expect(done.stdout == "1 backup, nothing wrong.\n")
                #expect(try world.machine.run("lightsout check --json").stdout == "[]\n")
            }
        }

        @Test func `check tells of scripts that would not run, and what mends them`() throws {
            let configuration = "backups: {away: {script: /etc/lightsout/backup/nowhere}}"
            try DaemonWorld.with(configuration, scripts: ["open": "exit 0", "good": "exit 0"], starting: false) { world throws in
                try world.machine.sh("chmod 722 /etc/lightsout/backup/open_backup")
                let done = try world.machine.run("lightsout check")
                #expect(done.status == 78)
                #expect(done.stdout.contains("/etc/lightsout/lightsout.yaml:1:26: error: away would not run: /etc/lightsout/backup/nowhere"), "\(done)")
                #expect(done.stdout.contains("open would not run: /etc/lightsout/backup/open_backup can be written by everybody\n    mend it with: chmod "))
                #expect(!done.stdout.contains("good"))
            }
        }

        @Test func `a warning is no error`() throws {
            try DaemonWorld.with("backups: {past: {schedule: 2020-01-01}}", scripts: ["past": "exit 0"], starting: false) { world throws in
                let done = try world.machine.run("lightsout check")
                #expect(done.status == 0)
                #expect(done.stdout.contains("warning: "))
                #expect(done.stdout.hasSuffix("1 backup, 1 warning.\n"))
            }
        }

        @Test func `who may not see the scripts is told so once`() throws {
            try DaemonWorld.with(scripts: ["one": "exit 0", "two": "exit 0", "three": "exit 0"], starting: false) { world throws in
                let done = try world.machine.run("lightsout check", as: "tester")
                #expect(done.status == 0)
                #expect(done.stdout.contains("one_backup and 2 other scripts cannot be checked without more rights"))
                #expect(done.stdout.hasSuffix("3 backups, 1 warning.\n"))
            }
        }

        @Test func `a reload that is refused says where the first error is, and changes nothing`() throws {
            try DaemonWorld.with("backups: {server: {description: The first}}", scripts: ["server": "exit 0"]) { world throws in
                try world.configure(Self.bad)
                let done = try world.machine.run("lightsout reload")
                #expect(done.status == 78)
                #expect(done.complaint().contains("/etc/lightsout/lightsout.yaml:1:15: "), "\(done)")
                #expect(try world.machine.run("lightsout").stdout.contains("The first"))
                try world.configure("backups: {server: {description: The second}}")
                #expect(try world.machine.run("lightsout reload").succeeded)
                #expect(try world.machine.run("lightsout").stdout.contains("The second"))
                let refused = try world.machine.run("lightsout reload", as: "tester")
                #expect(refused.status == 77)
                #expect(!refused.complaint().isEmpty)
            }
        }

        // MARK: pause and resume

        @Test func `a pause is shown, lasts over a restart, and says how it ends`() throws {
            try DaemonWorld.with("backups: {server: {schedule: daily}}", scripts: ["server": "exit 0"]) { world throws in
                let machine = world.machine
                func server() throws -> [String: Any] { try #require(try machine.run("lightsout status server --json").json().first) }
                #expect(try machine.run("lightsout pause").stdout == "All backups are paused until: lightsout resume.\n")
                try machine.sh("systemctl restart lightsoutd")
                #expect(try server()["state"] as? String == "paused")
                #expect(try server()["next_elapse"] is NSNull)
                #expect(try machine.run("lightsout next").stdout == "Nothing is scheduled.\n")
                // By hand it still runs.
                #expect(try machine.run("lightsout start server").status == 0)
                #expect(try machine.run("lightsout resume").stdout == "All backups run by schedule again.\n")
                #expect(try server()["state"] as? String == "idle")
                #expect(isTime(try server()["next_elapse"]))
            }
        }

        @Test func `the end of one pause does not hide another`() throws {
            try DaemonWorld.with(scripts: ["one": "exit 0", "two": "exit 0"]) { world throws in
                let machine = world.machine
                #expect(try machine.run("lightsout pause one").stdout == "one is paused until: lightsout resume one.\n")
                #expect(try machine.run("lightsout pause --until +2h").stdout.hasPrefix("All backups are paused until "))
                #expect(try machine.run("lightsout resume two").stdout == "two is paused with all others still. To end that: lightsout resume\n")
                #expect(
                    try machine.run("lightsout resume").stdout
                        == "The pause of all backups is over. Paused by themselves still: one. To end that: lightsout resume NAME\n")
                #expect(try machine.run("lightsout resume one").stdout == "one runs by schedule again.\n")
            }
        }

        @Test func `a pause that cannot be is refused`() throws {
            try DaemonWorld.with(scripts: ["one": "exit 0"]) { world throws in
                let machine = world.machine
                for (words, status) in [("--until yesterday", 64), ("--until never", 64), ("nosuch", 78), ("../x", 64)] as [(String, Int32)] {
                    let done = try machine.run("lightsout pause \(words)")
                    #expect(done.status == status, "\(words): \(done)")
                    #expect(!done.complaint().isEmpty)
                }
                #expect(try machine.run("lightsout pause", as: "tester").status == 77)
                #expect(try machine.run("lightsout --json").json().allSatisfy { $0["state"] as? String == "idle" })
            }
        }

        // MARK: next and calendar

        @Test(arguments: [true, false])
        func `next tells what runs when, in order, with and without the daemon`(isDaemonUp: Bool) throws {
            let configuration = """
                backups:
                  hourly: {schedule: hourly}
                  daily: {schedule: daily, wake: true}
                  never: {description: By hand}
                """
            let scripts = ["hourly": "exit 0", "daily": "exit 0", "never": "exit 0"]
            try DaemonWorld.with(configuration, scripts: scripts, starting: isDaemonUp) { world throws in
                let machine = world.machine
                let done = try machine.run("lightsout next -n 30 --json")
                if !isDaemonUp { #expect(done.complaint().contains("lightsoutd is not running")) }
                #expect(done.keysOfFirstObject == ["backup", "elapse", "wake"])
                let elapses = try done.json()
                #expect(elapses.count == 30)
                let times = elapses.compactMap { $0["elapse"] as? String }
                #expect(times == times.sorted() && times.allSatisfy { isTime($0) })
                let daily = elapses.filter { $0["backup"] as? String == "daily" }
                #expect((1...2).contains(daily.count))
                #expect(daily.allSatisfy { $0["wake"] as? Bool == true })
                #expect(!elapses.contains { $0["backup"] as? String == "never" })
                #expect(try machine.run("lightsout next daily -n 3 --json").json().count == 3)
                #expect(try machine.run("lightsout next -n 40").stdout.contains("the machine"))
                let unknown = try machine.run("lightsout next nosuch 2>&1 >/dev/null | tail -1")
                #expect(unknown.stdout.contains("there is no backup nosuch"))
                #expect(try machine.run("lightsout next nosuch").status == 78)
            }
        }

        @Test func `calendar tells what systemd would, over the changes of the clocks`() throws {
            let machine = try Machine.shared
            let done = try machine.run(
                "TZ=Europe/Berlin lightsout calendar 'Sun 02:30' --base-time '2026-03-27' -n 2 --json")
            #expect(done.keysOfFirstObject == ["expression", "normalized", "elapses"])
            let reading = try #require(try done.json().first)
            #expect(reading["normalized"] as? String == "Sun *-*-* 02:30:00")
            // 02:30 is left out on 2026-03-29: it runs when the clocks have been put forward.
            #expect(reading["elapses"] as? [String] == ["2026-03-29T03:00:00.000000+02:00", "2026-04-05T02:30:00.000000+02:00"])
            #expect(try machine.run("lightsout calendar 2020-01-01").stdout.contains("never"))
            for words in ["", "foo", "daily -n 0", "daily --base-time x"] {
                let refused = try machine.run("lightsout calendar \(words)")
                #expect(refused.status == 64, "\(words)")
                #expect(!refused.complaint().isEmpty)
            }
        }
    }
}
