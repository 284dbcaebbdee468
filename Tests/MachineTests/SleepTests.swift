import Glibc
import LightsOutCore
import Testing

extension WholeSystem {
    /// The machine wakes for its backups and goes back to sleep: with real logind and systemd, and a sleep that lasts.
    @Suite("Sleep and wake")
    struct SleepTests {
        /// Booted before any time of a schedule is worked out.
        init() throws { _ = try Machine.shared }

        // MARK: Waking

        @Test func `without a hardware clock it is said once in the journal, and everything else works`() throws {
            try SleepWorld.with(SleepWorld.server(in: 4, after: "suspend"), hasClock: false) { world in
                try world.daemon.awaitEvents(of: "server", ["started schedule", "finished success"])
                try world.awaitSleeps(["suspend"])
                #expect(try world.nextWakeup() == 0)
                let said = try world.decisions().filter { $0.action == "cannot-wake" }
                #expect(said.count == 1)
                #expect(said.first?.message.contains("no hardware clock (RTC)") == true)
            }
        }

        @Test func `the wake-up that is set is on the bus, its lead before the elapse, the backup's own where it has one`() throws {
            let due = DaemonWorld.once(in: 3600)
            try SleepWorld.with("backups: {server: {schedule: '\(due)', wake: true}}") { world in
                let elapse = try #require(Int64(world.daemon.property("NextElapse", of: "server").dropFirst(2)))
                #expect(try world.nextWakeup() == elapse - 60_000_000)
                try world.daemon.configure("backups: {server: {schedule: '\(due)', wake: true, wake_lead: 5min}}")
                try world.machine.sh("systemctl reload lightsoutd")
                try world.machine.eventually("the lead is the backup's") { try world.nextWakeup() == elapse - 300_000_000 }
                try world.daemon.configure("backups: {server: {schedule: '\(due)'}}")
                try world.machine.sh("systemctl reload lightsoutd")
                try world.machine.eventually("nothing is to wake it") { try world.nextWakeup() == 0 }
            }
        }

        @Test func `the machine waits for lightsout before it sleeps, and the journal says when it is woken`() throws {
            try SleepWorld.with(SleepWorld.server(in: 3600)) { world in
                try world.machine.eventually("the delay lock is held") {
                    try world.machine.locks().contains { $0.who == "lightsout" && $0.mode == "delay" && $0.what == "sleep" }
                }
                try world.sleep()
                try world.awaitDecision("sleeping", containing: "lightsout wakes it at")
                #expect(try !world.machine.locks().contains { $0.who == "lightsout" })
                try world.wake()
                try world.awaitDecision("resumed", containing: "before lightsout's alarm")
                try world.machine.eventually("the delay lock is held again") {
                    try world.machine.locks().contains { $0.who == "lightsout" && $0.mode == "delay" }
                }
            }
        }

        // MARK: Going back to sleep

        @Test(arguments: [("Suspend", "suspend"), ("Hibernate", "hibernate"), ("HybridSleep", "hybrid-sleep")])
        func `woken for a backup it runs it under its lock and sleeps again the way it did`(method: String, kind: String) throws {
            try SleepWorld.with(
                SleepWorld.server(in: 10), scripts: ["server": "systemd-inhibit --list --no-legend >/run/test/locks"]
            ) { world in
                try world.sleepUntilAlarm(method)
                try world.awaitDecision("woken", containing: "for server")
                try world.daemon.awaitEvents(of: "server", ["started schedule", "finished success"])
                #expect(try world.machine.read("/run/test/locks").split(separator: "\n").contains { $0.hasPrefix("lightsout") && $0.hasSuffix("block") })
                try world.awaitSleeps([kind, kind])
                #expect(try world.decisions().map(\.action) == ["sleeping", "woken", "announced", "requested", "sleeping"])
            }
        }

        @Test func `woken by somebody else it stays awake, and says so`() throws {
            try SleepWorld.with(SleepWorld.server(in: 9)) { world in
                try world.sleep()
                try world.wake()
                try world.daemon.awaitEvents(of: "server", ["started schedule", "finished success"])
                try world.awaitDecision("stays-awake", containing: "did not wake the machine for this backup")
                usleep(3_000_000)
                #expect(try world.machine.sleeps() == ["suspend"])
            }
        }

