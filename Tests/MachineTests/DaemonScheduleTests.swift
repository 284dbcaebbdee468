import Glibc
import Testing

extension WholeSystem {
    /// Scheduled backups run on time, once, and are never forgotten.
    @Suite("The daemon's schedule")
    struct DaemonScheduleTests {
        /// Goes on when the test says so.
        static let waits = "mkdir -p /run/test; : >/run/test/begun; until [ -e /run/test/go-on ]; do sleep 0.02; done"

        @Test func `a backup that is due runs within the second, once`() throws {
            try DaemonWorld.with(
                "backups: {due: {schedule: '@+3s'}}", scripts: ["due": "date +%s >/run/test/time"]
            ) { world throws in
                let due = try #require(Int64(world.property("NextElapse", of: "due").dropFirst(2)))
                try world.awaitEvents(of: "due", ["started schedule", "finished success"])
                let ran = try #require(Int64(world.machine.sh("cat /run/test/time")))
                #expect(ran - due / 1_000_000 <= 1)
                #expect(try world.property("NextElapse", of: "due") == "t 0")
                #expect(try world.property("LastResult", of: "due") == #"s "success""#)
                try world.machine.sh("systemctl restart lightsoutd")
                try world.kill9()
                #expect(try world.events(of: "due") == ["started schedule", "finished success"])
            }
        }

        @Test func `what elapsed while the daemon was down is made up for by one run`() throws {
            try DaemonWorld.with("backups: {late: {schedule: '*:0/10'}}", scripts: ["late": "exit 0"]) { world throws in
                try world.restart(asIfDownFor: 7200, "late")
                try world.awaitEvents(of: "late", ["started catch-up", "finished success"])
                try world.machine.sh("systemctl restart lightsoutd; sleep 1")
                #expect(try world.events(of: "late") == ["started catch-up", "finished success"])
            }
        }

        @Test func `without catch_up it is recorded as missed, once for all of it`() throws {
            try DaemonWorld.with(
                "backups: {late: {schedule: '*:0/10', catch_up: false}}", scripts: ["late": "exit 0"]
            ) { world throws in
                try world.restart(asIfDownFor: 7200, "late")
                try world.awaitEvents(of: "late", ["missed"])
                #expect(
                    try world.machine.journal("LIGHTSOUT_BACKUP=late", after: world.cursor)
                        .contains { $0["MESSAGE"]?.contains("lightsoutd was not running") == true })
            }
        }

        @Test(.enabled(if: Machine.maySetClock)) func `a clock set a year ahead makes up for a year by one run`() throws {
            try DaemonWorld.with("backups: {late: {schedule: daily}}", scripts: ["late": "exit 0"]) { world throws in
                let year = 365 * 86400
                let done = try world.machine.run(
                    "for i in $(seq 100); do [ -e /run/lightsout/late.lock ] && break; sleep 0.1; done; sleep 1", clockOffBy: year)
                #expect(done.succeeded)
                try world.awaitEvents(of: "late", ["started catch-up", "finished success"])
                // Back at the truth nothing runs by a second time, and the next elapse is tomorrow's.
                let due = try #require(Int64(world.property("NextElapse", of: "late").dropFirst(2)))
                #expect(due / 1_000_000 - Int64(time()) < 2 * 86400)
                try world.kill9()
                #expect(try world.events(of: "late") == ["started catch-up", "finished success"])
            }
        }

        @Test(.enabled(if: Machine.maySetClock)) func `a clock set back a day runs nothing twice`() throws {
            try DaemonWorld.with(
                "backups: {once: {schedule: '@+3s'}}", scripts: ["once": "exit 0"]
            ) { world throws in
                try world.awaitEvents(of: "once", ["started schedule", "finished success"])
                _ = try world.machine.run("sleep 1; systemctl restart lightsoutd; sleep 0.5", clockOffBy: -86400)
                try world.kill9()
                #expect(try world.events(of: "once") == ["started schedule", "finished success"])
            }
        }

