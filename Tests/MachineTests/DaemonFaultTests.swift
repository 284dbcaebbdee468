import Glibc
import LightsOutCore
import Testing

extension WholeSystem {
    /// Whatever dies, is full or is gone: no elapse is lost, none is run twice, and each run has one end.
    @Suite("Faults around the daemon")
    struct DaemonFaultTests {
        /// A script that goes on when the test says so.
        private static let waits = DaemonScheduleTests.waits
        private static let once = ["started schedule", "finished success"]

        private func awaitBegin(_ world: DaemonWorld) throws {
            try world.machine.eventually("the script runs", within: 20) { try world.machine.exists("/run/test/begun") }
        }

        /// A scheduled run that is under way while `fault` happens, ends well, and is recorded once.
        private func during(
            configuration: String = "", at location: SourceLocation = #_sourceLocation, _ fault: (DaemonWorld) throws -> Void
        ) throws {
            try DaemonWorld.with(
                "backups: {long: {schedule: '@+3s'\(configuration)}}", scripts: ["long": Self.waits]
            ) { world throws in
                try awaitBegin(world)
                try fault(world)
                try world.machine.sh(": >/run/test/go-on")
                try world.awaitEvents(of: "long", Self.once, at: location)
                try world.awaitState("idle", of: "long", at: location)
                #expect(try world.property("LastResult", of: "long") == #"s "success""#, sourceLocation: location)
                #expect(try world.events(of: "long") == Self.once, sourceLocation: location)
            }
        }

        @Test func `a daemon killed during a run takes the run up when it is back`() throws {
            try during { world throws in
                try world.kill9()
                #expect(try world.state(of: "long") == "running")
                #expect(try world.property("Trigger", of: "long") == #"s "schedule""#)
                #expect(try world.machine.locks().contains { $0.who == "lightsout" && $0.mode == "block" })
            }
        }

        @Test func `a daemon killed again and again during a run starts nothing twice`() throws {
            try during { world throws in
                for _ in 0..<3 { try world.kill9() }
            }
        }

        @Test func `a start that the daemon did not live to see become a run is not asked for again`() throws {
            try DaemonWorld.with(
                "max_parallel: 1\nbackups: {quick: {schedule: '@+3s'}}",
                scripts: ["quick": ":", "long": Self.waits]
            ) { world throws in
                // systemd takes its time between the daemon's call and the runner, and has this job while the daemon comes back.
                try world.machine.write(
                    "/run/systemd/system/lightsout-backup@quick.service.d/slow.conf",
                    "[Service]\nExecStartPre=/bin/sh -c ': >/run/test/asked; sleep 5'\n")
                try world.machine.sh("systemctl daemon-reload")
                let hurry = "rm -rf /run/systemd/system/lightsout-backup@quick.service.d; systemctl daemon-reload"
                defer { _ = try? world.machine.run(hurry) }
                try world.machine.eventually("systemd was asked") { try world.machine.exists("/run/test/asked") }
                // What would be asked for again has to wait for this one, and the run that was asked for is over by then.
                try world.machine.sh("systemctl start --no-block lightsout-backup@long")
                try awaitBegin(world)
                try world.kill9()
                try world.awaitEvents(of: "quick", Self.once)
                try world.machine.sh("\(hurry); : >/run/test/go-on")
                try world.awaitEvents(of: "long", ["started manual", "finished success"])
                try world.machine.sh("sleep 1")
                #expect(try world.events(of: "quick") == Self.once)
                try world.awaitState("idle", of: "quick")
            }
        }

        @Test func `a run that ends while the daemon is down is seen when it is back`() throws {
            try during { world throws in
                try world.machine.sh("systemctl stop lightsoutd; : >/run/test/go-on")
                try world.machine.eventually("the unit has ended") {
                    try world.machine.property("ActiveState", of: "lightsout-backup@long.service") == "inactive"
                }
                try world.machine.sh("systemctl start lightsoutd")
            }
        }

