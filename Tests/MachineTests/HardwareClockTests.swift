import Foundation
import Glibc
import LightsOutCore
import Testing

extension WholeSystem {
    /// The hardware clock's alarm, set by the real unit when the real systemd hibernates or powers off. What is made up
    /// is the clock: `/sys/class/rtc`.
    @Suite("The hardware clock")
    struct HardwareClockTests {
        /// Booted before any time of a schedule is worked out.
        init() throws { _ = try Machine.shared }

        private static let alarm = "/sys/class/rtc/rtc0/wakealarm"
        /// Due in two hours; the alarm is a minute before.
        private static var configuration: String {
            "backups: {server: {schedule: '\(DaemonWorld.once(in: 7200))', wake: true}}"
        }

        /// - Parameter shift: how far the clock is from the system's time, in seconds.
        private func withClock(
            shift: Int = 0, wakeup: String = "enabled", _ configuration: String = configuration,
            _ body: (SleepWorld, _ expected: Int) throws -> Void
        ) throws {
            let machine = try Machine.shared
            // The host may have no class `rtc`, and in sysfs none can be made.
            try machine.sh(
                """
                set -e
                mkdir -p /run/class; mount --bind /sys/class /run/class; mount -t tmpfs tmpfs /sys/class
                for class in /run/class/*; do
                    [ -d "$class" ] && [ "$class" != /run/class/rtc ] || continue
                    mkdir "/sys/class/${class##*/}"; mount --bind "$class" "/sys/class/${class##*/}"
                done
                mkdir -p /sys/class/rtc/rtc0/device/power; cd /sys/class/rtc/rtc0
                : >wakealarm; echo \(wakeup) >device/power/wakeup; echo $(($(date +%s) + \(shift))) >since_epoch
                """)
            defer {
                do { try machine.sh("if [ -d /run/class ]; then umount -R /sys/class /run/class; rmdir /run/class; fi") } catch {
                    Issue.record(error, "the clocks")
                }
            }
            try SleepWorld.with(configuration) { world in
                let elapse = try world.daemon.property("NextElapse", of: "server").dropFirst(2)
                try body(world, (Int(elapse) ?? 0) / 1_000_000 - 60 + shift)
            }
        }

        private func readAlarm(_ world: SleepWorld) throws -> Int? {
            let text = try world.machine.read(Self.alarm).trimmingCharacters(in: .newlines)
            return Int(text).flatMap { $0 == 0 ? nil : $0 }
        }

        private func alarmRecords(_ world: SleepWorld) throws -> [(change: String, message: String)] {
            try world.machine.journal("MESSAGE_ID=\(JournalRecord.MessageID.alarm)", after: world.daemon.cursor)
                .map { ($0["LIGHTSOUT_ALARM"] ?? "none", $0["MESSAGE"] ?? "") }
        }

        @Test(arguments: [("Hibernate", "hibernate", 0), ("Hibernate", "hibernate", 7200), ("HybridSleep", "hybrid-sleep", 0)])
        func `is set before the machine hibernates, and taken back when it is there again`(
            method: String, kind: String, shift: Int
        ) throws {
            try withClock(shift: shift) { world, expected in
                try world.sleep(method)
                let alarm = try #require(try readAlarm(world))
                // The made-up clock stands still from the start of the test.
                #expect(abs(alarm - expected) <= 15)
                try world.awaitDecision("sleeping", containing: "lightsout wakes it at")
                let records = try alarmRecords(world)
                #expect(records.map(\.change) == ["set"])
                #expect(records.first?.message.contains("for server, due") == true)
                let seen = try world.machine.sh("journalctl --no-pager -o cat -u lightsoutd --since=-1min")
                #expect(seen.contains("the alarm of the hardware clock (rtc0) is set"))
                try world.wake()
                try world.machine.eventually("the alarm is taken back") { try readAlarm(world) == nil }
                try #expect(world.machine.property("Result", of: "lightsout-wakealarm@\(kind).service") == "success")
                #expect(try !world.machine.exists("/run/lightsout/wake-alarm"))
            }
        }

        @Test func `is the kernel's business when the machine suspends`() throws {
            try withClock { world, _ in
                try world.sleep()
                try #expect(readAlarm(world) == nil)
                try #expect(alarmRecords(world).isEmpty)
                try world.wake()
            }
        }

        @Test func `that another program has set earlier is left as it is`() throws {
            try withClock { world, expected in
                try world.machine.write(Self.alarm, "\(expected - 600)\n")
                try world.sleep("Hibernate")
                try #expect(readAlarm(world) == expected - 600)
                try #expect(alarmRecords(world).map(\.change) == ["kept"])
                try world.wake()
                try world.machine.eventually("the sleep is over") {
                    try world.machine.property("ActiveState", of: "lightsout-wakealarm@hibernate.service") == "inactive"
                }
                try #expect(readAlarm(world) == expected - 600)
            }
        }

        @Test func `that may not wake the machine is said before and when it hibernates, and nothing is promised`() throws {
            try withClock(wakeup: "disabled") { world, _ in
                try world.sleep("Hibernate")
                try #expect(readAlarm(world) == nil)
                let said = try alarmRecords(world)
                #expect(said.map(\.change) == ["failed"])
                #expect(said.first?.message.contains("nothing wakes the machine from hibernation for server") == true)
                #expect(said.first?.message.contains("echo enabled >/sys/class/rtc/rtc0/device/power/wakeup") == true)
                try world.awaitDecision("sleeping", containing: "it cannot wake it from hibernation")
                try world.wake()
            }
        }