        @Test func `a manual run takes no elapse away`() throws {
            try DaemonWorld.with(
                "backups: {due: {schedule: '@+4s'}}", scripts: ["due": "exit 0"]
            ) { world throws in
                try world.machine.sh("systemctl start lightsout-backup@due")
                try world.awaitEvents(
                    of: "due", ["started manual", "finished success", "started schedule", "finished success"])
            }
        }

        @Test func `an elapse during a run is recorded and not run on top`() throws {
            try DaemonWorld.with(
                "backups: {long: {schedule: '@+3s'}}", scripts: ["long": Self.waits]
            ) { world throws in
                try world.machine.sh("systemctl start --no-block lightsout-backup@long")
                try world.awaitEvents(of: "long", ["started manual", "missed"])
                try world.machine.sh(": >/run/test/go-on")
                try world.awaitEvents(of: "long", ["started manual", "missed", "finished success"])
            }
        }

        @Test func `a run that fails is tried again after its delay, as often as retry says`() throws {
            try DaemonWorld.with(
                "backups: {bad: {schedule: '@+3s', retry: {attempts: 1, delay: 1s}}}",
                scripts: ["bad": "exit 1"]
            ) { world throws in
                let all = ["started schedule", "finished failed", "started retry", "finished failed"]
                try world.awaitEvents(of: "bad", all)
                try world.machine.sh("sleep 2")
                #expect(try world.events(of: "bad") == all)
            }
        }

        @Test func `a run waits for its mount, says so, and starts when it is there`() throws {
            try DaemonWorld.with(
                "backups: {disk: {schedule: '@+3s', requires_mounts: [/mnt/test-disk]}}",
                scripts: ["disk": "mountpoint -q /mnt/test-disk"]
            ) { world throws in
                try world.machine.sh("mkdir -p /mnt/test-disk")
                try world.awaitState("waiting", of: "disk")
                #expect(try world.property("Problem", of: "disk").contains("/mnt/test-disk is not mounted"))
                #expect(try world.events(of: "disk") == [])
                try world.machine.sh("mount -t tmpfs disk /mnt/test-disk")
                defer { _ = try? world.machine.run("umount /mnt/test-disk") }
                try world.awaitEvents(of: "disk", ["started schedule", "finished success"])
            }
        }

        @Test func `a run waits for the network and starts when it is there`() throws {
            try DaemonWorld.with(
                "backups: {remote: {schedule: '@+3s', requires_network: true}}",
                scripts: ["remote": "exit 0"]
            ) { world throws in
                try world.awaitState("waiting", of: "remote")
                #expect(try world.property("Problem", of: "remote").contains("there is no network"))
                try world.machine.sh(
                    "ip link add uplink type bridge; ip address add 192.0.2.1/24 dev uplink; ip link set uplink up; ip route add default via 192.0.2.2")
                defer { _ = try? world.machine.run("ip link delete uplink") }
                try world.awaitEvents(of: "remote", ["started schedule", "finished success"])
            }
        }

        @Test func `nothing runs during a pause, a restart does not end it, and resuming does`() throws {
            try DaemonWorld.with(
                "backups: {held: {schedule: '*:*:0/2'}}", scripts: ["held": "exit 0"]
            ) { world throws in
                try world.machine.sh("busctl call \(DaemonWorld.manager) Pause st held 0; systemctl reset-failed")
                let before = try world.events(of: "held")
                #expect(try world.state(of: "held") == "paused")
                try world.machine.sh("systemctl restart lightsoutd; sleep 3")
                #expect(try world.state(of: "held") == "paused")
                #expect(try world.events(of: "held").filter { $0.hasPrefix("started") } == before.filter { $0.hasPrefix("started") })
                try world.machine.sh("busctl call \(DaemonWorld.manager) Resume s held")
                try world.machine.eventually("it runs again") {
                    try world.events(of: "held").drop { $0 != "missed" }.contains("started schedule")
                }
            }
        }

