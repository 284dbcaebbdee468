import Foundation
import Testing

extension WholeSystem {
    /// A restart of a unit, whoever asks for it, does not touch the run.
    @Suite("Restarts of a running backup")
    struct RunnerRestartTests {
        let machine: Machine
        let cursor: String

        init() throws {
            machine = try Machine.shared
            cursor = try machine.journalCursor()
        }

        private static func script(_ last: String) -> String {
            "#!/bin/bash\necho run >>/run/runs\ntouch /run/begun\nuntil [ -e /run/go ]; do sleep 0.1; done\n\(last)\n"
        }

        private func restart(_ verb: String, _ unit: String) throws {
            let said = try machine.run("timeout 10 systemctl \(verb) '\(unit)'")
            #expect(said.status != 124, "\(verb) gets an answer at once: \(said)")
        }

        @Test(arguments: ["restart", "try-restart", "reload-or-restart", "try-reload-or-restart", "condrestart"], [0, 3, 1])
        func `the run goes on under its lock to its own result, once`(verb: String, status: Int) throws {
            try machine.withBackup("kept", script: Self.script("exit \(status)")) { (unit: String) throws in
                try machine.remove("/run/go")
                try machine.remove("/run/runs")
                try machine.begin(unit)
                for _ in 0..<2 { try restart(verb, unit) }
                #expect(try machine.ownLocks().count == 1)
                #expect(try machine.sh("systemctl list-jobs --no-legend '\(unit)' | wc -l") == "0")
                try machine.sh("touch /run/go")
                try machine.awaitEnd(of: unit)
                #expect(try machine.results(of: "kept", after: cursor) == [[0: "success", 3: "warnings", 1: "failed"][status] ?? ""])
                #expect(try machine.sh("wc -l </run/runs") == "1")
                #expect(try machine.property("ActiveState", of: unit) == (status == 1 ? "failed" : "inactive"))
            }
        }

        @Test func `a stop after a restart ends the run at once, also after systemd executed itself again`() throws {
            try machine.withBackup("stopped", script: Self.script("")) { (unit: String) throws in
                try machine.remove("/run/go")
                try machine.begin(unit)
                try restart("restart", unit)
                try machine.sh("systemctl daemon-reexec")
                try machine.sh("sleep 1.5; timeout 10 systemctl stop '\(unit)'")
                #expect(try machine.results(of: "stopped", after: cursor) == ["aborted"])
                #expect(try machine.ownLocks() == [])
            }
        }
    }
}