        @Test func `a runner killed during a run is an aborted run, recorded once`() throws {
            try DaemonWorld.with(
                "backups: {long: {schedule: '@+3s'}}", scripts: ["long": Self.waits]
            ) { world throws in
                try awaitBegin(world)
                try world.machine.sh("kill -KILL $(systemctl show -p MainPID --value lightsout-backup@long)")
                try world.awaitEvents(of: "long", ["started schedule", "finished aborted"])
                try world.awaitState("idle", of: "long")
                #expect(try world.property("LastResult", of: "long") == #"s "aborted""#)
            }
        }

        @Test func `a run that was started by hand and lost its runner is given its end by the daemon`() throws {
            try DaemonWorld.with("", scripts: ["hand": "sleep 1"]) { world throws in
                try world.machine.sh("lightsout run hand >/dev/null 2>&1 & sleep 0.5; kill -KILL $!")
                try world.awaitEvents(of: "hand", ["started manual", "finished aborted"], within: 40)
            }
        }

        @Test func `after a loss of power the run that it cut off is recorded as aborted and made up for once`() throws {
            try DaemonWorld.with(
                "backups: {long: {schedule: '@+3s'}}",
                // The second run ends by itself: a boot is not over while a start job is under way.
                scripts: ["long": "[ ! -e /var/tmp/first-run ] || exit 0; : >/var/tmp/first-run\n\(Self.waits)"]
            ) { world throws in
                try world.machine.sh("systemctl enable lightsoutd; rm -f /var/tmp/first-run")
                defer { _ = try? world.machine.run("systemctl disable lightsoutd; rm -f /var/tmp/first-run") }
                try awaitBegin(world)
                try world.machine.sh("journalctl --sync; sync")
                try world.machine.reboot(powerLoss: true)
                let all = ["started schedule", "finished aborted", "started catch-up", "finished success"]
                try world.awaitEvents(of: "long", all)
                #expect(
                    try world.machine.journal("LIGHTSOUT_BACKUP=long", "LIGHTSOUT_RESULT=aborted", after: world.cursor)
                        .first?["LIGHTSOUT_REASON"]?.contains("machine") == true)
                try world.machine.reboot()
                try world.machine.sh("sleep 1")
                #expect(try world.events(of: "long") == all)
            }
        }

        @Test func `a run that a reboot ends is recorded so, and made up for once after the boot`() throws {
            try DaemonWorld.with(
                "backups: {long: {schedule: '@+3s'}}",
                scripts: ["long": "[ ! -e /var/tmp/first-run ] || exit 0; : >/var/tmp/first-run\n\(Self.waits)"]
            ) { world throws in
                try world.machine.sh("systemctl enable lightsoutd; rm -f /var/tmp/first-run")
                defer { _ = try? world.machine.run("systemctl disable lightsoutd; rm -f /var/tmp/first-run") }
                try awaitBegin(world)
                try world.machine.reboot()
                let all = ["started schedule", "finished aborted", "started catch-up", "finished success"]
                try world.awaitEvents(of: "long", all)
                let aborted = try world.machine.journal(
                    "LIGHTSOUT_BACKUP=long", "LIGHTSOUT_RESULT=aborted", after: world.cursor)
                #expect(aborted.map { $0["LIGHTSOUT_REASON"]?.contains("machine went down") } == [true])
            }
        }

        @Test func `a run begun by hand while the daemon was down does not hide the end of the one before it`() throws {
            try DaemonWorld.with(
                "backups: {twice: {schedule: '@+3s', catch_up: false}}", scripts: ["twice": Self.waits]
            ) { world throws in
                try awaitBegin(world)
                try world.machine.sh("systemctl stop lightsoutd; : >/run/test/go-on")
                try world.awaitEvents(of: "twice", Self.once)
                try world.machine.sh("systemctl start lightsout-backup@twice; systemctl start lightsoutd; sleep 1")
                #expect(try world.events(of: "twice") == Self.once + ["started manual", "finished success"])
            }
        }

