import Foundation
import Testing

extension WholeSystem {
    /// Reported backups while the daemon is stopped: the keeper holds their locks.
    @Suite("Reported backups and a stopped daemon")
    struct ReportsStopTests {
        let machine: Machine
        let reports: Reports
        private static let keeper = "lightsout-keeper.service"

        init() throws {
            reports = try Reports()
            machine = reports.machine
        }

        private func lockChanges(_ name: String, after cursor: String) throws -> [String?] {
            try machine.journal(Reports.lock, "LIGHTSOUT_BACKUP=\(name)", after: cursor).map { $0["LIGHTSOUT_LOCK"] }
        }

        private func awaitNoKeeper() throws {
            try machine.eventually("the keeper has ended") {
                try machine.property("ActiveState", of: Self.keeper) == "inactive"
            }
        }

        /// Asks logind without a pause whether standby is blocked, while `body` runs.
        /// - Returns: how often it was asked, and how often it was not blocked.
        private func sampling(_ body: () throws -> Void) throws -> (all: Int, without: Int) {
            try machine.sh("rm -f /run/machine/stop-watching")
            let asking = try machine.start(
                """
                all=0 without=0; until [ -e /run/machine/stop-watching ]; do
                  all=$((all + 1))
                  case $(busctl get-property \(Machine.logind) BlockInhibited) in *sleep*) ;; *) without=$((without + 1)) ;; esac
                done; echo $all $without
                """)
            usleep(100_000)
            let outcome = Result { try body() }
            try machine.write("/run/machine/stop-watching", "")
            let counts = asking.finish().output.split(separator: " ").compactMap { Int($0) }
            try outcome.get()
            guard counts.count == 2 else { throw MachineError("no counts: \(counts)") }
            return (counts[0], counts[1])
        }

        @Test func `at no instant is standby possible while the daemon is stopped and started`() throws {
            let cursor = try machine.journalCursor()
            try reports.reporting("photos") { () throws in
                let samples = try sampling {
                    for _ in 0..<3 {
                        try machine.sh("systemctl stop lightsoutd")
                        #expect(try machine.property("NFileDescriptorStore", of: "lightsoutd") == "0")
                        #expect(try !machine.run("busctl call \(Machine.logind) Suspend b false", as: "tester", session: true).succeeded)
                        usleep(300_000)
                        try machine.sh("systemctl start lightsoutd")
                        usleep(200_000)
                    }
                    try machine.sh("systemctl restart lightsoutd")
                }
                #expect(samples.all > 50)
                #expect(samples.without == 0, "\(samples)")
                #expect(try reports.property("State", of: "photos") == #"s "reported""#)
                try awaitNoKeeper()
                try machine.eventually("there is one lock") { try machine.locks().count { $0.why.contains("photos") } == 1 }
                try machine.sh("lightsout -f 0 --name photos")
            }
            #expect(try lockChanges("photos", after: cursor) == ["taken", "released"])
            #expect(try reports.results(of: "photos", after: cursor) == ["success"])
            #expect(try machine.property("NFileDescriptorStore", of: "lightsoutd") == "0")
        }

        @Test func `a process that ends while the daemon is stopped lets go of its lock, and has one record`() throws {
            let cursor = try machine.journalCursor()
            try reports.reporting("music") { () throws in
                try reports.reporting("photos") { () throws in
                    let pid = try reports.reporter(of: "photos")
                    try machine.sh("systemctl stop lightsoutd; kill -KILL \(pid)")
                    try machine.eventually("its lock is gone", within: 2) { try reports.lock(of: "photos") == nil }
                    #expect(try reports.lock(of: "music") != nil)
                    #expect(try reports.results(of: "photos", after: cursor) == ["unknown"])
                    // Its name is free again, while the other one's is not.
                    #expect(try machine.run("flock --nonblock /run/lightsout/photos.lock true").succeeded)
                    try machine.sh("systemctl start lightsoutd")
                }
                #expect(try reports.property("State", of: "music") == #"s "reported""#)
                #expect(try reports.property("LastResult", of: "photos") == #"s "unknown""#)
                #expect(try reports.results(of: "photos", after: cursor) == ["unknown"])
                try machine.sh("lightsout -f 3 --name music")
            }
            #expect(try reports.results(of: "music", after: cursor) == ["warnings"])
            try awaitNoKeeper()
        }

