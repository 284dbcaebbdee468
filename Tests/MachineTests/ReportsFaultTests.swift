import Foundation
import Testing

extension WholeSystem {
    /// Calls of the report methods that are wrong, hostile or too many.
    @Suite("Reports that are wrong, and floods")
    struct ReportsFaultTests {
        let machine: Machine
        let reports: Reports
        private let pid: String

        init() throws {
            reports = try Reports()
            machine = reports.machine
            pid = try reports.daemonPid()
        }

        /// The daemon is the same, answers, and holds nothing.
        private func expectUnharmed() throws {
            #expect(try reports.daemonPid() == pid)
            #expect(try machine.run("lightsout status").succeeded)
            #expect(try machine.property("NFileDescriptorStore", of: "lightsoutd") == "0")
            #expect(try !machine.locks().contains { $0.why.contains("is reported by") })
        }

        private func memory() throws -> Int {
            guard let kilobytes = Int(try machine.sh("sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/\(pid)/status")) else {
                throw MachineError("no memory of \(pid)")
            }
            return kilobytes
        }

        private func descriptors() throws -> Int { try machine.sh("ls /proc/\(pid)/fd").split(separator: "\n").count }

        @Test(arguments: [
            ("ReportStarted", "'s', 'a'"), ("ReportStarted", "'ss', 'a', 'b'"), ("ReportStarted", "'hs', pidfd(os.getpid()), 'a'"),
            ("ReportStarted", "'', "), ("ReportProgress", "'sd', 'a', 0.5"), ("ReportProgress", "'ss', 'a', '5'"),
            ("ReportProgress", "'si', 'a', 5"), ("ReportFinished", "'sy', 'a', 0"), ("ReportFinished", "'ai', [1, 2]"),
            ("Hold", "'s', 'a'"), ("ReportEverything", "'s', 'a'"),
        ])
        func `a call of the wrong type is refused by name`(method: String, arguments: String) throws {
            let answer = try reports.python("call('\(method)', \(arguments))").first ?? ""
            #expect(answer.hasPrefix("org.freedesktop.DBus.Error.InvalidArgs") || answer.hasPrefix("org.freedesktop.DBus.Error.UnknownMethod"), "\(answer)")
            try expectUnharmed()
        }

        @Test(arguments: ["../../etc/shadow", "a/b", "", ".", "a b", "ä", "-a", "a\\nb", "%s%n"].filter { !$0.isEmpty })
        func `a name that is none is refused, and touches no file`(name: String) throws {
            let answers = try reports.python(
                """
                call('ReportStarted', 'sh', '\(name)', pidfd(os.getpid()))
                call('ReportProgress', 'sy', '\(name)', 5)
                call('ReportFinished', 'si', '\(name)', 0)
                """)
            #expect(answers.count == 3 && answers.allSatisfy { $0.hasPrefix("org.freedesktop.DBus.Error.InvalidArgs") }, "\(answers)")
            try expectUnharmed()
        }

        @Test func `strings of ten mebibytes are refused in few words, and forgotten`() throws {
            let before = try memory()
            let answers = try reports.python(
                """
                big = 'x' * (10 << 20)
                for i in range(3):
                    call('ReportStarted', 'sh', big, pidfd(os.getpid()))
                    call('ReportProgress', 'sy', big, 5)
                    call('ReportFinished', 'si', big, 0)
                    call('Hold', 'ss', big, big)
                """)
            #expect(answers.count == 12 && answers.allSatisfy { $0.hasPrefix("org.freedesktop.DBus.Error.InvalidArgs") && $0.utf8.count < 500 })
            try expectUnharmed()
            #expect(try memory() < before + 4096)
        }

        @Test(arguments: [101, 255])
        func `progress beyond a hundred is refused, and nothing moves`(percent: Int) throws {
            #expect(try reports.python("call('ReportProgress', 'sy', 'photos', \(percent))").first?.hasPrefix("org.freedesktop.DBus.Error.InvalidArgs") == true)
        }

