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

        // MARK: Those who wait for the run

        private static let waiting = "lightsout -p 40; echo run >>/run/runs; : >/run/begun; until [ -e /run/test/go ]; do sleep 0.1; done; exit"

        @Test(arguments: [true, false], ["restart", "try-restart"])
        func `a waiting lightsout start shows the run's own result and exits with its code`(isDaemonUp: Bool, verb: String) throws {
            try DaemonWorld.with(scripts: ["awaited": Self.waiting + " 3"], starting: isDaemonUp) { world throws in
                let body = { try startAndRestart(world.machine, verb) }
                if isDaemonUp { try body() } else { try world.machine.withoutDaemon(body) }
                #expect(try world.events(of: "awaited") == ["started manual", "finished warnings"])
            }
        }

        private func startAndRestart(_ machine: Machine, _ verb: String) throws {
            try machine.sh("rm -f /run/begun /run/runs")
            let waiter = try machine.start("lightsout start awaited")
            try machine.eventually("the script runs") { try machine.exists("/run/begun") }
            for _ in 0..<2 { try restart(verb, "lightsout-backup@awaited") }
            let second = try machine.run("lightsout start awaited", within: 10)
            #expect(second.status == 75, "\(second)")
            #expect(second.complaint().hasPrefix("awaited is running already"))
            try machine.sh("sleep 1")
            try machine.write("/run/test/go", "")
            let done = waiter.finish()
            #expect(done.status == 3, "\(done)")
            #expect(done.stdout.hasPrefix("awaited: warnings after "), "\(done)")
            #expect(try machine.sh("wc -l </run/runs") == "1")
        }

        @Test func `a waiting start of a stopped run says why the run ended`() throws {
            try DaemonWorld.with(scripts: ["awaited": Self.waiting]) { world throws in
                try world.machine.sh("rm -f /run/begun")
                let waiter = try world.machine.start("lightsout start awaited")
                try world.machine.eventually("the script runs") { try world.machine.exists("/run/begun") }
                try restart("restart", "lightsout-backup@awaited")
                try world.machine.sh("systemctl stop lightsout-backup@awaited")
                let done = waiter.finish()
                #expect(done.status == 2)
                #expect(done.stdout.contains("stopped on request"), "\(done)")
            }
        }

        @Test(arguments: [0, 1])
        func `a scheduled run that somebody restarts counts as the run of its elapse`(status: Int) throws {
            let configuration = "backups: {planned: {schedule: \"@+3s\", retry: {attempts: 1, delay: 1s}}}"
            try DaemonWorld.with(configuration, scripts: ["planned": Self.waiting + " \(status)"]) { world throws in
                try world.machine.sh("rm -f /run/begun /run/runs")
                try world.machine.eventually("the script runs", within: 15) { try world.machine.exists("/run/begun") }
                for verb in ["restart", "try-restart", "restart"] { try restart(verb, "lightsout-backup@planned") }
                try world.machine.sh("sleep 3")
                #expect(try world.events(of: "planned") == ["started schedule"])
                try world.machine.write("/run/test/go", "")
                // The run's own failure is tried again; the restart is no failure.
                let own = ["started schedule", status == 0 ? "finished success" : "finished failed"]
                try world.awaitEvents(of: "planned", own + (status == 0 ? [] : ["started retry", "finished failed"]))
                try world.machine.sh("sleep 3")
                #expect(try world.events(of: "planned").count == (status == 0 ? 2 : 4))
                #expect(try !world.messages().contains { $0.contains("could not be started") })
            }
        }

        @Test func `the progress of a run goes on showing after a restart of its unit`() throws {
            let script = "lightsout -p 20; : >/run/begun; until [ -e /run/test/go ]; do sleep 0.1; done; lightsout -p 60; sleep 1.5"
            try DaemonWorld.with(scripts: ["awaited": script]) { world throws in
                try world.machine.sh("rm -f /run/begun")
                let waiter = try world.machine.start(
                    "export TERM=xterm; script -qec 'stty cols 80; lightsout start awaited' /dev/null </dev/null")
                try world.machine.eventually("the script runs") { try world.machine.exists("/run/begun") }
                try restart("restart", "lightsout-backup@awaited")
                try world.machine.write("/run/test/go", "")
                let done = waiter.finish()
                #expect(done.status == 0)
                #expect(done.stdout.contains("awaited  [############--------]  60%"), "\(done)")
                #expect(done.stdout.contains("success"), "\(done)")
            }
        }

        // MARK: What else administrators do during a run

        @Test func `isolate, daemon-reload and reset-failed do not touch a run`() throws {
            try machine.withBackup("kept", script: Self.script("exit 3")) { (unit: String) throws in
                try machine.sh("rm -f /run/go /run/runs")
                try machine.begin(unit)
                for verb in ["daemon-reload", "reset-failed '\(unit)'", "reset-failed", "isolate multi-user.target"] {
                    try machine.sh("timeout 20 systemctl \(verb)")
                    #expect(try machine.property("ActiveState", of: unit) == "activating", "\(verb)")
                    #expect(try machine.ownLocks().count == 1, "\(verb)")
                }
                try machine.sh("touch /run/go")
                try machine.awaitEnd(of: unit)
                #expect(try machine.results(of: "kept", after: cursor) == ["warnings"])
                #expect(try machine.sh("wc -l </run/runs") == "1")
            }
        }

        @Test(arguments: ["systemctl kill", "systemctl kill -s INT", "systemctl kill -s KILL"])
        func `systemctl kill ends a run as aborted`(command: String) throws {
            try machine.withBackup("killed", script: Self.script("exit 3")) { (unit: String) throws in
                try machine.remove("/run/go")
                try machine.begin(unit)
                try machine.sh("\(command) '\(unit)'")
                try machine.awaitEnd(of: unit)
                #expect(try machine.results(of: "killed", after: cursor) == ["aborted"])
                #expect(try machine.ownLocks() == [])
            }
        }

        /// Counts the signals that it and a child of it get, and ends.
        private static let counting = """
            #!/bin/bash
            rm -f /run/told
            setsid bash -c 'trap "echo child >>/run/told; exit" TERM; while :; do sleep 0.05; done' &
            trap 'echo script >>/run/told' TERM
            : >/run/begun
            until [ -s /run/told ]; do sleep 0.05; done
            sleep 1
            """

        @Test(arguments: [
            ("control-group", "systemctl stop"), ("mixed", "systemctl stop"), ("process", "systemctl stop"),
            ("control-group", "systemctl kill --kill-whom=main"), ("control-group", "systemctl kill"),
            ("control-group", "systemctl kill --kill-whom=main -s INT"), ("mixed", "systemctl kill --kill-whom=all"),
        ])
        func `whoever systemd signals, every process of the script gets SIGTERM once`(mode: String, command: String) throws {
            let dropIn = "/run/systemd/system/lightsout-backup@alone.service.d/mode.conf"
            try machine.write(dropIn, "[Service]\nKillMode=\(mode)\n")
            defer { _ = try? machine.run("rm -r /run/systemd/system/lightsout-backup@alone.service.d; systemctl daemon-reload") }
            try machine.sh("systemctl daemon-reload")
            try machine.withBackup("alone", script: Self.counting) { (unit: String) throws in
                try machine.begin(unit)
                try machine.sh("\(command) '\(unit)'")
                try machine.awaitEnd(of: unit, within: 10)
                #expect(try machine.sh("sort /run/told") == "child\nscript")
                #expect(try machine.results(of: "alone", after: cursor) == ["aborted"])
                #expect(try machine.ownLocks() == [])
            }
        }
    }
}
