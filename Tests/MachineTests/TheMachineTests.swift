import Foundation
import Testing

extension WholeSystem {
    /// Before anything is believed that the machine shows: that it is one.
    @Suite("The machine")
    struct TheMachineTests {
        let machine: Machine

        init() throws {
            machine = try Machine.shared
            try machine.sleepLasts(.seconds(0))
            try machine.forgetSleeps()
        }

        @Test func `every unit of the boot is up`() throws {
            #expect(try machine.run("systemctl is-system-running").output == "running")
            #expect(try machine.sh("systemctl --failed --no-legend") == "")
        }

        @Test func `process 1 is systemd, and logind answers on the bus`() throws {
            #expect(try machine.sh("cat /proc/1/comm") == "systemd")
            #expect(try machine.sh("busctl tree --list org.freedesktop.login1").contains("/org/freedesktop/login1/seat"))
            #expect(try machine.sh("busctl call \(Machine.logind) CanSuspend") == #"s "yes""#)
        }

        @Test func `it is not the host: bus, processes, host name, files and journal are its own`() throws {
            #expect(try machine.sh("hostname") == "machine")
            #expect(try machine.sh("cat /proc/[0-9]*/comm").split(separator: "\n").count < 20)
            try machine.write("/etc/lightsout-machine-test", "in the machine\n")
            #expect(try machine.sh("cat /etc/lightsout-machine-test") == "in the machine")
            #expect(throws: (any Error).self) { try String(contentsOfFile: "/etc/lightsout-machine-test", encoding: .utf8) }
            try machine.remove("/etc/lightsout-machine-test")
        }

        @Test func `a command from outside belongs to a unit`() throws {
            #expect(try machine.sh("grep ^0:: /proc/self/cgroup") == "0::/system.slice/visitors.service")
        }

        @Test func `cgroup.kill ends a delegated group and cgroup.events tells of it`() throws {
            let left = try machine.run(
                """
                systemd-run --quiet --wait --pipe --collect -p Delegate=yes sh -c '
                  own=/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)/child; mkdir $own
                  sleep 60 & echo $! >$own/cgroup.procs
                  grep populated $own/cgroup.events; echo 1 >$own/cgroup.kill; wait $!; echo $?
                  until grep "populated 0" $own/cgroup.events; do :; done'
                """)
            #expect(left.output == "populated 1\n137\npopulated 0")
        }

        @Test func `a lock that systemd-inhibit takes is listed while its command runs and gone afterwards`() throws {
            try holdingLock {
                try #expect(
                    machine.locks().contains {
                        $0.what == "sleep" && $0.who == "tests" && $0.why == "because" && $0.mode == "block" && $0.uid == 0
                    })
            }
            #expect(try !machine.locks().contains { $0.who == "tests" })
        }

        @Test func `a suspend goes all the way through logind, and there is only one`() throws {
            let cursor = try machine.journalCursor()
            try machine.sh("busctl call \(Machine.logind) Suspend b false")
            try machine.eventually("the sleep is over") {
                try machine.journal("SYSLOG_IDENTIFIER=systemd-logind", after: cursor).contains { $0["MESSAGE"]?.wholeMatch(of: /Operation '(sleep|suspend)' finished\./) != nil }
            }
            #expect(try machine.sleeps() == ["suspend"])
            let told = try machine.journal("SYSLOG_IDENTIFIER=systemd-sleep", after: cursor).compactMap { $0["MESSAGE"] }
            #expect(told.contains { $0.contains("sleep") }, "systemd-sleep told of \(told)")
        }

        @Test(arguments: [("Hibernate", "hibernate"), ("HybridSleep", "hybrid-sleep")])
        func `hibernation is on offer too`(method: String, kind: String) throws {
            try machine.sh("busctl call \(Machine.logind) \(method) b false")
            try machine.eventually("\(kind) has been and gone") { try machine.sleeps() == [kind] && !machine.isAsleep() }
            try awaitEndOfSleep()
        }

