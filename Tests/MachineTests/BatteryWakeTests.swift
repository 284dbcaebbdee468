import LightsOutCore
import Testing

extension WholeSystem {
    /// A laptop in a bag: which backups wake it, and what it does when it is woken on battery power.
    @Suite("Waking on battery power")
    struct BatteryWakeTests {
        /// Booted before any time of a schedule is worked out.
        init() throws { _ = try Machine.shared }

        private static func backup(_ more: String) -> String {
            "backups: {server: {schedule: '\(DaemonWorld.once(in: 3600))', wake: true, \(more)}}"
        }

        @Test(arguments: ["battery: wait", "battery: abort", "wake: ac"])
        func `no alarm is set on battery power, and one is when AC power is back`(key: String) throws {
            let configuration =
                key == "wake: ac"
                ? Self.backup("battery: run").replacing("wake: true", with: key) : Self.backup(key)
            try Laptop.with(onAC: false) {
                try SleepWorld.with(configuration) { world in
                    try #expect(world.nextWakeup() == 0)
                    try world.sleep()
                    try world.awaitDecision("sleeping", containing: "it runs on battery power, so server does not wake it")
                    try world.wake()
                    try Laptop.setPower(world.machine, true)
                    try world.machine.eventually("the alarm is set on AC power") { try world.nextWakeup() > 0 }
                    try Laptop.setPower(world.machine, false)
                    try world.machine.eventually("it is gone on battery power") { try world.nextWakeup() == 0 }
                }
            }
        }

        @Test func `a backup that runs on battery power wakes the machine there`() throws {
            try Laptop.with(onAC: false) {
                try SleepWorld.with(Self.backup("battery: run")) { world in try #expect(world.nextWakeup() > 0) }
            }
        }

        @Test func `a machine that lost AC power in its sleep goes back to sleep, and the backup runs when power is back`() throws {
            try Laptop.with(onAC: true) {
                try SleepWorld.with(SleepWorld.server(in: 8, after: "nothing", more: ", battery: wait")) { world in
                    let alarm = try world.nextWakeup()
                    #expect(alarm > 0)
                    try world.sleep()
                    try Laptop.setPower(world.machine, false, telling: false)
                    try world.machine.eventually("its alarm elapses", within: 20) {
                        try Double(world.machine.sh("date +%s%6N")) ?? 0 >= Double(alarm)
                    }
                    try world.wake()
                    try world.awaitSleeps(["suspend", "suspend"], within: 30)
                    #expect(try world.daemon.events(of: "server") == [])
                    try Laptop.setPower(world.machine, true, telling: false)
                    try world.wake()
                    try world.daemon.awaitEvents(of: "server", ["started schedule", "finished success"])
                }
            }
        }

        @Test(arguments: ["wait", "abort"])
        func `a backup that is due seconds after AC power went away is not lost if it comes back`(battery: String) throws {
            try Laptop.with(onAC: true) {
                let configuration = "backups: {server: {schedule: '\(DaemonWorld.once(in: 4))', battery: \(battery)}}"
                try DaemonWorld.with(configuration, scripts: ["server": "exit 0"]) { world in
                    try Laptop.setPower(world.machine, false)
                    try world.awaitState("waiting", of: "server")
                    try #expect(world.events(of: "server") == [])
                    try Laptop.setPower(world.machine, true)
                    try world.awaitEvents(of: "server", ["started schedule", "finished success"])
                }
            }
        }
    }
}
