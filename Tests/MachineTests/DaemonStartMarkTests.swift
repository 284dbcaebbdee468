import Foundation
import Testing

extension WholeSystem {
    /// A daemon that is killed between asking systemd for a start and seeing its run of milliseconds.
    @Suite("Starts that their daemon did not live to see")
    struct DaemonStartMarkTests {
        private static let once = ["started schedule", "finished success"]

        /// Runs `body` when the daemon has asked for the start of `quick` and stands still: from before the runner is started
        /// until it is killed it sees nothing.
        private func withStandstill(_ body: (DaemonWorld) throws -> Void) throws {
            try DaemonWorld.with("backups: {quick: {schedule: '@+3s'}}", scripts: ["quick": "echo >>/run/test/runs"]) { world throws in
                try world.machine.write(
                    "/run/systemd/system/lightsout-backup@quick.service.d/standstill.conf",
                    """
                    [Service]
                    ExecStartPre=/bin/sh -c '[ -e /run/test/stood ] || { : >/run/test/stood; systemctl kill --signal=STOP lightsoutd; }'
                    """)
                try world.machine.sh("systemctl daemon-reload")
                defer {
                    _ = try? world.machine.run("rm -rf /run/systemd/system/lightsout-backup@quick.service.d; systemctl daemon-reload")
                }
                try world.machine.eventually("systemd was asked", within: 20) { try world.machine.exists("/run/test/stood") }
                try world.machine.eventually("the run is over") {
                    try world.machine.property("ActiveState", of: "lightsout-backup@quick.service") == "inactive"
                }
                try body(world)
            }
        }

        private func awaitRest(_ world: DaemonWorld) throws {
            try world.awaitState("idle", of: "quick")
            // What would be asked for again is asked for at once.
            usleep(1_500_000)
            try world.awaitState("idle", of: "quick")
        }

        private func runs(_ world: DaemonWorld) throws -> Int {
            try world.machine.read("/run/test/runs").split(separator: "\n", omittingEmptySubsequences: false).count - 1
        }

        @Test func `the run is not made again`() throws {
            try withStandstill { world throws in
                #expect(try runs(world) == 1)
                try world.kill9()
                try awaitRest(world)
                #expect(try runs(world) == 1)
                #expect(try world.events(of: "quick") == Self.once)
            }
        }

        @Test func `a run by hand after it changes nothing of that`() throws {
            try withStandstill { world throws in
                try world.machine.sh("systemctl start lightsout-backup@quick")
                try world.kill9()
                try awaitRest(world)
                #expect(try runs(world) == 2)
                #expect(try world.events(of: "quick") == Self.once + ["started manual", "finished success"])
            }
        }

        @Test func `the state tells which start the run came of, and a run by hand passes it on`() throws {
            try withStandstill { world throws in
                let mark = { () throws -> String in
                    try world.machine.sh("sed -n 's/^#:start=//p' /var/lib/lightsout/quick.run")
                }
                let number = try mark()
                #expect(UInt64(number, radix: 16) != nil)
                try world.machine.sh("systemctl start lightsout-backup@quick")
                #expect(try mark() == number)
                #expect(try !world.machine.exists("/run/lightsout/quick.trigger"))
            }
        }

        @Test func `killed anywhere around its starts, the daemon makes each run once`() throws {
            // Every elapse has a run of its own, or is made up for by one: never are there more runs than seconds.
            try DaemonWorld.with(
                "backups: {quick: {schedule: '*-*-* *:*:0/2'}}", scripts: ["quick": "echo $LIGHTSOUT_RUN >>/run/test/runs"]
            ) { world throws in
                let begin = Date()
                for delay in [0, 3, 6, 10, 15, 25, 40, 60] {
                    // From the elapse on.
                    try world.machine.sh(
                        """
                        now=$(date +%s%3N); sleep $(awk "BEGIN { print (2000 - $now % 2000 + \(delay)) / 1000 }")
                        systemctl reset-failed lightsoutd 2>/dev/null; systemctl kill --signal=KILL lightsoutd
                        """)
                    try world.machine.eventually("the daemon is back", within: 20) {
                        try world.machine.property("ActiveState", of: "lightsoutd.service") == "active"
                    }
                }
                try world.configure("")
                try world.machine.sh("lightsout reload; sleep 1")
                let elapses = Int(Date().timeIntervalSince(begin) / 2) + 2
                let begun = try world.events(of: "quick").count { $0.hasPrefix("started") }
                #expect(begun <= elapses && begun >= 8, "\(begun) runs for \(elapses) elapses")
                #expect(try runs(world) == begun)
            }
        }
    }
}