        @Test func `while it sleeps logind refuses every lock with OperationInProgress`() throws {
            try machine.sleepLasts(.untilWoken)
            try machine.sh("systemctl suspend")
            try machine.eventually("it sleeps") { try machine.isAsleep() }
            let refused = try machine.run("busctl call \(Machine.logind) Inhibit ssss sleep tests because block")
            #expect(refused.status != 0)
            #expect(refused.stderr.contains("already running"))
            try machine.wake()
            try awaitEndOfSleep()
            #expect(try machine.run("systemd-inhibit --what=sleep true").succeeded)
        }

        @Test func `an unprivileged user in an active session may suspend, and may not while a lock is held`() throws {
            try holdingLock {
                let refused = try machine.run("busctl call \(Machine.logind) Suspend b false", as: "tester", session: true)
                #expect(!refused.succeeded)
                let isAuthRefusal = try machine.systemdVersion < 257
                #expect(refused.stderr.contains(isAuthRefusal ? "auth" : "Access denied"), "polkit asks for more than a session: \(refused.stderr)")
                #expect(try machine.sleeps() == [])
            }
            #expect(try machine.run("busctl call \(Machine.logind) Suspend b false", as: "tester", session: true).succeeded)
            try machine.eventually("it slept") { try machine.sleeps() == ["suspend"] }
            try awaitEndOfSleep()
        }

        @Test func `an unprivileged user without a session may not suspend at all`() throws {
            let refused = try machine.run("busctl call \(Machine.logind) Suspend b false", as: "tester")
            #expect(!refused.succeeded)
            #expect(try machine.sleeps() == [])
        }

        @Test func `its journal and its files survive a power loss, and the boot id tells of it`() throws {
            try machine.write("/var/lib/kept", "kept\n")
            let before = try machine.sh("cat /proc/sys/kernel/random/boot_id; systemctl --quiet is-active dbus && logger -t kept before; journalctl --sync")
            try machine.reboot(powerLoss: true)
            #expect(try machine.sh("cat /proc/sys/kernel/random/boot_id") != before)
            #expect(try machine.read("/var/lib/kept") == "kept\n")
            #expect(try machine.journal("SYSLOG_IDENTIFIER=kept").map { $0["MESSAGE"] } == ["before"])
            try machine.remove("/var/lib/kept")
        }

        @Test(.enabled(if: Machine.maySetClock, "sets the host's clock too: LIGHTSOUT_TESTS_SET_CLOCK=1 allows it"))
        func `a clock set for a test is right again afterwards, also when the command fails`() throws {
            func truth() throws -> Double {
                let ends = try machine.sh("cat /proc/uptime; date +%s.%N").split(separator: "\n")
                guard ends.count == 2, let up = ends[0].split(separator: " ").first.flatMap({ Double($0) }), let now = Double(ends[1])
                else { throw MachineError("no time in \(ends)") }
                return now - up
            }
            let before = try truth()
            let there = try machine.run("date +%s.%N; cat /proc/uptime; exit 7", clockOffBy: 86400)
            #expect(there.status == 7)
            let lines = there.stdout.split(separator: "\n").compactMap { $0.split(separator: " ").first.flatMap { Double($0) } }
            #expect(lines.count == 2 && abs(lines[0] - lines[1] - before - 86400) < 1)
            #expect(abs(try truth() - before) < 0.5)
        }

        /// Runs `body` while systemd-inhibit holds a block lock on sleep.
        private func holdingLock(_ body: () throws -> Void) throws {
            let holder = try machine.start(
                "systemd-inhibit --what=sleep --who=tests --why=because --mode=block sh -c 'until [ -e /run/let-go ]; do sleep 0.02; done'")
            try machine.eventually("the lock is listed") { try machine.locks().contains { $0.who == "tests" } }
            try body()
            try machine.write("/run/let-go", "")
            #expect(holder.finish().status == 0)
            try machine.eventually("the lock is gone") { try !machine.locks().contains { $0.who == "tests" } }
            try machine.remove("/run/let-go")
        }

        private func awaitEndOfSleep() throws {
            try machine.eventually("logind is done with the sleep") {
                try machine.sh("busctl get-property \(Machine.logind) PreparingForSleep") == "b false"
            }
        }
    }
}