        @Test func `a start in the moment after the end of a run is a run of its own, on time`() throws {
            try DaemonWorld.with(
                "backups: {again: {schedule: '@+3s', retry: {attempts: 1, delay: 5ms}}}", scripts: ["again": "exit 1"]
            ) { world throws in
                try world.awaitEvents(of: "again", ["started schedule", "finished failed", "started retry", "finished failed"], within: 15)
                try world.machine.sh("sleep 0.5")
                #expect(try world.events(of: "again").count == 4)
                #expect(try !world.messages().contains { $0.contains("could not be started") })
            }
        }

        @Test func `logind restarted during a run: standby stays blocked`() throws {
            try during { world throws in
                try world.machine.sh("systemctl restart systemd-logind")
                try world.machine.eventually("the lock is listed") {
                    try world.machine.locks().contains { $0.who == "lightsout" && $0.mode == "block" }
                }
            }
        }

        @Test func `journald restarted during a run: its end is recorded`() throws {
            try during { world in try world.machine.sh("systemctl restart systemd-journald") }
        }

        @Test func `the bus restarted during a run: the daemon is back on it, and what is due afterwards runs`() throws {
            try DaemonWorld.with(
                "backups: {long: {schedule: '@+3s'}, next: {schedule: '@+8s'}}",
                scripts: ["long": Self.waits, "next": "exit 0"]
            ) { world throws in
                try awaitBegin(world)
                let before = try world.pid
                try world.machine.sh("systemctl restart dbus.service; systemctl restart systemd-logind polkit")
                try world.awaitState("running", of: "long")
                try world.machine.sh(": >/run/test/go-on")
                try world.awaitEvents(of: "long", Self.once)
                try world.awaitEvents(of: "next", Self.once)
                #expect(try world.pid == before)
            }
        }

        @Test func `what is due while there is no bus is started when it is back, once`() throws {
            try DaemonWorld.with(
                "backups: {due: {schedule: '@+4s'}}", scripts: ["due": "exit 0"]
            ) { world throws in
                try world.machine.sh(
                    "systemctl stop dbus.socket dbus.service; sleep 4; systemctl start dbus.socket dbus.service; systemctl restart systemd-logind polkit")
                try world.awaitEvents(of: "due", Self.once, within: 90)
            }
        }

        @Test func `without a descriptor to spare a due backup runs all the same, and the configuration stays`() throws {
            try DaemonWorld.with(
                "backups: {due: {schedule: '@+4s'}}", scripts: ["due": "exit 0"]
            ) { world throws in
                let pid = try world.pid
                try world.machine.sh("prlimit --pid \(pid) --nofile=$(($(ls /proc/\(pid)/fd | sort -n | tail -n 1) + 1)):")
                #expect(try world.call("Reload").status != 0)
                try world.machine.eventually("it has run", within: 20) {
                    try world.events(of: "due").contains("finished success")
                }
                try world.awaitMessage("the schedule's memory cannot be kept")
                try world.machine.sh("prlimit --pid \(pid) --nofile=1024:")
                try world.awaitState("idle", of: "due")
                #expect(try world.call("Reload").succeeded)
                #expect(try world.events(of: "due").count == 2)
                #expect(try world.pid == pid)
            }
        }

