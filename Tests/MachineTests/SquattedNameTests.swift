import Foundation
import LightsOutCore
import Testing

extension WholeSystem {
    /// A name is root's from the moment that the configuration or a script has it, whoever reported under it before.
    @Suite("Squatted names")
    struct SquattedNameTests {
        init() throws { _ = try Machine.shared }

        /// Runs `body` while the user reports `nightly`.
        private func squatting(_ world: DaemonWorld, _ name: String = "nightly", _ body: () throws -> Void) throws {
            defer { try? world.machine.remove("/etc/lightsout/backup/\(name)_backup") }
            try Reports().reporting(name, as: "tester", session: true, body)
        }

        private func finish(_ world: DaemonWorld, _ name: String = "nightly") throws -> Completed {
            try world.machine.run("lightsout -f 0 --name \(name)", as: "tester", session: true)
        }

        @Test(arguments: ["reload", "restart", "kill"])
        func `a backup that takes a name from a report runs on time, and has its own results only`(how: String) throws {
            try DaemonWorld.with("") { world throws in
                try squatting(world) { () throws in
                    try world.install("nightly", "touch /run/test/ran; sleep 3")
                    try world.configure("backups: {nightly: {schedule: '@+6s'}}")
                    switch how {
                    case "kill": try world.kill9()
                    default: try world.machine.sh("systemctl \(how) lightsoutd")
                    }
                    try world.machine.eventually("the report has ended") { try Reports().lock(of: "nightly") == nil }
                    #expect(try world.state(of: "nightly") == "idle")
                    #expect(try world.property("LastResult", of: "nightly") == "s \"\"")
                    #expect(try world.property("LastFinished", of: "nightly") == "t 0")
                    let refused = try finish(world)
                    #expect(refused.status != 0 && refused.stderr.contains("only root reports"), "\(refused)")
                    try world.awaitState("running", of: "nightly")
                    #expect(try finish(world).status != 0)
                    #expect(try world.machine.run("lightsout -p 99 --name nightly", as: "tester", session: true).status != 0)
                    #expect(try world.property("Progress", of: "nightly") == "y 255")
                    #expect(try world.machine.run("lightsout stop nightly").succeeded)
                    try world.awaitEvents(of: "nightly", ["started report", "finished unknown", "started schedule", "finished aborted"])
                    #expect(try world.property("LastResult", of: "nightly") == "s \"aborted\"")
                }
            }
        }

        @Test func `a success that was reported before is none of the backup's, with the daemon and without it`() throws {
            try DaemonWorld.with("") { world throws in
                try squatting(world, "weekly") { () throws in try #expect(finish(world, "weekly").succeeded) }
                let record = try #require(try world.machine.journal(Reports.finished, "LIGHTSOUT_BACKUP=weekly", after: world.cursor).last)
                #expect(record["LIGHTSOUT_REPORTER"] == "1500")
                #expect(try world.property("LastResult", of: "weekly") == "s \"success\"")
                defer { try? world.machine.remove("/etc/lightsout/backup/weekly_backup") }
                try world.install("weekly", "exit 1")
                try world.configure("backups: {weekly: {schedule: yearly, stale_after: 1h}}")
                try world.machine.sh("systemctl reload lightsoutd")
                #expect(try world.property("LastResult", of: "weekly") == "s \"\"")
                try world.kill9()
                #expect(try world.property("LastResult", of: "weekly") == "s \"\"")
                try world.machine.withoutDaemon {
                    let status = try world.machine.run("lightsout status --json")
                    #expect(status.stdout.contains("\"last_result\": null"), "\(status)")
                }
            }
        }

        @Test func `a name that a script has is not given to a report, also before the next reload`() throws {
            try DaemonWorld.with("") { world throws in
                try world.install("nightly", "exit 0")
                defer { try? world.machine.remove("/etc/lightsout/backup/nightly_backup") }
                let refused = try world.machine.run("lightsout -r --name nightly", as: "tester", session: true)
                #expect(refused.status != 0 && refused.stderr.contains("only root reports"), "\(refused)")
                #expect(try world.machine.run("lightsout -r --name other", as: "tester", session: true).succeeded)
            }
        }
    }
}