        @Test func `a keeper that is killed loses nothing`() throws {
            let cursor = try machine.journalCursor()
            try reports.reporting("photos") { () throws in
                try machine.sh("systemctl stop lightsoutd")
                try machine.eventually("the keeper runs") { try machine.property("NFileDescriptorStore", of: Self.keeper) == "3" }
                let samples = try sampling {
                    for _ in 0..<2 {
                        let before = try machine.property("MainPID", of: Self.keeper)
                        try machine.sh("systemctl kill --signal=KILL \(Self.keeper)")
                        try machine.eventually("another keeper runs") {
                            let pid = try machine.property("MainPID", of: Self.keeper)
                            return pid != "0" && pid != before
                        }
                    }
                }
                #expect(samples.without == 0, "\(samples)")
                try machine.sh("systemctl start lightsoutd; lightsout -f 0 --name photos")
            }
            #expect(try reports.results(of: "photos", after: cursor) == ["success"])
            #expect(try lockChanges("photos", after: cursor) == ["taken", "released"])
            try awaitNoKeeper()
        }

        @Test func `a daemon killed while it is started takes everything up the next time`() throws {
            let cursor = try machine.journalCursor()
            try reports.reporting("photos") { () throws in
                for delay in [5, 15, 30, 60, 120] {
                    try machine.sh("systemctl stop lightsoutd; systemctl reset-failed lightsoutd 2>/dev/null; true")
                    let samples = try sampling {
                        try machine.sh(
                            "systemctl start --no-block lightsoutd; sleep 0.\(delay < 10 ? "00" : delay < 100 ? "0" : "")\(delay); systemctl kill --signal=KILL lightsoutd; true")
                        try machine.eventually("a daemon runs", within: 10) {
                            try machine.property("ActiveState", of: "lightsoutd") == "active"
                        }
                    }
                    #expect(samples.without == 0, "killed after \(delay) ms: \(samples)")
                }
                try machine.sh("lightsout -f 0 --name photos")
            }
            #expect(try reports.results(of: "photos", after: cursor) == ["success"])
            try awaitNoKeeper()
        }

        @Test func `many reports are handed over and taken back`() throws {
            let names = (0..<60).map { "bulk-\($0)" }
            let cursor = try machine.journalCursor()
            let reporter = try machine.start(
                "for n in \(names.joined(separator: " ")); do lightsout -r --name $n || exit 1; done; touch /run/machine/reported; until [ -e /run/machine/enough ]; do sleep 0.05; done")
            defer { _ = try? machine.run("rm -f /run/machine/reported /run/machine/enough") }
            try machine.eventually("they are reported", within: 20) { try machine.exists("/run/machine/reported") }
            let count = { try machine.locks().count { $0.why.hasPrefix("Backup 'bulk-") } }
            try machine.sh("systemctl stop lightsoutd")
            #expect(try count() == 60)
            try machine.sh("systemctl start lightsoutd")
            #expect(try count() >= 60)
            try awaitNoKeeper()
            #expect(try count() == 60)
            try machine.sh("for n in \(names.joined(separator: " ")); do lightsout -f 0 --name $n || exit 1; done; touch /run/machine/enough")
            _ = reporter.finish()
            #expect(try count() == 0)
            #expect(try machine.journal(Reports.finished, "LIGHTSOUT_RESULT=success", after: cursor).count { $0["LIGHTSOUT_BACKUP"]?.hasPrefix("bulk-") == true } == 60)
        }

        @Test func `nobody but root reaches the keeper, and without a report there is none`() throws {
            #expect(try machine.sh("stat -c %a%u /run/lightsout-keeper") == "6000")
            try machine.sh("systemctl restart lightsoutd; systemctl stop lightsoutd; systemctl start lightsoutd")
            #expect(try machine.property("ActiveState", of: Self.keeper) == "inactive")
            let exposure = try machine.sh("systemd-analyze security --no-pager \(Self.keeper) | tail -1")
            let number = exposure.split(separator: " ").compactMap { Double($0) }.first
            #expect((number ?? 10) <= 2.1, "\(exposure)")
        }

        @Test func `without the keeper's socket the daemon says that reports lose their locks`() throws {
            let cursor = try machine.journalCursor()
            try reports.reporting("photos") { () throws in
                try machine.sh("systemctl stop lightsout-keeper.socket; systemctl stop lightsoutd")
                #expect(try machine.journal("_SYSTEMD_UNIT=lightsoutd.service", after: cursor).contains {
                    $0["MESSAGE"]?.contains("reported backups do not block standby") == true && $0["PRIORITY"] == "4"
                })
                try machine.sh("systemctl start lightsoutd")
                try machine.eventually("the lock is there again") { try reports.lock(of: "photos") != nil }
                try machine.sh("lightsout -f 0 --name photos")
            }
            #expect(try lockChanges("photos", after: cursor) == ["taken", "lost", "taken", "released"])
        }
    }
}