        @Test func `is not set for a daemon that was stopped, or where no backup wakes the machine`() throws {
            try withClock { world, _ in
                #expect(try world.machine.exists("/run/lightsout/wake"))
                try world.machine.sh("systemctl stop lightsoutd")
                #expect(try !world.machine.exists("/run/lightsout/wake"))
                try world.machine.sh("systemctl start lightsoutd")
                #expect(try world.machine.exists("/run/lightsout/wake"))
                try world.daemon.configure("backups: {server: {schedule: '\(DaemonWorld.once(in: 7200))'}}")
                try world.machine.sh("systemctl reload lightsoutd")
                try world.machine.eventually("the order is gone") { try !world.machine.exists("/run/lightsout/wake") }
                try world.sleep("Hibernate")
                try #expect(readAlarm(world) == nil)
                try #expect(alarmRecords(world).isEmpty)
                try world.wake()
            }
        }

        @Test func `is set for what a killed daemon has left`() throws {
            try withClock { world, expected in
                let drop = "/run/systemd/system/lightsoutd.service.d/stays-dead.conf"
                try world.machine.write(drop, "[Service]\nRestart=no\n")
                try world.machine.sh("systemctl daemon-reload; systemctl kill --signal=KILL lightsoutd")
                defer {
                    do { try world.machine.sh("rm -f \(drop); systemctl daemon-reload; systemctl reset-failed lightsoutd") } catch { Issue.record(error) }
                }
                try world.sleep("Hibernate")
                #expect(abs(try #require(try readAlarm(world)) - expected) <= 15)
                try world.wake()
            }
        }

        @Test func `is set when the machine powers off`() throws {
            try withClock { world, _ in
                _ = try world.machine.run("systemctl poweroff")
                world.machine.eventually("it is off", within: 30) { (try? world.machine.initPid) == nil }
                try world.machine.boot()
                // The clock went with the machine: the journal tells.
                let records = try alarmRecords(world)
                #expect(records.map(\.change) == ["set"])
                #expect(records.first?.message.contains("it turns the machine on at") == true)
            }
        }

        @Test func `is not set when the machine reboots`() throws {
            try withClock { world, _ in
                try world.machine.reboot()
                try #expect(alarmRecords(world).isEmpty)
            }
        }

        // MARK: lightsout check --wake

        @Test func `is tried by root, at a terminal or with --yes, and with nothing else`() throws {
            try withClock { world, _ in
                for (line, user, status, words) in [
                    ("lightsout check --wake --yes", "tester", 77, "only root"),
                    ("lightsout check --wake </dev/null", "root", 64, "there is no terminal to ask at"),
                    ("lightsout check --wake=poweroff --yes", "root", 64, "poweroff"),
                    ("lightsout check --yes", "root", 64, "--yes goes with --wake"),
                ] {
                    let done = try world.machine.run(line, as: user)
                    #expect(done.status == status, "\(done)")
                    #expect(done.complaint().contains(words), "\(done)")
                }
                let declined = try world.machine.run("export TERM=xterm; echo n | script -qec 'lightsout check --wake' /dev/null")
                #expect(declined.status == 75 && declined.stdout.contains("Go on? [y/N]") && declined.stdout.contains("nothing was done"), "\(declined)")
                #expect(try world.machine.sleeps() == [])
            }
        }

        @Test func `is not tried while a backup or another program forbids sleep`() throws {
            try withClock { world, _ in
                try world.daemon.install("busy", "until [ -e /run/test/go-on ]; do sleep 0.02; done")
                defer { do { try world.machine.remove("/etc/lightsout/backup/busy_backup") } catch { Issue.record(error) } }
                try world.machine.sh("systemctl start --no-block lightsout-backup@busy")
                try world.machine.eventually("it runs") { try world.machine.locks().contains { $0.mode == "block" } }
                let done = try world.machine.run("lightsout check --wake --yes")
                #expect(done.status == 75 && done.complaint().contains("Backup 'busy' is running"), "\(done)")
                #expect(try world.machine.sleeps() == [])
                try world.machine.sh(": >/run/test/go-on")
            }
        }

        /// The sleep of the test machine is none by the kernel's clocks.
        @Test func `is tried in earnest, and a machine that did not sleep is told of`() throws {
            try withClock { world, _ in
                try world.machine.write(Self.alarm, "")
                try world.machine.sleepLasts(.seconds(1))
                let done = try world.machine.run("lightsout check --wake=hibernate --yes")
                #expect(done.status == 1 && done.stderr.contains("the machine did not hibernate"), "\(done)")
                #expect(done.stdout.contains("is to wake it in 3min"))
                #expect(try world.machine.sleeps() == ["hibernate"])
                try #expect(alarmRecords(world).map(\.change) == ["kept"])
                try #expect(readAlarm(world) == nil)
            }
        }

        @Test func `is not tried where there is none`() throws {
            try withClock(wakeup: "disabled") { world, _ in
                let done = try world.machine.run("lightsout check --wake --yes")
                #expect(done.status == 69 && done.complaint().contains("may not wake it"), "\(done)")
            }
        }

        @Test func `is set by a unit that may do nothing else`() throws {
            let said = try Machine.shared.sh("systemd-analyze security --no-pager lightsout-wakealarm@hibernate.service | tail -n 1")
            let exposure = try #require(Double(said.split(separator: ":").last?.split(separator: " ").first ?? ""))
            #expect(exposure <= 1.0, "\(said)")
        }
    }
}