        @Test func `back long after the alarm it was somebody else, and what was missed is made up for`() throws {
            try SleepWorld.with(SleepWorld.server(in: 8)) { world in
                try world.sleep()
                // The daemon is gone meanwhile, and its memory believes that the sleep began an hour earlier.
                try world.machine.sh(
                    """
                    systemctl stop lightsoutd
                    began=$(sed -n s/^asleep_began=//p /var/lib/lightsout/sleep)
                    sed -i "s/^asleep_began=.*/asleep_began=$((began - 3600000000 > 0 ? began - 3600000000 : 0))/" /var/lib/lightsout/sleep
                    sleep 8
                    """)
                try world.wake()
                try world.machine.sh("systemctl start lightsoutd")
                try world.awaitDecision("resumed", containing: "after lightsout's alarm, which did not wake it")
                try world.daemon.awaitEvents(of: "server", ["started schedule", "finished success"])
                #expect(try world.machine.sleeps() == ["suspend"])
            }
        }

        @Test func `two wake-ups close together: between them it stays awake, after the second it sleeps`() throws {
            let configuration = """
                wake_lead: 1s
                wake_grace: 0
                sleep_gap: 10s
                after_delay: 1s
                defaults: {wake: true, after: return}
                backups:
                  one: {schedule: '\(DaemonWorld.once(in: 9))'}
                  two: {schedule: '\(DaemonWorld.once(in: 14))'}
                """
            try SleepWorld.with(configuration, scripts: ["one": "exit 0", "two": "exit 0"]) { world in
                try world.sleepUntilAlarm()
                try world.awaitDecision("woken", containing: "one and two")
                try world.daemon.awaitEvents(of: "two", ["started schedule", "finished success"])
                #expect(try world.machine.sleeps() == ["suspend"])
                try world.awaitSleeps(["suspend", "suspend"])
                #expect(try world.daemon.events(of: "one") == ["started schedule", "finished success"])
            }
        }

        @Test func `the daemon killed before the sleep sets its alarm again and knows that it woke the machine`() throws {
            try SleepWorld.with(SleepWorld.server(in: 14)) { world in
                let alarm = try world.nextWakeup()
                try world.daemon.kill9()
                #expect(try world.nextWakeup() == alarm)
                try world.sleepUntilAlarm()
                try world.daemon.awaitEvents(of: "server", ["started schedule", "finished success"])
                try world.awaitSleeps(["suspend", "suspend"])
            }
        }

        @Test func `the daemon killed while the machine sleeps knows that it woke it`() throws {
            try SleepWorld.with(SleepWorld.server(in: 14)) { world in
                let alarm = try world.nextWakeup()
                try world.sleep()
                try world.daemon.kill9()
                while Double(time(nil)) * 1e6 < Double(alarm) { usleep(20_000) }
                try world.wake()
                try world.awaitDecision("woken")
                try world.daemon.awaitEvents(of: "server", ["started schedule", "finished success"])
                try world.awaitSleeps(["suspend", "suspend"])
            }
        }

        @Test(.enabled(if: Machine.maySetClock)) func `a clock set while it sleeps deceives nobody`() throws {
            try SleepWorld.with("backups: {server: {schedule: daily, after: return}}") { world in
                try world.sleep()
                let done = try world.machine.run("touch /run/machine/wake; for i in $(seq 200); do [ -e /run/lightsout/server.lock ] && break; sleep 0.1; done; sleep 1", clockOffBy: 400 * 86400)
                #expect(done.succeeded)
                try world.daemon.awaitEvents(of: "server", ["started catch-up", "finished success"])
                try world.awaitDecision("resumed", containing: "no alarm of lightsout was set")
                #expect(try world.machine.sleeps() == ["suspend"])
            }
        }

