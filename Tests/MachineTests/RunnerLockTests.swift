import Foundation
import Testing

extension WholeSystem {
    /// While the script or anything that it started lives, and no longer, standby is blocked.
    @Suite("The runner's lock")
    struct RunnerLockTests {
        let machine: Machine
        /// Where the journal stood before the test.
        let cursor: String

        init() throws {
            machine = try Machine.shared
            cursor = try machine.journalCursor()
        }

        @Test func `is listed before the script's first line runs`() throws {
            try machine.withBackup("first", script: "#!/bin/sh\nsystemd-inhibit --list --no-legend >/run/seen\n") { (unit: String) throws in
                #expect(try machine.run("systemctl start \(unit)").succeeded)
                let lock = try #require(try machine.read("/run/seen").split(separator: "\n").first { $0.hasPrefix("lightsout") })
                #expect(lock.contains("sleep:handle-lid-switch") && lock.contains("Backup 'first' is running"))
                #expect(lock.hasSuffix(" block"))
            }
        }

        @Test func `inhibits what the configuration says`() throws {
            let configuration = "backups: {what: {inhibit: [sleep, shutdown, idle]}}\n"
            try machine.withBackup("what", script: holding, configuration: configuration) { (unit: String) throws in
                try machine.begin(unit)
                #expect(try machine.ownLocks().flatMap { $0.what.split(separator: ":") }.sorted() == ["idle", "shutdown", "sleep"])
            }
        }

        @Test func `refuses an unprivileged suspend meanwhile, and permits it afterwards`() throws {
            try machine.withBackup("guard", script: holding) { (unit: String) throws in
                try machine.begin(unit)
                let suspend = "busctl call \(Machine.logind) Suspend b false"
                #expect(try !machine.run(suspend, as: "tester", session: true).succeeded)
                #expect(try machine.sleeps() == [])
                try machine.write("/run/let-it-end", "")
                try machine.awaitEnd(of: unit)
                #expect(try machine.run(suspend, as: "tester", session: true).succeeded)
                try machine.eventually("it slept") { try machine.sleeps() == ["suspend"] }
                try awaitWakefulness()
            }
        }

        /// What it takes to escape from a parent that only waits for its child, its group or its pipe.
        enum Escape: String, CaseIterable {
            case inTheBackground = "sleep 4242 &"
            case doubleForked = "(sleep 4242 &) &"
            case inItsOwnSession = "setsid --fork sleep 4242"
            case withoutDescriptors = "setsid --fork sleep 4242 <&- >&- 2>&-"
            case withAnotherParentAndName = "(setsid sh -c 'exec -a daemon sleep 4242' 2>/dev/null || setsid sleep 4242) & disown 2>/dev/null"
            case inAScopeOfItsOwn = "systemd-run --quiet --scope sleep 4242 &"
        }

        @Test(arguments: Escape.allCases)
        func `outlives the script while a process that it left behind lives`(escape: Escape) throws {
            try machine.withBackup("leaves", script: "#!/bin/bash\n\(escape.rawValue)\nsleep 0.1\ntouch /run/begun\n") { (unit: String) throws in
                try machine.begin(unit)
                try machine.eventually("the script has ended") {
                    try machine.property("StatusText", of: unit).hasPrefix("Script has ended, its background processes run on")
                }
                try #expect(machine.ownLocks().count == 1)
                let left = try machine.sleepers()
                try #require(!left.isEmpty)
                try machine.sh("kill \(left.joined(separator: " "))")
                try machine.eventually("the lock is gone", within: 1) { try machine.ownLocks().isEmpty }
                try machine.awaitEnd(of: unit)
                #expect(try machine.results(of: "leaves", after: cursor) == ["success"])
            }
        }