        @Test(arguments: [-1, 6, 254, 256, 2_147_483_647, -2_147_483_648])
        func `a result that is none is refused, and the report stays open`(code: Int) throws {
            try reports.reporting("photos") { () throws in
                #expect(try reports.python("call('ReportFinished', 'si', 'photos', \(code))").first?.hasPrefix("org.freedesktop.DBus.Error.InvalidArgs") == true)
                #expect(try reports.lock(of: "photos") != nil)
            }
        }

        @Test func `a descriptor that is no pidfd, a dead process's, another user's: each is refused with its reason`() throws {
            let answers = try reports.python(
                """
                fd = dbus.types.UnixFd
                call('ReportStarted', 'sh', 'photos', fd(os.open('/dev/null', os.O_RDONLY)))
                pair = socket.socketpair()
                call('ReportStarted', 'sh', 'photos', fd(pair[0].fileno()))
                child = subprocess.Popen(['true'])
                dead = pidfd(child.pid)
                child.wait()
                call('ReportStarted', 'sh', 'photos', dead)
                call('ReportStarted', 'sh', 'photos', pidfd(1))
                """, as: "tester", session: true)
            try #require(answers.count == 4, "\(answers)")
            #expect(answers[0].hasPrefix("org.freedesktop.DBus.Error.InvalidArgs") && answers[0].contains("no pidfd"))
            #expect(answers[1].contains("no pidfd"))
            #expect(answers[2].hasPrefix("org.freedesktop.DBus.Error.InvalidArgs") && answers[2].contains("has ended"))
            #expect(answers[3].hasPrefix("org.freedesktop.DBus.Error.AccessDenied") && answers[3].contains("process 1 "))
            try expectUnharmed()
        }

        @Test func `a caller that is gone before the answer leaves nothing behind but what its process reports`() throws {
            let before = try descriptors()
            _ = try reports.python(
                """
                for i in range(50):
                    own = dbus.bus.BusConnection(dbus.bus.BusConnection.TYPE_SYSTEM)
                    message = dbus.lowlevel.MethodCallMessage('org.lightsout1', '/org/lightsout1', 'org.lightsout1.Manager', 'ReportStarted')
                    message.append('gone%d' % i, pidfd(os.getpid()), signature='sh')
                    own.send_message(message)
                    own.flush()
                    own.close()
                """)
            try machine.eventually("all are over with the process") { try !machine.locks().contains { $0.why.contains("'gone") } }
            try expectUnharmed()
            try machine.eventually("every descriptor is closed") { try descriptors() <= before }
        }

        @Test func `ten thousand reports of progress lose no last value and leave the memory where it was`() throws {
            try reports.reporting("photos") { () throws in
                func flood(_ count: Int, last: Int) throws {
                    let answers = try reports.python(
                        """
                        failed = 0
                        report = manager.get_dbus_method('ReportProgress', 'org.lightsout1.Manager')
                        for i in range(\(count)): report('photos', i % 100, signature='sy')
                        report('photos', \(last), signature='sy')
                        print('sent')
                        """)
                    #expect(answers == ["sent"])
                    try machine.eventually("the last value shows") { try reports.property("Progress", of: "photos") == "y \(last)" }
                }
                try flood(1_000, last: 100)
                let before = try memory()
                let cursor = try machine.journalCursor()
                try flood(10_000, last: 77)
                #expect(try memory() <= before + 512)
                #expect(try machine.journal("LIGHTSOUT_BACKUP=photos", after: cursor).isEmpty)
            }
            try expectUnharmed()
        }

