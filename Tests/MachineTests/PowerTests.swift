import LightsOutCore
import Testing

extension WholeSystem {
    /// Backups go by AC power: the kernel's list of power supplies is a made-up one, its event is the real one.
    @Suite("AC power")
    struct PowerTests {
        /// Booted before any time of a schedule is worked out.
        init() throws { _ = try Machine.shared }

        static let waits = ": >/run/test/begun; until [ -e /run/test/go-on ]; do sleep 0.02; done"

        /// A laptop: mains and a battery.
        private func withLaptop(
            _ configuration: String, onAC: Bool, script: String = "exit 0", _ body: (DaemonWorld) throws -> Void
        ) throws {
            let machine = try Machine.shared
            try machine.sh("mount -t tmpfs tmpfs /sys/class/power_supply; mkdir /sys/class/power_supply/AC /sys/class/power_supply/BAT0")
            defer {
                do { try machine.sh("umount /sys/class/power_supply") } catch { Issue.record(error, "the power supplies") }
            }
            try machine.write("/sys/class/power_supply/AC/type", "Mains\n")
            try machine.write("/sys/class/power_supply/BAT0/type", "Battery\n")
            try setPower(machine, onAC)
            try DaemonWorld.with(configuration, scripts: ["server": script], body)
        }

        /// Plugs the mains in or pulls it out, and has the kernel say so.
        private func setPower(_ machine: Machine, _ isOnAC: Bool) throws {
            try machine.write("/sys/class/power_supply/AC/online", isOnAC ? "1\n" : "0\n")
            try machine.write("/sys/class/power_supply/BAT0/status", isOnAC ? "Charging\n" : "Discharging\n")
            // Root may have the kernel send an event to all who listen (netlink(7), NETLINK_KOBJECT_UEVENT).
            try machine.sh(
                #"""
                perl -e 'socket(S, 16, 3, 15) && bind(S, pack("SSLL", 16, 0, 0, 0)) or die "$!\n";
                  my $event = "change\@/devices/AC\0ACTION=change\0DEVPATH=/devices/AC\0SUBSYSTEM=power_supply\0";
                  send(S, pack("LSSLL", 16 + length $event, 16, 1, 1, 0) . $event, 0, pack("SSLL", 16, 0, 0, 0)) or die "$!\n"'
                """#)
        }

        @Test func `battery: wait holds a backup that is due until power is back`() throws {
            try withLaptop("backups: {server: {schedule: '\(DaemonWorld.once(in: 3))', battery: wait}}", onAC: false) { world in
                try world.awaitState("waiting", of: "server")
                #expect(try world.property("Problem", of: "server").contains("runs on battery power"))
                #expect(try world.events(of: "server") == [])
                try setPower(world.machine, true)
                try world.awaitEvents(of: "server", ["started schedule", "finished success"])
                try world.awaitMessage("the machine is back on AC power")
            }
        }

        @Test func `battery: abort lets the time pass on battery power, with the reason`() throws {
            try withLaptop("backups: {server: {schedule: '\(DaemonWorld.once(in: 3))', battery: abort}}", onAC: false) { world in
                try world.awaitEvents(of: "server", ["missed"])
                try world.awaitMessage(#"the machine runs on battery power, and "battery" is "abort""#)
            }
        }

        @Test func `battery: abort stops a run when power goes away, and no sooner than it is gone for good`() throws {
            try withLaptop("backups: {server: {battery: abort}}", onAC: true, script: Self.waits) { world in
                try world.machine.sh("systemctl start --no-block lightsout-backup@server")
                try world.awaitState("running", of: "server")
                try world.machine.eventually("the script runs") { try world.machine.exists("/run/test/begun") }
                try setPower(world.machine, false)
                try setPower(world.machine, true)
                try setPower(world.machine, false)
                try world.awaitMessage("the machine runs on battery power", within: 20)
                try world.awaitEvents(of: "server", ["started manual", "finished aborted"])
                let end = try #require(
                    world.machine.journal("MESSAGE_ID=\(JournalRecord.MessageID.finished)", after: world.cursor).last)
                #expect(end["LIGHTSOUT_REASON"]?.contains("the machine lost AC power") == true)
            }
        }

        @Test func `lock_on_battery: false lets the lock go on battery power and takes it again`() throws {
            func isLocked(_ world: DaemonWorld) throws -> Bool {
                try world.machine.locks().contains { $0.who == "lightsout" && $0.mode == "block" }
            }
            try withLaptop("backups: {server: {lock_on_battery: false}}", onAC: true, script: Self.waits) { world in
                try world.machine.sh("systemctl start --no-block lightsout-backup@server")
                try world.machine.eventually("the lock is held") { try isLocked(world) && world.machine.exists("/run/test/begun") }
                try setPower(world.machine, false)
                try world.machine.eventually("the lock is let go", within: 20) { try !isLocked(world) }
                try setPower(world.machine, true)
                try world.machine.eventually("the lock is taken again") { try isLocked(world) }
                let changes = try world.machine.journal("MESSAGE_ID=\(JournalRecord.MessageID.lock)", after: world.cursor)
                    .map { $0["LIGHTSOUT_LOCK"] }
                #expect(changes == ["taken", "released", "taken"])
                try world.machine.write("/run/test/go-on", "")
                try world.awaitEvents(of: "server", ["started manual", "finished success"])
            }
        }

        @Test(arguments: ["wait", "abort"]) func `a run by hand is put off on battery power`(battery: String) throws {
            try withLaptop("backups: {server: {battery: \(battery)}}", onAC: false) { world in
                let done = try world.machine.run("lightsout run server")
                #expect(done.status == 75)
                #expect(done.stderr.contains("the machine runs on battery power"))
                #expect(try world.events(of: "server") == [])
            }
        }
    }
}
