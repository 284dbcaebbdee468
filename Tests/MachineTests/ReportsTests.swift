import Foundation
import Testing

extension WholeSystem {
    /// Backups that lightsout does not start, and that their scripts report.
    @Suite("Reported backups")
    struct ReportsTests {
        let machine: Machine
        let reports: Reports

        init() throws {
            reports = try Reports()
            machine = reports.machine
        }

        @Test func `the lock is held when -r returns, and gone after -f`() throws {
            let seen = try machine.sh(
                """
                lightsout -r --name photos && systemd-inhibit --list --no-legend | grep photos | tr -s ' '; echo "$$"
                lightsout -f 0 --name photos; sleep 0.1; systemd-inhibit --list --no-legend | grep photos; true
                """
            ).split(separator: "\n")
            try #require(seen.count == 2)
            #expect(seen[0].contains("sleep:handle-lid-switch Backup 'photos' is reported by pid \(seen[1]) block"))
        }

        @Test func `it is recorded as any run is, by its own report`() throws {
            let cursor = try machine.journalCursor()
            try machine.sh("lightsout -r -p 0 --name photos; lightsout -p 99 --name photos; lightsout -f 3 --name photos")
            let records = try machine.journal("LIGHTSOUT_BACKUP=photos", after: cursor)
            #expect(records.map { $0["LIGHTSOUT_LOCK"] ?? $0["LIGHTSOUT_RESULT"] ?? $0["LIGHTSOUT_TRIGGER"] } == [
                "taken", "report", "warnings", "released",
            ])
            #expect(Set(records.map { $0["LIGHTSOUT_RUN"] }).count == 1)
            #expect(records.allSatisfy { $0["_SYSTEMD_UNIT"] == "lightsoutd.service" })
        }

        @Test func `status shows it while it is open, and its last result afterwards`() throws {
            try reports.reporting("photos") {
                #expect(try reports.property("State", of: "photos") == #"s "reported""#)
                try machine.sh("lightsout -p 40 --name photos")
                try machine.eventually("the progress shows") { try reports.property("Progress", of: "photos") == "y 40" }
                #expect(try machine.sh("lightsout status photos").contains("reported 40%"))
                #expect(try machine.property("StatusText", of: "lightsoutd").contains("1 reported"))
                try machine.sh("lightsout -f 1 --name photos")
                #expect(try reports.property("State", of: "photos") == #"s "idle""#)
                #expect(try reports.property("LastResult", of: "photos") == #"s "failed""#)
                #expect(try reports.property("Progress", of: "photos") == "y 255")
            }
        }

        @Test(arguments: [(0, "success"), (1, "failed"), (2, "aborted"), (3, "warnings"), (4, "missed"), (5, "wrong-config"), (255, "unknown")])
        func `every code of -f has its result`(code: Int, result: String) throws {
            let cursor = try machine.journalCursor()
            try machine.sh("lightsout -r --name photos; lightsout -f \(code) --name photos")
            #expect(try reports.results(of: "photos", after: cursor) == [result])
        }

        @Test func `several are open at once under several names, and end each for itself`() throws {
            let cursor = try machine.journalCursor()
            try reports.reporting("photos") {
                try reports.reporting("mail") {
                    try machine.sh("lightsout -f 2 --name photos")
                    #expect(try reports.lock(of: "photos") == nil)
                    #expect(try reports.lock(of: "mail") != nil)
                }
            }
            try machine.eventually("the other has ended") { try reports.results(of: "mail", after: cursor) == ["unknown"] }
            #expect(try reports.results(of: "photos", after: cursor) == ["aborted"])
        }

        @Test func `a second -r under a name in use is refused with who holds it, and changes nothing`() throws {
            let cursor = try machine.journalCursor()
            try reports.reporting("photos") {
                let refused = try machine.run("lightsout -r --name photos; exit")
                #expect(refused.status == 75)
                #expect(refused.stderr.contains("pid \(try reports.reporter(of: "photos")), since"))
                let byBus = try reports.python("call('ReportStarted', 'sh', 'photos', pidfd(os.getpid()))")
                #expect(byBus.first?.hasPrefix("org.lightsout1.AlreadyRunning ") == true)
                #expect(try reports.lock(of: "photos") != nil)
            }
            #expect(try machine.journal(Reports.started, "LIGHTSOUT_BACKUP=photos", after: cursor).count == 1)
        }

        @Test(arguments: ["-p 50", "-f 0"])
        func `progress or an end without a beginning says so, and nothing is recorded`(report: String) throws {
            let cursor = try machine.journalCursor()
            let refused = try machine.run("lightsout \(report) --name nobody-began")
            #expect(refused.status == 75)
            #expect(refused.stderr.contains("lightsout -r --name nobody-began"))
            #expect(try machine.journal("LIGHTSOUT_BACKUP=nobody-began", after: cursor).isEmpty)
        }

        @Test func `the end of the reporting process is the end of its backup, with an unknown result`() throws {
            let cursor = try machine.journalCursor()
            try reports.reporting("photos") {
                try machine.sh("kill -KILL \(try reports.reporter(of: "photos"))")
                try machine.eventually("the lock is gone") { try reports.lock(of: "photos") == nil }
            }
            let records = try machine.journal(Reports.finished, "LIGHTSOUT_BACKUP=photos", after: cursor)
            #expect(records.map { $0["LIGHTSOUT_RESULT"] } == ["unknown"])
            #expect(records.first?["LIGHTSOUT_REASON"]?.contains("ended without reporting a result") == true)
        }

        @Test func `what a reporter leaves behind when it ends is not the reporter`() throws {
            let cursor = try machine.journalCursor()
            // The shell that reports ends; its child, in a session of its own, lives on.
            try machine.sh("sh -c 'lightsout -r --name photos; setsid sh -c \"sleep 1; lightsout -f 0 --name photos; echo \\$? >/run/machine/late\" >/dev/null 2>&1 &'")
            try machine.eventually("its backup has ended") { try reports.results(of: "photos", after: cursor) == ["unknown"] }
            try machine.eventually("the child has reported") { try machine.exists("/run/machine/late") }
            #expect(try machine.read("/run/machine/late") == "75\n")
            #expect(try reports.results(of: "photos", after: cursor) == ["unknown"])
            try machine.remove("/run/machine/late")
        }

        @Test func `a daemon of its own that reports is bound to itself`() throws {
            let cursor = try machine.journalCursor()
            try machine.sh("setsid sh -c 'lightsout -r --name photos; sleep 0.5; lightsout -f 0 --name photos' >/dev/null 2>&1 & exit")
            try machine.eventually("it has ended") { try reports.results(of: "photos", after: cursor) == ["success"] }
        }

        @Test func `-r waits for the end of a sleep that is under way`() throws {
            try machine.sleepLasts(.untilWoken)
            try machine.sh("systemctl suspend")
            try machine.eventually("it sleeps") { try machine.isAsleep() }
            let reporter = try machine.start("lightsout -r --name photos && systemd-inhibit --list --no-legend && lightsout -f 0 --name photos")
            usleep(700_000)
            let waits = reporter.isRunning()
            #expect(waits)
            try machine.wake()
            let done = reporter.finish()
            #expect(done.status == 0 && done.stdout.contains("Backup 'photos'"), "\(done)")
            try machine.remove("/run/machine/wake")
        }

        @Test func `without logind it is taken all the same, never silently`() throws {
            let cursor = try machine.journalCursor()
            try machine.sh("systemctl mask --runtime --now systemd-logind")
            defer { _ = try? machine.sh("systemctl unmask --runtime systemd-logind; systemctl start systemd-logind") }
            #expect(try machine.run("lightsout -r --name photos && lightsout -f 0 --name photos").succeeded)
            #expect(try reports.results(of: "photos", after: cursor) == ["success"])
            #expect(try machine.journal(Reports.lock, "LIGHTSOUT_BACKUP=photos", after: cursor).map { $0["LIGHTSOUT_LOCK"] } == ["refused"])
        }

        @Test func `a backup that is reported does not run as well, and is not stopped by lightsout`() throws {
            try machine.withBackup("server", script: "#!/bin/sh\n") { unit in
                try machine.sh("lightsout reload")
                try reports.reporting("server") { () throws in
                    #expect(try machine.run("systemctl start \(unit)").status != 0)
                    #expect(try machine.run("lightsout run server").status == 75)
                    #expect(try machine.run("lightsout stop server").stderr.contains("lightsout did not start"))
                    #expect(try reports.lock(of: "server") != nil)
                }
            }
            try machine.sh("lightsout reload")
        }

        // MARK: Who may

        @Test func `a user in an active session reports backups of its own, one without may not`() throws {
            let cursor = try machine.journalCursor()
            let own = try machine.run("lightsout -r --name mine && lightsout -p 5 --name mine && lightsout -f 0 --name mine", as: "tester", session: true)
            #expect(own.succeeded, "\(own)")
            #expect(try reports.results(of: "mine", after: cursor) == ["success"])
            #expect(try machine.run("lightsout -r --name other", as: "other").status == 77)
            #expect(try machine.journal("LIGHTSOUT_BACKUP=other", after: cursor).isEmpty)
        }

        @Test func `another user neither moves nor ends it nor takes its name, and root does`() throws {
            let cursor = try machine.journalCursor()
            try reports.reporting("mine", as: "tester", session: true) { () throws in
                for report in ["-p 9", "-f 0"] {
                    #expect(try machine.run("lightsout \(report) --name mine", as: "other").status == 77)
                }
                #expect(try machine.run("lightsout -f 3 --name mine").succeeded)
            }
            #expect(try reports.results(of: "mine", after: cursor) == ["warnings"])
            let taken = try reports.python("call('ReportStarted', 'sh', 'mine', pidfd(os.getpid()))", as: "other", session: true)
            #expect(taken.first?.hasPrefix("org.freedesktop.DBus.Error.AccessDenied") == true, "\(taken)")
        }

        @Test func `a name of the configuration is root's`() throws {
            try machine.withBackup("server", script: "#!/bin/sh\n") { _ in
                try machine.sh("lightsout reload")
                let refused = try machine.run("lightsout -r --name server", as: "tester", session: true)
                #expect(refused.status == 77)
                #expect(refused.stderr.contains("only root reports"))
            }
            try machine.sh("lightsout reload")
        }

        @Test func `a user has sixteen open and no more`() throws {
            let answers = try reports.python(
                "for i in range(17): call('ReportStarted', 'sh', 'many%d' % i, pidfd(os.getpid()))", as: "tester", session: true)
            #expect(answers.prefix(16).allSatisfy { $0 == "done" })
            #expect(answers.last?.hasPrefix("org.freedesktop.DBus.Error.LimitsExceeded") == true)
            try machine.eventually("they end with their process") { try !machine.locks().contains { $0.why.contains("'many") } }
            #expect(try machine.sh("ls /var/lib/lightsout").split(separator: "\n").count { $0.hasPrefix("many") } <= 16)
        }

        @Test func `names that a user no longer uses are forgotten for new ones`() throws {
            _ = try reports.python(
                """
                for i in range(40):
                    call('ReportStarted', 'sh', 'turn%d' % i, pidfd(os.getpid())); call('ReportFinished', 'si', 'turn%d' % i, 0)
                """, as: "tester", session: true)
            let kept = try machine.sh("cd /var/lib/lightsout && ls turn*.run; cd /run/lightsout && ls turn*.lock").split(separator: "\n")
            #expect(kept.count == 32)
            #expect(kept.contains("turn39.run") && !kept.contains("turn0.run"))
            #expect(try machine.run("lightsout status --json").stdout.contains("turn39"))
            #expect(try !machine.run("lightsout status --json").stdout.contains(#""turn0""#))
        }
    }
}