        @Test func `ten thousand that nobody waits for lose no last value either`() throws {
            try reports.reporting("photos") { () throws in
                func flood(last: Int) throws {
                    _ = try reports.python(
                        """
                        for i in list(range(10000)) + [\(last)]:
                            message = dbus.lowlevel.MethodCallMessage('org.lightsout1', '/org/lightsout1', 'org.lightsout1.Manager', 'ReportProgress')
                            message.append('photos', i if i == \(last) else i % 50, signature='sy')
                            message.set_no_reply(True)
                            bus.send_message(message)
                        bus.flush()
                        call('ReportProgress', 'sy', 'photos', \(last))
                        """)
                    try machine.eventually("the last value shows", within: 10) { try reports.property("Progress", of: "photos") == "y \(last)" }
                }
                try flood(last: 98)
                let before = try memory()
                try flood(last: 99)
                #expect(try memory() <= before + 1024)
            }
            try expectUnharmed()
        }

        @Test func `a flood is told of a few times a second`() throws {
            try reports.reporting("photos") { () throws in
                let listener = try machine.start(
                    "timeout 6 busctl monitor --json=short --match \"type='signal',path='/org/lightsout1/backup/photos',member='PropertiesChanged'\" >/run/machine/changes")
                usleep(500_000)
                let seconds = try reports.python(
                    """
                    began = time.monotonic()
                    report = manager.get_dbus_method('ReportProgress', 'org.lightsout1.Manager')
                    for i in range(3000): report('photos', i % 100, signature='sy')
                    print(time.monotonic() - began)
                    """
                ).first.flatMap(Double.init) ?? 0
                usleep(600_000)
                _ = listener.finish()
                let told = try machine.read("/run/machine/changes").split(separator: "\n").count { $0.contains("Progress") }
                #expect(told >= 1 && Double(told) <= 4 * (seconds + 1) + 2, "\(told) in \(seconds) s")
            }
        }

        @Test func `what is reported goes on through a reload`() throws {
            try reports.reporting("photos") { () throws in
                try machine.sh("lightsout reload; lightsout -p 12 --name photos")
                try machine.eventually("it shows") { try reports.property("Progress", of: "photos") == "y 12" }
            }
        }
    }

    /// `lightsout hold`: the machine stays awake for any command.
    @Suite("Holds")
    struct HoldTests {
        let machine: Machine
        let reports: Reports

        init() throws {
            reports = try Reports()
            machine = reports.machine
        }

        @Test func `the lock is listed in the caller's words while the command runs, with whose it is, and then gone`() throws {
            let seen = try machine.run("lightsout hold --who copier --why 'copying (all)' -- sh -c 'busctl call \(Machine.logind) ListInhibitors; exit 7'")
            #expect(seen.status == 7)
            #expect(seen.stdout.contains(#""sleep:handle-lid-switch" "copier" "copying (all) (lightsout hold, user id 0)" "block""#))
            try machine.eventually("it is gone") { try !machine.locks().contains { $0.who == "copier" } }
        }

        @Test func `it needs no daemon once it is there`() throws {
            let holder = try machine.start("lightsout hold --who copier -- sh -c 'until [ -e /run/machine/let-go ]; do sleep 0.02; done'")
            try machine.eventually("it is held") { try machine.locks().contains { $0.who == "copier" } }
            try machine.sh("systemctl stop lightsoutd")
            #expect(try machine.locks().contains { $0.who == "copier" })
            try machine.write("/run/machine/let-go", "")
            #expect(holder.finish().status == 0)
            try machine.remove("/run/machine/let-go")
        }

        @Test func `a user in an active session may, one without may not`() throws {
            #expect(try machine.run("lightsout hold -- true", as: "tester", session: true).succeeded)
            #expect(try machine.run("lightsout hold -- true", as: "other").status == 77)
        }

        @Test func `a user has sixteen and no more, and can take another when one is given up`() throws {
            let answers = try reports.python(
                """
                locks = [call('Hold', 'ss', 'many', 'because') for i in range(17)]
                os.close(locks[0].take())
                time.sleep(0.2)
                call('Hold', 'ss', 'many', 'because')
                """, as: "tester", session: true)
            #expect(answers.count == 18)
            #expect(answers.prefix(16).allSatisfy { $0 == "done" })
            #expect(answers[16].hasPrefix("org.freedesktop.DBus.Error.LimitsExceeded"))
            #expect(answers[17] == "done")
        }
    }
}