        @Test func `in another zone after a sleep the schedule is the new zone's, and what it was woken for is done`() throws {
            let configuration = """
                wake_lead: 1s
                wake_grace: 0
                after_delay: 1s
                backups:
                  server: {schedule: ['\(DaemonWorld.once(in: 10))', '12:00'], wake: true, after: return}
                """
            try SleepWorld.with(configuration) { world in
                let zone = try world.machine.run("readlink /etc/localtime").output
                defer {
                    do { try world.machine.sh("ln -sfn '\(zone.isEmpty ? "/usr/share/zoneinfo/Etc/UTC" : zone)' /etc/localtime") } catch {
                        Issue.record(error, "the zone")
                    }
                }
                let alarm = try world.nextWakeup()
                try world.sleep()
                try world.machine.sh("ln -sfn /usr/share/zoneinfo/Asia/Kolkata /etc/localtime")
                while Double(time(nil)) * 1e6 < Double(alarm) { usleep(20_000) }
                try world.wake()
                try world.awaitDecision("woken", containing: "server")
                try world.daemon.awaitMessage("the machine's time zone is Asia/Kolkata now")
                try world.daemon.awaitEvents(of: "server", ["started schedule", "finished success"])
                let next = try #require(Int64(world.daemon.property("NextElapse", of: "server").dropFirst(2))) / 1_000_000
                #expect((next + 19_800) % 86_400 == 43_200, "noon of Kolkata")
                try world.awaitSleeps(["suspend", "suspend"])
            }
        }

        // MARK: What keeps it awake

