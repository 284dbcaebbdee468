import Foundation
import Testing

extension WholeSystem {
    /// Reported backups while the daemon, or logind, comes and goes.
    @Suite("Reported backups and restarts")
    struct ReportsRestartTests {
        let machine: Machine
        let reports: Reports

        init() throws {
            reports = try Reports()
            machine = reports.machine
        }

        @Test func `a report outlives the daemon: its lock, its progress, its one beginning and its one end`() throws {
            let cursor = try machine.journalCursor()
            try reports.reporting("photos") { () throws in
                try machine.sh("lightsout -p 30 --name photos")
                try machine.eventually("it shows") { try reports.property("Progress", of: "photos") == "y 30" }
                try reports.killDaemon()
                #expect(try reports.property("State", of: "photos") == #"s "reported""#)
                #expect(try reports.property("Progress", of: "photos") == "y 30")
                try machine.sh("lightsout -p 60 --name photos; lightsout -f 3 --name photos")
            }
            let records = try machine.journal("LIGHTSOUT_BACKUP=photos", after: cursor)
            #expect(records.map { $0["LIGHTSOUT_LOCK"] ?? $0["LIGHTSOUT_RESULT"] ?? $0["LIGHTSOUT_TRIGGER"] } == [
                "taken", "report", "warnings", "released",
            ])
            #expect(Set(records.map { $0["LIGHTSOUT_RUN"] }).count == 1)
            #expect(try machine.property("NFileDescriptorStore", of: "lightsoutd") == "0")
        }

        @Test func `at no instant is standby possible while the daemon is killed and restarted`() throws {
            try machine.sh("rm -f /run/machine/gaps /run/machine/signals /run/machine/stop-watching")
            var told: [Substring] = []
            try reports.reporting("photos") { () throws in
                // One watcher asks logind without a pause; the other hears each change that logind tells of.
                let asking = try machine.start(
                    """
                    n=0; until [ -e /run/machine/stop-watching ]; do
                      n=$((n + 1))
                      case $(busctl get-property \(Machine.logind) BlockInhibited) in *sleep*) ;; *) echo gap >>/run/machine/gaps ;; esac
                    done; echo $n
                    """)
                let hearing = try machine.start(
                    "echo $$ >/run/machine/hearing; exec busctl monitor --json=short --match \"type='signal',path='/org/freedesktop/login1',member='PropertiesChanged'\" >/run/machine/signals")
                try machine.eventually("it hears") { try machine.sh("busctl list --no-legend").contains("busctl") }
                for _ in 0..<2 {
                    let before = try reports.daemonPid()
                    try machine.sh("systemctl kill --signal=KILL lightsoutd")
                    // In the gap, before systemd starts another.
                    let refused = try machine.run("busctl call \(Machine.logind) Suspend b false", as: "tester", session: true)
                    #expect(!refused.succeeded)
                    try machine.eventually("another daemon holds the lock", within: 10) {
                        let pid = try reports.daemonPid()
                        return try pid != "0" && pid != before && String(reports.lock(of: "photos")?.pid ?? 0) == pid
                    }
                    #expect(try !machine.run("busctl call \(Machine.logind) Suspend b false", as: "tester", session: true).succeeded)
                }
                try machine.write("/run/machine/stop-watching", "")
                let asked = asking.finish()
                #expect((Int(asked.output) ?? 0) > 100, "it asked \(asked.output) times")
                told = try machine.read("/run/machine/signals").split(separator: "\n").filter { $0.contains("BlockInhibited") }
                try machine.sh("kill $(cat /run/machine/hearing)")
                _ = hearing.finish()
            }
            #expect(try !machine.exists("/run/machine/gaps"))
            #expect(!told.isEmpty)
            #expect(told.allSatisfy { $0.contains("sleep") }, "\(told)")
            #expect(try machine.sleeps() == [])
        }

        @Test func `a process that ends while the daemon is away has an unknown result, once`() throws {
            let cursor = try machine.journalCursor()
            try reports.reporting("photos") { () throws in
                let pid = try reports.reporter(of: "photos")
                try machine.sh("systemctl kill --signal=KILL lightsoutd; kill -KILL \(pid)")
                try machine.eventually("another daemon has recorded it", within: 10) {
                    try reports.results(of: "photos", after: cursor) == ["unknown"]
                }
            }
            try reports.killDaemon()
            #expect(try reports.results(of: "photos", after: cursor) == ["unknown"])
            #expect(try reports.property("LastResult", of: "photos") == #"s "unknown""#)
        }

        @Test func `wherever the daemon is killed, a report has one end at most, and an answered end exactly one`() throws {
            for delay in [0, 2, 4, 6, 8, 12, 16, 24] {
                let cursor = try machine.journalCursor()
                try machine.sh("systemctl reset-failed lightsoutd; systemctl start lightsoutd")
                let answer = try machine.run(
                    """
                    lightsout -r --name photos || exit 9
                    (sleep 0.0\(delay < 10 ? "0" : "")\(delay); systemctl kill --signal=KILL lightsoutd) & killer=$!
                    lightsout -f 3 --name photos; code=$?
                    wait $killer; exit $code
                    """)
                // The reporter has ended: with the answered result, or an unknown one.
                try machine.eventually("it has ended", within: 10) { try !reports.results(of: "photos", after: cursor).isEmpty }
                try machine.eventually("a daemon runs", within: 10) { try machine.property("ActiveState", of: "lightsoutd") == "active" }
                let results = try reports.results(of: "photos", after: cursor)
                #expect(results.count == 1, "killed after \(delay) ms: \(results)")
                if answer.status == 0 { #expect(results == ["warnings"]) }
                #expect(try reports.lock(of: "photos") == nil)
                #expect(try reports.property("State", of: "photos") == #"s "idle""#)
            }
        }

        @Test func `a logind that has forgotten the lock is asked for another`() throws {
            let cursor = try machine.journalCursor()
            try reports.reporting("photos") { () throws in
                try machine.sh("systemctl stop systemd-logind; rm -rf /run/systemd/inhibit; systemctl start systemd-logind")
                try machine.eventually("the lock is there again", within: 10) { try reports.lock(of: "photos") != nil }
            }
            #expect(
                try machine.journal(Reports.lock, "LIGHTSOUT_BACKUP=photos", after: cursor).map { $0["LIGHTSOUT_LOCK"] }
                    == ["taken", "lost", "taken", "released"])
        }

        @Test func `a logind that is merely restarted keeps it`() throws {
            let cursor = try machine.journalCursor()
            try reports.reporting("photos") { () throws in
                try machine.sh("systemctl restart systemd-logind")
                try machine.eventually("logind answers") { try reports.lock(of: "photos") != nil }
                usleep(500_000)
                #expect(try machine.locks().count { $0.why.contains("photos") } == 1)
            }
            #expect(
                try machine.journal(Reports.lock, "LIGHTSOUT_BACKUP=photos", after: cursor).map { $0["LIGHTSOUT_LOCK"] }
                    == ["taken", "released"])
        }

        @Test func `the end of a report that a power loss cut off is recorded at the next boot`() throws {
            let before = try machine.sh("cat /proc/sys/kernel/random/boot_id")
            let reporter = try machine.start("lightsout -r --name photos && sleep 60")
            try machine.eventually("it is reported") { try reports.lock(of: "photos") != nil }
            try machine.reboot(powerLoss: true)
            _ = reporter.finish()
            #expect(try machine.sh("cat /proc/sys/kernel/random/boot_id") != before)
            try machine.sh("systemctl start lightsoutd")
            try machine.eventually("it is recorded") { try reports.property("LastResult", of: "photos") == #"s "aborted""# }
            let records = try machine.journal(Reports.finished, "LIGHTSOUT_BACKUP=photos", "_BOOT_ID=\(machine.sh("tr -d - </proc/sys/kernel/random/boot_id"))")
            #expect(records.count == 1)
            #expect(records.first?["LIGHTSOUT_REASON"]?.contains("the machine went down") == true)
        }
    }
}
