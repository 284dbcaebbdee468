import Foundation
import Testing

extension WholeSystem {
    /// A restart that nobody sits and waits for waits for running backups; all others do not.
    @Suite("Restarts of the machine during a backup")
    struct RebootWaitTests {
        private static let waits = "echo run >>/var/tmp/runs; : >/run/begun; until [ -e /run/test/go ]; do sleep 0.05; done; "
        private static let unit = "lightsout-backup@long.service"
        /// Asks logind for a restart at a time, as `shutdown -r 02:00` does.
        private static let scheduledRestart =
            "busctl call \(Machine.logind) ScheduleShutdown st reboot $(($(date +%s%6N) + 300000))"

        private func withRun(
            _ settings: String = "", last: String = "exit 0", _ body: (Machine, DaemonWorld) throws -> Void
        ) throws {
            try DaemonWorld.with(
                "backups: {long: {stop_timeout: 3s\(settings)}}", scripts: ["long": Self.waits + last]
            ) { world throws in
                let machine = world.machine
                try machine.sh("rm -f /run/begun /var/tmp/runs; systemctl enable --quiet lightsoutd")
                defer {
                    if (try? machine.initPid) == nil { try? machine.boot() }
                    _ = try? machine.run("rm -rf /etc/systemd/system/reboot.target.d; systemctl disable --quiet lightsoutd; rm -f /var/lib/apt/periodic/unattended-upgrades-stamp")
                }
                try machine.eventually("what holds the restart is there") {
                    try machine.property("ActiveState", of: "lightsout-reboot.service") == "active"
                }
                try machine.begin(Self.unit)
                try body(machine, world)
            }
        }

        private func awaitHold(_ machine: Machine) throws {
            try machine.eventually("the restart has begun and waits") {
                try machine.property("ActiveState", of: "lightsout-reboot.service") == "deactivating"
            }
        }

        private func awaitRestart(_ machine: Machine, within seconds: Double = 20) throws {
            machine.eventually("the machine goes down", within: seconds) { (try? machine.initPid) == nil }
            try machine.boot()
        }

        private func isRunning(_ machine: Machine) throws -> Bool {
            try machine.property("ActiveState", of: Self.unit) == "activating" && machine.ownLocks().count == 1
        }

        @Test(arguments: [0, 3])
        func `one that was scheduled comes when the run is over, and the run has its own result`(status: Int) throws {
            try withRun(last: "exit \(status)") { machine, world in
                try machine.sh(Self.scheduledRestart)
                try awaitHold(machine)
                usleep(1_500_000)
                #expect(try isRunning(machine))
                try machine.write("/run/test/go", "")
                try awaitRestart(machine)
                #expect(try world.events(of: "long") == ["started manual", status == 0 ? "finished success" : "finished warnings"])
                #expect(try machine.sh("wc -l </var/tmp/runs") == "1")
            }
        }

        /// It writes its stamp, asks for the restart and ends when `shutdown` has answered: from a shell, or in apt's unit, which
        /// tells without the stamp. Its timer is enabled as on every Debian, and keeps systemd from
        /// forgetting when the unit ended.
        private static let upgrades = [
            "mkdir -p /var/lib/apt/periodic; : >/var/lib/apt/periodic/unattended-upgrades-stamp; /sbin/shutdown -r now",
            "systemctl start --no-block apt-daily-upgrade.service",
        ]

