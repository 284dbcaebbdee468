import Foundation
import Testing

extension WholeSystem {
    /// Processes of a run in a shell whose runner is killed.
    @Suite("Processes that outlive the runner in a shell")
    struct OrphanTests {
        let machine: Machine
        let cursor: String

        init() throws {
            machine = try Machine.shared
            cursor = try machine.journalCursor()
        }

        /// Its child outlives the script, which the kernel kills with the runner.
        private static func script(_ child: String) -> String {
            """
            #!/bin/bash
            \(child) bash -c 'trap "" TERM HUP; echo $$ >/run/orphan/pid; touch /run/orphan/begun; until [ -e /run/orphan/end ]; do sleep 0.05; done' &
            wait
            """
        }

        /// Runs `hand` in a shell, kills its runner when the script runs, and runs `body`.
        /// - Parameter daemon: whether lightsoutd runs.
        private func orphaning(
            daemon: Bool, _ child: String = "", configuration: String = "", _ body: () throws -> Void
        ) throws {
            try machine.sh("systemctl \(daemon ? "start" : "stop") lightsoutd; rm -rf /run/orphan; mkdir -m 777 /run/orphan")
            try machine.withBackup("hand", script: Self.script(child), mode: 0o755, configuration: configuration) { _ throws in
                if daemon { try machine.sh("systemctl restart lightsoutd") }
                let shell = try machine.start("lightsout run hand >/dev/null 2>&1 & echo $! >/run/orphan/runner; wait")
                try machine.eventually("the script runs") { try machine.exists("/run/orphan/begun") }
                try machine.sh("kill -KILL $(cat /run/orphan/runner)")
                _ = shell.finish()
                let outcome = Result { try body() }
                try machine.write("/run/orphan/end", "")
                try machine.eventually("no lock is left") { try machine.ownLocks().isEmpty }
                try outcome.get()
            }
        }

        private var orphanLock: Machine.Lock? {
            get throws { try machine.ownLocks().first { $0.why.contains("'hand' has lost its runner") } }
        }

        private func letItEnd() throws {
            try machine.write("/run/orphan/end", "")
            try machine.eventually("its end is recorded", within: 10) {
                try machine.results(of: "hand", after: cursor) == ["aborted"]
            }
            try machine.eventually("the lock is gone", within: 2) { try machine.ownLocks().isEmpty }
        }

        @Test(arguments: ["", "setsid", "setsid -f"]) func `get a lock from the daemon at once, until they are gone`(child: String) throws {
            try orphaning(daemon: true, child) {
                try machine.eventually("there is a lock", within: 1) { try orphanLock != nil }
                #expect(try machine.results(of: "hand", after: cursor) == [])
                let next = try machine.run("lightsout run hand")
                #expect(next.status == 75, "\(next)")
                #expect(next.stderr.contains("whose runner is gone"), "\(next)")
                try letItEnd()
                #expect(try machine.property("ActiveState", of: "lightsout-keeper.service") == "inactive")
                #expect(try machine.sh("busctl get-property org.lightsout1 /org/lightsout1/backup/hand org.lightsout1.Backup State") == #"s "idle""#)
            }
            #expect(try machine.results(of: "hand", after: cursor) == ["aborted"])
        }

        @Test func `get a lock from the next run where no daemon runs, and that run does not begin`() throws {
            try orphaning(daemon: false) {
                #expect(try orphanLock == nil)
                let next = try machine.run("lightsout run hand")
                #expect(next.status == 75, "\(next)")
                let pid = try machine.read("/run/orphan/pid").trimmingCharacters(in: .whitespacesAndNewlines)
                // A sleep that the script has just started may be listed behind it.
                #expect(next.stderr.contains("(pid \(pid), ") && next.stderr.contains(", since "), "\(next)")
                try machine.eventually("there is a lock", within: 2) { try orphanLock != nil }
                #expect(try machine.run("lightsout run hand").status == 75)
                #expect(try machine.ownLocks().count == 1)
                try letItEnd()
            }
            #expect(try machine.results(of: "hand", after: cursor) == ["aborted"])
        }

        @Test func `of another user are seen by the daemon, which cannot read their environment`() throws {
            try orphaning(daemon: true, configuration: "backups: {hand: {user: tester}}") {
                try machine.eventually("there is a lock", within: 1) { try orphanLock != nil }
                try letItEnd()
            }
        }

        @Test func `keep their lock when the keeper or the daemon is killed`() throws {
            try orphaning(daemon: true) {
                try machine.eventually("there is a lock", within: 1) { try orphanLock != nil }
                try machine.sh("systemctl kill --signal=KILL lightsoutd lightsout-keeper; systemctl reset-failed lightsoutd 2>/dev/null; true")
                try machine.eventually("there is a lock again", within: 5) { try orphanLock != nil }
                try letItEnd()
            }
        }

        @Test func `are not what copies the environment of a run`() throws {
            try machine.sh("systemctl start lightsoutd; rm -rf /run/orphan; mkdir -m 777 /run/orphan")
            try machine.withBackup("hand", script: "#!/bin/sh\necho $LIGHTSOUT_RUN >/run/orphan/run; sleep 30\n") { _ throws in
                let shell = try machine.start("lightsout run hand >/dev/null 2>&1 & echo $! >/run/orphan/runner; wait")
                try machine.eventually("the script runs") { try machine.exists("/run/orphan/run") }
                let copy = try machine.start("LIGHTSOUT_RUN=$(cat /run/orphan/run) sleep 20", as: "tester")
                usleep(200_000)
                // The run's own `sleep` is ended too: only the copy is left.
                try machine.sh("runner=$(cat /run/orphan/runner); children=$(pgrep -x -f 'sleep 30'); kill -KILL $runner $children")
                _ = shell.finish()
                try machine.write("/etc/lightsout/backup/hand_backup", "#!/bin/sh\n", mode: 0o700)
                // The daemon has a look at the same time.
                try machine.eventually("the next run begins") { try machine.run("lightsout run hand").status == 0 }
                _ = try? machine.run("pkill -u tester sleep")
                _ = copy.finish()
            }
            #expect(try machine.results(of: "hand", after: cursor) == ["aborted", "success"])
        }
    }
}
