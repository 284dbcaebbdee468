import Foundation
import Testing

extension WholeSystem {
    /// What the lock could not prevent is in the result: of runs, and of reported backups. What did not happen is not.
    @Suite("What the lock could not prevent")
    struct UnpreventedTests {
        let machine: Machine
        let cursor: String

        init() throws {
            machine = try Machine.shared
            try machine.sh("systemctl stop lightsoutd")
            cursor = try machine.journalCursor()
        }

        /// Reports a backup while `body` runs.
        private func reporting(_ body: (Reports) throws -> Void) throws {
            defer { _ = try? machine.run("systemctl stop lightsoutd") }
            let reports = try Reports()
            defer { try? machine.sleepLasts(.seconds(0)) }
            try reports.reporting("photos") { try body(reports) }
        }

        private static let holding = "#!/bin/sh\nrm -f /run/let-it-end; touch /run/begun; until [ -e /run/let-it-end ]; do sleep 0.02; done\n"

        /// A suspend that no block lock stops.
        private func suspend() throws {
            try machine.suspendPastLocks()
            try machine.eventually("the attempt to sleep is over", within: 10) {
                try machine.run("busctl get-property \(Machine.logind) PreparingForSleep").output == "b false"
                    && !["activating", "reloading"].contains(machine.property("ActiveState", of: "systemd-suspend.service"))
            }
            usleep(500_000)
        }

        private func loseLock() throws {
            try machine.sh(
                "systemctl reset-failed systemd-logind; rm -rf /run/systemd/inhibit; kill -KILL $(systemctl show --property=MainPID --value systemd-logind)")
            try machine.eventually("there is a lock again", within: 15) { try machine.ownLocks().count == 1 }
        }

        private func finished(_ backup: String) throws -> [String: String] {
            try #require(try machine.records(MessageID.finished, of: backup, after: cursor).last)
        }

        @Test func `a suspend that fails is no sleep`() throws {
            try machine.withBackup("kept", script: Self.holding) { (unit: String) throws in
                try machine.begin(unit)
                try machine.sleepLasts(.fails)
                for _ in 0..<2 { try suspend() }
                #expect(try machine.property("ActiveState", of: "systemd-suspend.service") == "failed", "it was tried")
                try machine.write("/run/let-it-end", "")
                try machine.awaitEnd(of: unit)
                #expect(try finished("kept")["LIGHTSOUT_RESULT"] == "success")
                #expect(try finished("kept")["LIGHTSOUT_REASON"] == nil)
            }
        }

        @Test func `one that fails hides none that does not`() throws {
            try machine.withBackup("kept", script: Self.holding) { (unit: String) throws in
                try machine.begin(unit)
                try machine.sleepLasts(.fails)
                try suspend()
                try machine.sleepLasts(.seconds(1))
                try suspend()
                try machine.write("/run/let-it-end", "")
                try machine.awaitEnd(of: unit)
                #expect(try finished("kept")["LIGHTSOUT_RESULT"] == "warnings")
                let reason = try #require(try finished("kept")["LIGHTSOUT_REASON"])
                #expect(reason.wholeMatch(of: /the machine slept during the run, from [^,]* to [^,]*/) != nil, "\(reason)")
            }
        }

        @Test func `a lock that was lost and taken again is told of, and the result stays`() throws {
            try machine.withBackup("kept", script: Self.holding) { (unit: String) throws in
                try machine.begin(unit)
                try loseLock()
                let gap = /standby was not blocked from .* to .*, because logind had lost the lock/
                #expect(try machine.run("lightsout status kept").output.contains(gap))
                try machine.write("/run/let-it-end", "")
                try machine.awaitEnd(of: unit)
                #expect(try finished("kept")["LIGHTSOUT_RESULT"] == "success")
                #expect(try #require(try finished("kept")["LIGHTSOUT_REASON"]).wholeMatch(of: gap) != nil)
                #expect(try machine.run("lightsout history kept").output.contains(gap))
                #expect(try machine.run("lightsout status kept").output.contains(gap))
            }
        }

        // MARK: Reported backups

        @Test(arguments: [(Machine.SleepLength.seconds(1), "warnings"), (.fails, "success")])
        func `a reported backup tells of a sleep too, and of none that fails`(length: Machine.SleepLength, result: String) throws {
            try reporting { _ in
                try machine.sleepLasts(length)
                try suspend()
                #expect(try machine.run("lightsout status photos").output.contains("the machine slept") == (result == "warnings"))
                try machine.sh("lightsout -f 0 --name photos")
            }
            #expect(try finished("photos")["LIGHTSOUT_RESULT"] == result)
            let reason = try finished("photos")["LIGHTSOUT_REASON"]
            #expect(reason?.contains("the machine slept during the run, from ") == (result == "warnings" ? true : nil))
        }

        @Test func `a reported backup remembers a sleep over a restart of the daemon, and the lost lock`() throws {
            try reporting { reports in
                try machine.sleepLasts(.seconds(1))
                try suspend()
                try machine.sh("systemctl restart lightsoutd")
                try machine.eventually("it is reported still") { try reports.lock(of: "photos") != nil }
                try loseLock()
                try machine.sh("lightsout -f 0 --name photos")
            }
            let reason = try #require(try finished("photos")["LIGHTSOUT_REASON"])
            #expect(try finished("photos")["LIGHTSOUT_RESULT"] == "warnings", "\(reason)")
            #expect(reason.contains("the machine slept during the run, from "), "\(reason)")
            #expect(reason.contains("standby was not blocked from "), "\(reason)")
        }
    }
}