        @Test(arguments: upgrades)
        func `one by unattended-upgrades waits too, and everything else stays up meanwhile`(start: String) throws {
            try withRun { machine, world in
                try machine.write(
                    "/run/systemd/system/apt-daily-upgrade.service",
                    "[Service]\nType=oneshot\nExecStart=/sbin/shutdown -r now\nKillMode=process\n")
                try machine.write("/run/systemd/system/apt-daily-upgrade.timer", "[Timer]\nOnCalendar=2100-01-01\n")
                try machine.sh(
                    """
                    mkdir -p /run/systemd/system/timers.target.wants
                    ln -sf ../apt-daily-upgrade.timer /run/systemd/system/timers.target.wants/
                    systemctl --quiet unmask apt-daily-upgrade.timer
                    systemctl daemon-reload; systemctl start apt-daily-upgrade.timer
                    mkdir -p /run/disk; mount -t tmpfs disk /run/disk
                    systemd-run --quiet --unit=run-helper sleep 1000
                    """)
                try machine.remove("/tmp/session")
                let session = try machine.start("echo $XDG_SESSION_ID >/tmp/session; sleep 1000", as: "tester", session: true)
                try machine.eventually("there is a session") { try machine.exists("/tmp/session") }
                try machine.sh(start)
                try awaitHold(machine)
                usleep(1_000_000)
                #expect(try isRunning(machine))
                for unit in ["dbus.service", "systemd-logind.service", "lightsoutd.service", "run-disk.mount", "run-helper.service"] {
                    #expect(try machine.property("ActiveState", of: unit) == "active", "\(unit)")
                }
                let scope = "session-\(try machine.read("/tmp/session").filter { !$0.isNewline }).scope"
                #expect(try machine.property("ActiveState", of: scope) == "active")
                let isThere = session.isRunning()
                #expect(isThere)
                #expect(try machine.sh("lightsout status long").contains("running"))
                let said = try machine.sh("journalctl --sync; journalctl -u lightsout-reboot --output=cat --no-pager")
                #expect(said.contains("the machine restarts when long is over: unattended-upgrades asked for the restart"), "\(said)")
                try machine.write("/run/test/go", "")
                try awaitRestart(machine)
                _ = session.finish()
                try machine.sh("systemctl --quiet mask apt-daily-upgrade.timer")
                #expect(try world.events(of: "long") == ["started manual", "finished success"])
            }
        }

        @Test(arguments: ["systemctl reboot", "/sbin/shutdown -r now", "systemctl poweroff", "/sbin/shutdown -h now"])
        func `one that somebody asks for now does not wait, and the run is aborted`(command: String) throws {
            try withRun { machine, world in
                _ = try machine.run(command)
                try awaitRestart(machine, within: 15)
                #expect(try world.events(of: "long").prefix(2) == ["started manual", "finished aborted"])
            }
        }

        @Test func `power-off does not wait, although it was scheduled`() throws {
            try withRun { machine, world in
                try machine.sh(Self.scheduledRestart.replacingOccurrences(of: "st reboot", with: "st poweroff"))
                try awaitRestart(machine, within: 15)
                #expect(try world.events(of: "long").prefix(2) == ["started manual", "finished aborted"])
            }
        }

        @Test(arguments: [", reboot_wait: 0", ", reboot_wait: 2s"])
        func `a run that may not be waited for, or not for longer, is aborted`(setting: String) throws {
            try withRun(setting) { machine, world in
                try machine.sh(Self.scheduledRestart)
                try awaitRestart(machine)
                #expect(try world.events(of: "long").prefix(2) == ["started manual", "finished aborted"])
            }
        }

        @Test func `lightsout stop ends the run, and the machine restarts`() throws {
            try withRun { machine, world in
                try machine.sh(Self.scheduledRestart)
                try awaitHold(machine)
                try machine.sh("lightsout stop long")
                try awaitRestart(machine)
                #expect(try world.events(of: "long").prefix(2) == ["started manual", "finished aborted"])
            }
        }

        @Test func `systemd's own limit of a restart does not end the wait`() throws {
            try withRun { machine, world in
                try machine.write("/etc/systemd/system/reboot.target.d/limit.conf", "[Unit]\nJobTimeoutSec=4s\n")
                try machine.sh("systemctl daemon-reload; \(Self.scheduledRestart)")
                try awaitHold(machine)
                usleep(6_000_000)
                #expect(try isRunning(machine))
                #expect(try machine.sh("systemctl show --property=JobTimeoutUSec --value reboot.target") == "infinity")
                try machine.write("/run/test/go", "")
                try awaitRestart(machine)
                #expect(try world.events(of: "long") == ["started manual", "finished success"])
            }
        }

        @Test func `a restart without a run does not wait, and neither does a stop of what holds it`() throws {
            let machine = try Machine.shared
            try machine.sh("timeout 5 systemctl restart lightsout-reboot.service")
            let begin = ContinuousClock.now
            try machine.reboot()
            #expect(ContinuousClock.now - begin < .seconds(15))
        }
    }
}