        @Test func `a lock of another program puts the sleep off until it is gone`() throws {
            try SleepWorld.with(SleepWorld.server(in: 10)) { world in
                let holder = try world.machine.start(
                    "systemd-inhibit --what=sleep --who=film --why='a film is shown' --mode=block sh -c 'until [ -e /run/test/let-go ]; do sleep 0.02; done'")
                try world.machine.eventually("the lock is listed") { try world.machine.locks().contains { $0.who == "film" } }
                // Root's suspend passes over it with this systemd: so does the test's.
                try world.sleepUntilAlarm()
                try world.awaitDecision("delayed", containing: #""film" forbids it: "a film is shown""#)
                usleep(3_000_000)
                #expect(try world.machine.sleeps() == ["suspend"])
                try world.machine.write("/run/test/let-go", "")
                try world.awaitSleeps(["suspend", "suspend"])
                _ = holder.finish()
            }
        }

        @Test func `a lock that comes while the sleep is announced puts it off too`() throws {
            try SleepWorld.with(SleepWorld.server(in: 10)) { world in
                try world.sleepUntilAlarm()
                try world.awaitDecision("announced")
                let holder = try world.machine.start(
                    "systemd-inhibit --what=sleep --who=film --why='a film is shown' --mode=block sleep 6")
                try world.awaitDecision("cancelled", containing: "stays awake for now")
                #expect(try world.machine.sleeps() == ["suspend"])
                _ = holder.finish()
                try world.awaitSleeps(["suspend", "suspend"], within: 20)
            }
        }

        @Test func `who logs in a second before keeps it awake for good`() throws {
            try SleepWorld.with(SleepWorld.server(in: 10)) { world in
                try world.sleepUntilAlarm()
                try world.awaitDecision("announced")
                let session = try world.machine.start("sleep 5", as: "tester", session: true)
                try world.awaitDecision("cancelled", containing: "tester (session")
                _ = session.finish()
                usleep(2_000_000)
                #expect(try world.machine.sleeps() == ["suspend"])
            }
        }

        @Test func `who is there already is told how to cancel it, and can`() throws {
            try SleepWorld.with(SleepWorld.server(in: 10, more: ", after_delay: 1min")) { world in
                try world.sleepUntilAlarm()
                try world.awaitDecision("announced", containing: "suspends in 1min")
                try world.machine.eventually("wall(1) has told everybody") {
                    try world.machine.sh("journalctl --quiet --output=cat --unit='lightsout-announcement-*'")
                        .contains("Finished")
                }
                let cancelled = try world.machine.run("lightsout sleep --cancel")
                #expect(cancelled.succeeded, "\(cancelled)")
                try world.awaitDecision("cancelled", containing: "root cancelled it")
                usleep(1_000_000)
                #expect(try world.machine.sleeps() == ["suspend"])
            }
        }

        @Test func `a suspend that fails is said, and tried again`() throws {
            try SleepWorld.with(SleepWorld.server(in: 10)) { world in
                try world.sleepUntilAlarm()
                try world.awaitDecision("announced")
                try world.machine.sleepLasts(.fails)
                try world.awaitDecision("failed", containing: "systemd-suspend.service failed")
                let last = try #require(world.decisions().last { $0.action == "failed" })
                #expect(last.message.contains("tried again in 1min"))
                #expect(try world.machine.run("systemctl is-active lightsoutd").output == "active")
            }
        }

        // MARK: After a backup

        @Test(arguments: [("suspend", "suspend"), ("hibernate", "hibernate")])
        func `after a backup the machine sleeps where nobody uses it`(after: String, kind: String) throws {
            try SleepWorld.with(SleepWorld.server(in: 4, after: after)) { world in
                try world.daemon.awaitEvents(of: "server", ["started schedule", "finished success"])
                try world.awaitSleeps([kind])
            }
        }

        @Test func `after a backup the machine can be powered off`() throws {
            try SleepWorld.with(SleepWorld.server(in: 4, after: "poweroff"), hasClock: false) { world in
                world.machine.eventually("it is off", within: 30) { (try? world.machine.initPid) == nil }
                try world.machine.boot()
                #expect(try world.daemon.events(of: "server") == ["started schedule", "finished success"])
                #expect(try world.decisions().last { $0.action == "requested" }?.message.contains("the machine powers off") == true)
                #expect(try !world.decisions().contains { $0.action == "failed" })
            }
        }

        @Test func `after a backup it stays awake where somebody uses it`() throws {
            try SleepWorld.with(SleepWorld.server(in: 5, after: "suspend")) { world in
                let session = try world.machine.start("sleep 12", as: "tester", session: true)
                try world.daemon.awaitEvents(of: "server", ["started schedule", "finished success"])
                try world.awaitDecision("stays-awake", containing: "tester (session")
                usleep(3_000_000)
                #expect(try world.machine.sleeps() == [])
                _ = session.finish()
            }
        }

        // MARK: When the backups are done

        static let waits = ": >/run/test/begun; until [ -e /run/test/go-on ]; do sleep 0.02; done"

        @Test func `sleep --when-done waits for the backup, through a restart of the daemon`() throws {
            try SleepWorld.with("", scripts: ["server": Self.waits]) { world in
                try world.machine.sh("systemctl start --no-block lightsout-backup@server")
                try world.daemon.awaitState("running", of: "server")
                let asked = try world.machine.run("lightsout sleep --when-done")
                #expect(asked.succeeded, "\(asked)")
                try world.awaitDecision("when-done", containing: "root wants the machine to suspend")
                let why = try world.machine.sh("lightsout why --json")
                #expect(why.contains(#""kind": "sleep""#) || why.contains(#""kind":"sleep""#), "\(why)")
                #expect(why.contains("as root asked for when the backups are done"))
                try world.daemon.kill9()
                #expect(try world.machine.sleeps() == [])
                try world.machine.write("/run/test/go-on", "")
                try world.awaitSleeps(["suspend"])
                try world.wake()
                usleep(2_000_000)
                #expect(try world.machine.sleeps() == ["suspend"])
            }
        }

        @Test func `sleep --when-done can be cancelled, and is a matter of permission`() throws {
            try SleepWorld.with("", scripts: ["server": Self.waits]) { world in
                try world.machine.sh("systemctl start --no-block lightsout-backup@server")
                try world.daemon.awaitState("running", of: "server")
                #expect(try world.daemon.call("SleepWhenDone s suspend", as: "tester").succeeded == false)
                #expect(try world.daemon.call("SleepWhenDone s nap").stderr.contains("no kind of sleep"))
                try world.machine.sh("lightsout sleep --when-done hibernate; lightsout sleep --cancel")
                try world.awaitDecision("cancelled", containing: "it was to hibernate")
                try world.machine.write("/run/test/go-on", "")
                try world.daemon.awaitEvents(of: "server", ["started manual", "finished success"])
                usleep(2_000_000)
                #expect(try world.machine.sleeps() == [])
            }
        }

        @Test func `why lists locks, backups, sessions and what is to come`() throws {
            try SleepWorld.with("", scripts: ["server": Self.waits]) { world in
                try world.machine.sh("systemctl start --no-block lightsout-backup@server")
                try world.daemon.awaitState("running", of: "server")
                let holder = try world.machine.start("systemd-inhibit --what=sleep --who=film --why=shown --mode=block sleep 3")
                let session = try world.machine.start("sleep 3", as: "tester", session: true)
                try world.machine.eventually("all are listed") {
                    let why = try world.machine.sh("lightsout why")
                    return why.contains("film") && why.contains("tester") && why.contains("server")
                        && why.contains("sleep:handle-lid-switch")
                }
                _ = holder.finish()
                _ = session.finish()
                try world.machine.write("/run/test/go-on", "")
            }
        }
    }
}