        @Test func `is gone within milliseconds of the end of the last process`() throws {
            let script = "#!/bin/bash\nsetsid --fork sh -c 'touch /run/begun; sleep 0.5; exec date +%s%N >/run/ended'\n"
            try machine.withBackup("quick", script: script) { (unit: String) throws in
                try machine.begin(unit)
                // A lock is a file here; `read` waits a hundredth of a millisecond or so between the looks.
                let gone = try machine.sh(
                    "lock=$(grep -l ^WHO=lightsout /run/systemd/inhibit/*); while [ -e $lock ]; do :; done; date +%s%N")
                let ended = try machine.read("/run/ended").trimmingCharacters(in: .whitespacesAndNewlines)
                let milliseconds = try (#require(Double(gone)) - #require(Double(ended))) / 1e6
                // `make bench` measures it; here the machine may be busy with something else.
                #expect(milliseconds < 100)
                try machine.awaitEnd(of: unit)
            }
        }

        @Test func `is taken when a sleep that is under way is over, and the script starts then`() throws {
            try machine.sleepLasts(.untilWoken)
            try machine.sh("systemctl suspend")
            try machine.eventually("it sleeps") { try machine.isAsleep() }
            try machine.withBackup("wakes", script: "#!/bin/sh\ntouch /run/begun\n") { (unit: String) throws in
                try machine.remove("/run/begun")
                try machine.sh("systemctl start --no-block \(unit)")
                try machine.eventually("it waits") {
                    try machine.property("StatusText", of: unit).hasPrefix("Waiting for the end of a sleep")
                }
                usleep(600_000)
                #expect(try !machine.exists("/run/begun"))
                #expect(try machine.property("ActiveState", of: unit) == "activating")
                try machine.wake()
                try machine.awaitEnd(of: unit)
                #expect(try machine.results(of: "wakes", after: cursor) == ["success"])
                #expect(try machine.records(MessageID.lock, of: "wakes", after: cursor).map { $0["LIGHTSOUT_LOCK"] } == ["taken", "released"])
            }
        }

        @Test func `is no longer waited for when the run is stopped`() throws {
            try machine.sleepLasts(.untilWoken)
            try machine.sh("systemctl suspend")
            try machine.eventually("it sleeps") { try machine.isAsleep() }
            try machine.withBackup("gives-up", script: "#!/bin/sh\ntouch /run/begun\n") { (unit: String) throws in
                try machine.remove("/run/begun")
                try machine.sh("systemctl start --no-block \(unit)")
                try machine.eventually("it waits") { try machine.property("StatusText", of: unit).hasPrefix("Waiting") }
                try machine.sh("systemctl stop \(unit)")
                #expect(try !machine.exists("/run/begun"))
                #expect(try machine.results(of: "gives-up", after: cursor) == ["aborted"])
                try machine.wake()
                try awaitWakefulness()
            }
        }

        @Test(arguments: [("run", "success", Int32(0)), ("fail", "failed", 1)])
        func `without logind the policy decides, and never silently`(policy: String, result: String, status: Int32) throws {
            try machine.withBackup(
                "bare", script: "#!/bin/sh\n", configuration: "backups: {bare: {unprotected: \(policy)}}\n"
            ) { (_: String) throws in
                try machine.sh("systemctl mask --runtime --now systemd-logind.service 2>&1")
                defer { try? bringLogindBack() }
                let run = try machine.run("lightsout run bare")
                #expect(run.status == status)
                #expect(run.stderr.contains("bare: there is no logind to block standby with"))
                let told = try machine.records(MessageID.lock, of: "bare", after: cursor)
                #expect(told.map { $0["LIGHTSOUT_LOCK"] } == ["refused"])
                #expect(told.first?["PRIORITY"] == "3")
                #expect(try machine.results(of: "bare", after: cursor) == [result])
            }
        }

        @Test func `without a bus too, and the journal says why`() throws {
            try machine.withBackup("busless", script: "#!/bin/sh\n") { (_: String) throws in
                try machine.sh("systemctl mask --runtime --now dbus.socket dbus.service 2>&1; rm -f /run/dbus/system_bus_socket")
                defer {
                    _ = try? machine.sh("systemctl unmask --runtime dbus.socket dbus.service 2>&1; systemctl start dbus.socket dbus.service")
                    try? bringLogindBack()
                }
                let run = try machine.run("lightsout run busless")
                #expect(run.status == 0, "\(run)")
                #expect(run.stderr.contains("there is no logind to block standby with (connect"), "\(run)")
            }
            #expect(try machine.results(of: "busless", after: cursor) == ["success"])
        }

        @Test func `that logind refuses makes a success one with warnings`() throws {
            try machine.withBackup("refused", script: "#!/bin/sh\n") { (_: String) throws in
                try machine.write("/run/systemd/logind.conf.d/one.conf", "[Login]\nInhibitorsMax=1\n")
                try machine.sh("systemctl restart systemd-logind")
                defer {
                    try? machine.remove("/run/systemd/logind.conf.d/one.conf")
                    _ = try? machine.sh("systemctl restart systemd-logind")
                }
                let run = try machine.run("systemd-inhibit --what=idle lightsout run refused")
                #expect(run.status == 3, "\(run)")
                let finished = try #require(try machine.records(MessageID.finished, of: "refused", after: cursor).first)
                #expect(finished["LIGHTSOUT_RESULT"] == "warnings")
                #expect(finished["LIGHTSOUT_REASON"]?.hasPrefix("logind refused to block standby (") == true)
            }
        }

        @Test func `survives a restart of logind`() throws {
            try machine.withBackup("restart", script: holding) { (unit: String) throws in
                try machine.begin(unit)
                let before = try machine.ownLocks()
                try machine.sh("systemctl reset-failed systemd-logind; systemctl restart systemd-logind")
                usleep(300_000)
                #expect(try machine.ownLocks() == before)
                #expect(before.count == 1)
                try end(unit)
                #expect(try machine.records(MessageID.lock, of: "restart", after: cursor).map { $0["LIGHTSOUT_LOCK"] } == ["taken", "released"])
            }
        }

        @Test func `that logind has forgotten is taken anew, and the gap is in the journal`() throws {
            try machine.withBackup("forgotten", script: holding) { (unit: String) throws in
                try machine.begin(unit)
                try machine.sh("rm -rf /run/systemd/inhibit; kill -KILL $(systemctl show --property=MainPID --value systemd-logind)")
                try machine.eventually("there is a lock again", within: 8) { try machine.ownLocks().count == 1 }
                try end(unit)
                #expect(try machine.ownLocks().isEmpty)
                let told = try machine.records(MessageID.lock, of: "forgotten", after: cursor)
                #expect(told.map { $0["LIGHTSOUT_LOCK"] } == ["taken", "lost", "taken", "released"])
                #expect(try machine.results(of: "forgotten", after: cursor) == ["success"])
            }
        }

        @Test func `is held after the bus was restarted under it, by a run that nothing else happens to`() throws {
            try machine.withBackup("bus", script: holding) { (unit: String) throws in
                try machine.begin(unit)
                try machine.sh("systemctl restart dbus.service")
                try bringLogindBack()
                try machine.eventually("the lock is listed", within: 8) { try machine.ownLocks().count == 1 }
                usleep(1_500_000)
                #expect(try machine.ownLocks().count == 1)
                try end(unit)
                #expect(try machine.ownLocks().isEmpty)
                #expect(try machine.results(of: "bus", after: cursor) == ["success"])
            }
        }

        @Test(arguments: [("", "warnings"), ("slept: ignore", "success")])
        func `that a suspend went past is told of in the result`(key: String, result: String) throws {
            let configuration = "backups: {slept: {description: x\(key.isEmpty ? "" : ", \(key)")}}\n"
            try machine.withBackup("slept", script: holding, configuration: configuration) { (unit: String) throws in
                try machine.begin(unit)
                for sleep in 1...2 {
                    try machine.suspendPastLocks()
                    try machine.eventually("the sleep is told of", within: 10) {
                        try machine.journal("LIGHTSOUT_BACKUP=slept", after: cursor).count { $0["MESSAGE"]?.contains("the machine slept during the run") == true } == sleep
                    }
                    try awaitWakefulness()
                }
                try end(unit)
                let record = try #require(try machine.records(MessageID.finished, of: "slept", after: cursor).last)
                #expect(record["LIGHTSOUT_RESULT"] == result)
                let reason = try #require(record["LIGHTSOUT_REASON"])
                #expect(reason.wholeMatch(of: /the machine slept during the run, from .* to .*, from .* to .*/) != nil, "\(reason)")
                #expect(try machine.run("lightsout history slept").output.contains("the machine slept during the run"))
                #expect(try machine.run("lightsout history slept --json").output.contains("the machine slept during the run"))
                #expect(try machine.run("lightsout status slept").output.contains("the machine slept during the run"))
            }
        }

        @Test func `stops root's suspend since systemd 257, and does not before`() throws {
            try machine.withBackup("root", script: holding) { (unit: String) throws in
                try machine.begin(unit)
                let isStopped = try machine.systemdVersion >= 257
                for line in ["systemctl suspend", "systemctl suspend -i", "busctl call \(Machine.logind) Suspend b false"] {
                    try machine.forgetSleeps()
                    #expect(try machine.run(line).succeeded != isStopped, "\(line)")
                    if !isStopped { try machine.eventually("it slept") { try machine.sleeps() == ["suspend"] } }
                    try awaitWakefulness()
                }
                #expect(try machine.sleeps() == (isStopped ? [] : ["suspend"]))
                try end(unit)
            }
        }

        /// A script that lasts until ``end(_:)``.
        private let holding = "#!/bin/sh\nrm -f /run/let-it-end; touch /run/begun; until [ -e /run/let-it-end ]; do sleep 0.02; done\n"

        private func end(_ unit: String) throws {
            try machine.write("/run/let-it-end", "")
            try machine.awaitEnd(of: unit)
        }

        private func awaitWakefulness() throws {
            try machine.eventually("logind is done with the sleep") {
                try machine.run("busctl get-property \(Machine.logind) PreparingForSleep").output == "b false"
            }
        }

        private func bringLogindBack() throws {
            try machine.sh("systemctl unmask --runtime systemd-logind.service 2>&1; systemctl reset-failed systemd-logind polkit dbus; systemctl restart systemd-logind polkit")
            try machine.eventually("logind answers") { try machine.run("busctl call \(Machine.logind) ListInhibitors").succeeded }
        }
    }
}