        @Test func `no success for stale_after is a warning in the journal and on the bus, also where nothing ever ran`() throws {
            try DaemonWorld.with(
                "backups: {stale: {schedule: monthly, stale_after: 2s}}", scripts: ["stale": "exit 0"]
            ) { world throws in
                try world.machine.eventually("it is stale") { try world.property("Stale", of: "stale") == "b true" }
                let warnings = try world.machine.journal("LIGHTSOUT_BACKUP=stale", "PRIORITY=4", after: world.cursor)
                #expect(warnings.contains { $0["MESSAGE"]?.contains("no successful backup since") == true })
                try world.machine.sh("systemctl restart lightsoutd; sleep 0.5")
                #expect(
                    try world.machine.journal("LIGHTSOUT_BACKUP=stale", "PRIORITY=4", after: world.cursor).count
                        == warnings.count)
            }
        }

        @Test func `a thousand backups due in one second run once each, and never more than four at a time`() throws {
            let count = 1000
            let backups = (0..<count).map { "  b\($0): {script: /etc/lightsout/backup/shared}" }.joined(separator: "\n")
            try DaemonWorld.with(
                "defaults: {schedule: '@+6s', unprotected: run}\nmax_parallel: 4\nbackups:\n\(backups)\n", starting: false
            ) { world throws in
                try world.machine.write(
                    "/etc/lightsout/backup/shared",
                    "#!/bin/sh\n: >/run/test/in.$LIGHTSOUT_BACKUP\nset -- /run/test/in.*\necho $# >>/run/test/log\nrm /run/test/in.$LIGHTSOUT_BACKUP\n",
                    mode: 0o700)
                defer { _ = try? world.machine.remove("/etc/lightsout/backup/shared") }
                let begin = ContinuousClock.now
                try world.machine.sh("systemctl start lightsoutd")
                try world.machine.eventually("all have run", within: 500) {
                    usleep(500_000)
                    return try world.machine.run("wc -l </run/test/log").output == "\(count)"
                }
                print("1000 backups due at once, 4 at a time: \(ContinuousClock.now - begin)")
                let most = try world.machine.sh("sort -n /run/test/log | tail -n 1")
                #expect(most == "4")
                // The last ends of the test before may be in the journal later than its cursor.
                func ends() throws -> [[String: String]] {
                    try world.machine.journal("MESSAGE_ID=782b279e4aed49008a521705136ad691", after: world.cursor)
                        .filter { $0["LIGHTSOUT_BACKUP"]?.wholeMatch(of: /b[0-9]+/) != nil }
                }
                try world.machine.eventually("all are recorded", within: 20) { try ends().count >= count }
                let records = try ends()
                #expect(records.count == count)
                #expect(Set(records.compactMap { $0["LIGHTSOUT_BACKUP"] }).count == count)
                #expect(records.allSatisfy { $0["LIGHTSOUT_RESULT"] == "success" })
            }
        }

        @Test func `more backups due at once than a bus takes calls all begin on time`() throws {
            let count = 200
            let backups = (0..<count).map { "  b\($0): {script: /usr/bin/true}" }.joined(separator: "\n")
            try DaemonWorld.with("defaults: {schedule: '@+4s'}\nbackups:\n\(backups)\n") { world throws in
                func ends() throws -> [[String: String]] {
                    try world.machine.journal("LIGHTSOUT_RESULT=success", after: world.cursor)
                        .filter { $0["LIGHTSOUT_BACKUP"]?.wholeMatch(of: /b[0-9]+/) != nil }
                }
                try world.machine.eventually("all have run", within: 60) { try ends().count >= count }
                #expect(try ends().count == count)
                #expect(try !world.messages().contains { $0.contains("could not be started") })
            }
        }

        private func time() -> Int { Int(Glibc.time(nil)) }
    }
}