        @Test(arguments: ["nr_inodes=2", "ro"])
        func `a state directory that takes nothing is reported, and backups run on time`(options: String) throws {
            try DaemonWorld.with(
                "backups: {due: {schedule: '@+4s'}}", scripts: ["due": "exit 0"], starting: false
            ) { world throws in
                defer { _ = try? world.machine.run("systemctl stop lightsoutd; umount -l /var/lib/lightsout") }
                try world.machine.sh(
                    """
                    mkdir -p /var/lib/lightsout; mount -t tmpfs -o mode=755,\(options) state /var/lib/lightsout
                    touch /var/lib/lightsout/filler || true; systemctl start lightsoutd
                    """)
                try world.awaitEvents(of: "due", Self.once)
                try world.awaitMessage("the schedule's memory cannot be kept in /var/lib/lightsout")
                try world.awaitState("idle", of: "due")
                #expect(try world.property("LastResult", of: "due") == #"s "success""#)
            }
        }

        @Test func `damaged memory is set aside and reported, and the schedule goes on`() throws {
            try DaemonWorld.with("backups: {due: {schedule: hourly}}", scripts: ["due": "exit 0"]) { world throws in
                try world.machine.sh("systemctl stop lightsoutd; echo nonsense >/var/lib/lightsout/due.schedule; systemctl start lightsoutd")
                try world.awaitMessage("/var/lib/lightsout/due.schedule was damaged")
                #expect(try world.machine.exists("/var/lib/lightsout/due.schedule.damaged"))
                #expect(try world.property("NextElapse", of: "due") != "t 0")
            }
        }

        @Test func `a hundred reloads while backups run change nothing`() throws {
            try DaemonWorld.with(
                "max_parallel: 2\nbackups: {a: {schedule: '*:*:0/2'}, b: {schedule: '*:*:0/2'}, long: {schedule: '@+3s'}}",
                scripts: ["a": "exit 0", "b": "exit 0", "long": Self.waits]
            ) { world throws in
                try awaitBegin(world)
                let loaded = try world.machine.run(
                    "for i in $(seq 100); do busctl --quiet call \(DaemonWorld.manager) Reload || exit 1; done", within: 60)
                #expect(loaded.succeeded, "\(loaded)")
                try world.machine.sh(": >/run/test/go-on")
                try world.awaitEvents(of: "long", Self.once)
                try world.machine.sh("systemctl stop lightsoutd; sleep 1")
                for backup in ["a", "b"] {
                    // Each elapse ran once: as many ends as beginnings, in turns.
                    let events = try world.events(of: backup).filter { $0 != "missed" }
                    #expect(events.count >= 2)
                    for (index, event) in events.enumerated() {
                        #expect(event == (index.isMultiple(of: 2) ? "started schedule" : "finished success"))
                    }
                }
            }
        }

        @Test func `a backup removed while it runs ends in peace, and is gone then`() throws {
            try DaemonWorld.with(
                "backups: {long: {schedule: '@+3s'}}", scripts: ["long": Self.waits]
            ) { world throws in
                let pid = try world.pid
                try awaitBegin(world)
                try world.configure("")
                try world.machine.sh("rm /etc/lightsout/backup/long_backup; systemctl reload lightsoutd; : >/run/test/go-on")
                try world.awaitEvents(of: "long", Self.once)
                try world.machine.eventually("its memory is gone") {
                    try !world.machine.exists("/var/lib/lightsout/long.schedule")
                }
                #expect(try world.state(of: "long").contains("nknown object"))
                #expect(try world.pid == pid)
                #expect(try world.machine.run("systemctl start lightsout-backup@long").status != 0)
                #expect(try world.pid == pid)
            }
        }

        @Test func `a run of a backup that the daemon never heard of does it no harm`() throws {
            try DaemonWorld.with("") { world throws in
                let pid = try world.pid
                try world.install("stranger", "exit 3")
                defer { try? world.machine.remove("/etc/lightsout/backup/stranger_backup") }
                try world.machine.sh("systemctl start lightsout-backup@stranger")
                try world.awaitEvents(of: "stranger", ["started manual", "finished warnings"])
                #expect(try world.pid == pid)
                try world.machine.sh("systemctl reload lightsoutd")
                #expect(try world.property("LastResult", of: "stranger") == #"s "warnings""#)
            }
        }
    }
}
