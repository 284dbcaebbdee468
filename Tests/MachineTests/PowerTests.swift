import LightsOutCore
import Testing

extension WholeSystem {
    /// Backups go by AC power: the kernel's list of power supplies is a made-up one, its event is the real one.
    @Suite("AC power")
    struct PowerTests {
        /// Booted before any time of a schedule is worked out.
        init() throws { _ = try Machine.shared }

        static let waits = ": >/run/test/begun; until [ -e /run/test/go-on ]; do sleep 0.02; done"

        private func withLaptop(
            _ configuration: String, onAC: Bool, script: String = "exit 0", _ body: (DaemonWorld) throws -> Void
        ) throws {
            try Laptop.with(onAC: onAC) { try DaemonWorld.with(configuration, scripts: ["server": script], body) }
        }

        private func setPower(_ machine: Machine, _ isOnAC: Bool) throws { try Laptop.setPower(machine, isOnAC) }

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
