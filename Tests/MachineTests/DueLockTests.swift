import Foundation
import Glibc
import LightsOutCore
import Testing

extension WholeSystem {
    /// The machine stays awake from the wake-up, or the lead, to the run.
    @Suite("The lock of a backup that is due")
    struct DueLockTests {
        let machine: Machine

        init() throws { machine = try Machine.shared }

        /// Due in so many seconds, with a lead of three.
        private static func configuration(in seconds: Int, _ more: String = "", wait: Int = 6, machine: String = "") -> String {
            """
            wake_lead: 3s
            wake_grace: 0
            wake_wait: \(wait)s
            \(machine)
            backups:
              server: {schedule: '\(DaemonWorld.once(in: seconds))', wake: true\(more)}
            """
        }

        private func dueLocks() throws -> [Machine.Lock] { try machine.locks().filter { $0.why.contains(" is due at ") } }

        private func awaitDueLock(within seconds: Double = 10, at location: SourceLocation = #_sourceLocation) throws {
            try machine.eventually("the machine is kept awake", within: seconds, at: location) { try !dueLocks().isEmpty }
        }

        /// What became of the lock for a start, and the lock of the run, in their order.
        private func changes(_ world: DaemonWorld) throws -> [String] {
            try machine.journal("MESSAGE_ID=\(JournalRecord.MessageID.lock)", after: world.cursor).map {
                "\($0["LIGHTSOUT_LOCK"] ?? "?")\($0["LIGHTSOUT_RUN"] == nil ? "" : " by run"): \($0["MESSAGE"] ?? "")"
            }
        }

        /// Asks logind in a tight loop until the file is there.
        /// - Returns: how many samples there were, and how many of them had no block lock of lightsout.
        private func sample(until file: String) throws -> (all: Int, without: Int) {
            let counts = try machine.sh(
                """
                all=0 without=0
                while [ ! -e \(file) ]; do
                    list=$(busctl call \(Machine.logind) ListInhibitors)
                    [ -e \(file) ] && break
                    all=$((all + 1))
                    case $list in *'"lightsout"'*'"block"'*) ;; *) without=$((without + 1)); echo "$list" >>/run/test/without ;; esac
                done
                echo $all $without
                """
            ).split(separator: " ").compactMap { Int($0) }
            guard counts.count == 2 else { throw MachineError("no counts: \(counts)") }
            return (counts[0], counts[1])
        }

        @Test func `is held from the lead on, and passes to the run without a gap`() throws {
            let script = "sleep 0.5; touch /run/test/done; sleep 0.3"
            try DaemonWorld.with(Self.configuration(in: 6), scripts: ["server": script]) { world in
                #expect(try dueLocks().isEmpty)
                try awaitDueLock()
                let lock = try #require(try dueLocks().first)
                #expect(lock.who == "lightsout" && lock.what == "sleep:handle-lid-switch" && lock.mode == "block")
                #expect(lock.why.wholeMatch(of: /Backup 'server' is due at \d\d:\d\d/) != nil, "\(lock.why)")
                try #expect(machine.run("systemctl suspend --check-inhibitors=yes").succeeded == false)
                let why = try machine.sh("lightsout why")
                #expect(why.contains("is due at"), "\(why)")
                let status = try machine.sh("lightsout status server; lightsout status; lightsout status --json")
                #expect(status.contains("blocked for its start since") && status.contains("blocks standby"), "\(status)")
                #expect(status.contains("\"kept_awake_since\": \"2") || status.contains("\"kept_awake_since\":\"2"), "\(status)")

                let samples = try sample(until: "/run/test/done")
                #expect(samples.all > 20)
                #expect(samples.without == 0, "\(samples)")
                // The run has a lock of its own by now.
                try #expect(dueLocks().isEmpty)
                try world.awaitEvents(of: "server", ["started schedule", "finished success"])
                let changes = try changes(world)
                #expect(changes.map { String($0.prefix { $0 != ":" }) } == ["taken", "taken by run", "released", "released by run"], "\(changes)")
                #expect(changes[2].contains("its run has begun"), "\(changes)")
                let after = try machine.sh("lightsout status server")
                #expect(!after.contains("blocked for its start"), "\(after)")
            }
        }

        @Test func `a backup that does not wake the machine, or one at hand, takes none`() throws {
            let configuration = """
                wake_lead: 3s
                backups: {server: {schedule: '\(DaemonWorld.once(in: 4))'}}
                """
            try DaemonWorld.with(configuration, scripts: ["server": "sleep 1"]) { world in
                for _ in 0..<10 {
                    try #expect(dueLocks().isEmpty)
                    usleep(200_000)
                }
                try world.awaitEvents(of: "server", ["started schedule", "finished success"])
            }
        }

        @Test(arguments: ["kill", "restart"])
        func `outlives the daemon`(how: String) throws {
            let script = "touch /run/test/done; sleep 0.5"
            try DaemonWorld.with(Self.configuration(in: 7), scripts: ["server": script]) { world in
                try awaitDueLock()
                // Once it is held: first as the old daemon's, then as the new one's.
                try machine.sh(
                    how == "kill"
                        ? "(sleep 0.3; kill -KILL $(systemctl show -P MainPID lightsoutd)) >/dev/null 2>&1 &"
                        : "(sleep 0.3; systemctl restart lightsoutd) >/dev/null 2>&1 &")
                let samples = try sample(until: "/run/test/done")
                #expect(samples.all > 20)
                #expect(samples.without == 0, "\(samples)")
                try world.awaitEvents(of: "server", ["started schedule", "finished success"])
                try machine.eventually("no lock is left") { try machine.locks().filter { $0.who == "lightsout" && $0.mode == "block" }.isEmpty }
                let stored = try machine.property("NFileDescriptorStore", of: "lightsoutd.service")
                #expect(stored == "0")
            }
        }

        @Test func `is let go by a daemon that comes back and does not want it`() throws {
            try DaemonWorld.with(Self.configuration(in: 60).replacing("wake_lead: 3s", with: "wake_lead: 1h")) { world in
                try world.install("server", "exit 0")
                try machine.sh("lightsout reload")
                try awaitDueLock()
                try machine.write(DaemonWorld.configuration, "backups: {}\n")
                try world.kill9()
                try machine.eventually("it is let go", within: 3) { try dueLocks().isEmpty }
                try #expect(machine.property("NFileDescriptorStore", of: "lightsoutd.service") == "0")
            }
        }

        @Test func `is taken anew by whoever restarts logind, and is listed throughout`() throws {
            try DaemonWorld.with(Self.configuration(in: 8), scripts: ["server": "touch /run/test/done; sleep 0.3"]) { world in
                try awaitDueLock()
                try machine.sh("systemctl reset-failed systemd-logind; systemctl restart systemd-logind")
                let samples = try sample(until: "/run/test/done")
                #expect(samples.without == 0, "\(samples)")
                try world.awaitEvents(of: "server", ["started schedule", "finished success"])
            }
        }

        @Test func `a disk that nobody plugs in keeps the machine awake for wake_wait`() throws {
            let configuration = Self.configuration(in: 4, ", requires_mounts: [/mnt/disk]", wait: 4)
            try DaemonWorld.with(configuration, scripts: ["server": "exit 0"]) { world in
                try awaitDueLock()
                try world.awaitState("waiting", of: "server", within: 10)
                try #expect(!dueLocks().isEmpty)
                let began = ContinuousClock.now
                try machine.eventually("it is let go", within: 8) { try dueLocks().isEmpty }
                let lasted = ContinuousClock.now - began
                #expect(lasted > .seconds(2) && lasted < .seconds(6), "\(lasted)")
                let changes = try changes(world)
                #expect(changes.last?.contains("it has waited for 4s (wake_wait): ") == true, "\(changes)")
                // It still runs when the disk comes, under a lock from its start on.
                try machine.sh("mkdir -p /mnt/disk; mount -t tmpfs tmpfs /mnt/disk")
                defer { _ = try? machine.sh("umount /mnt/disk") }
                try world.awaitEvents(of: "server", ["started schedule", "finished success"])
            }
        }

        @Test(arguments: ["lightsout pause server", "lightsout pause", "rm -f /etc/lightsout/lightsout.yaml; lightsout reload"])
        func `ends with what it is for`(line: String) throws {
            try DaemonWorld.with(
                Self.configuration(in: 60).replacing("wake_lead: 3s", with: "wake_lead: 1h"), scripts: ["server": "exit 0"]
            ) { world in
                try awaitDueLock()
                try machine.sh(line)
                try machine.eventually("it is let go", within: 1) { try dueLocks().isEmpty }
                let last = try changes(world).last ?? ""
                #expect(last.contains(line.contains("pause") ? "it is paused" : "no \"wake\"") || last.contains("no longer in the configuration"), "\(last)")
            }
        }

        @Test func `a script that is refused lets it go`() throws {
            try DaemonWorld.with(Self.configuration(in: 5), scripts: ["server": "exit 0"]) { world in
                try machine.sh("chmod 777 /etc/lightsout/backup/server_backup")
                try awaitDueLock()
                try world.awaitEvents(of: "server", ["refused"])
                try machine.eventually("it is let go", within: 1) { try dueLocks().isEmpty }
            }
        }

        @Test func `is held over the delay of a retry and while others have their turn`() throws {
            let configuration = """
                wake_lead: 1s
                wake_wait: 3s
                max_parallel: 1
                backups:
                  first: {schedule: '\(DaemonWorld.once(in: 4))', retry: {attempts: 1, delay: 2s}, wake: true}
                  second: {schedule: '\(DaemonWorld.once(in: 5))', wake: true}
                """
            // The first fails at once, tries again, and takes longer than wake_wait.
            let first = "[ -e /run/test/once ] && { sleep 5; exit 0; }; touch /run/test/once; exit 1"
            let second = "touch /run/test/done; sleep 0.3"
            try DaemonWorld.with(configuration, scripts: ["first": first, "second": second]) { world in
                try machine.eventually("the first has failed", within: 10) { try machine.exists("/run/test/once") }
                usleep(200_000)
                let samples = try sample(until: "/run/test/done")
                #expect(samples.without == 0, "\(samples)")
                try world.awaitEvents(of: "first", ["started schedule", "finished failed", "started retry", "finished success"])
                try world.awaitEvents(of: "second", ["started schedule", "finished success"])
            }
        }

        @Test func `a machine that is put to sleep all the same wakes again for what is due`() throws {
            let more = ", requires_mounts: [/mnt/disk]"
            let configuration = Self.configuration(in: 5, more, wait: 60).replacing("wake_lead: 3s", with: "wake_lead: 6s")
            try SleepWorld.with(configuration, scripts: ["server": "exit 0"]) { world in
                try world.daemon.awaitState("waiting", of: "server", within: 15)
                try machine.suspendPastLocks()
                try machine.eventually("it sleeps") { try machine.isAsleep() }
                let now = Int64(time(nil)) * 1_000_000
                let alarm = try world.nextWakeup()
                #expect(alarm > now && alarm < now + 8_000_000, "\(alarm - now)")
                try world.awaitDecision("sleeping", containing: "for server, due")
                while Int64(time(nil)) * 1_000_000 < alarm { usleep(50_000) }
                try world.wake()
                try world.awaitDecision("woken", containing: "server")
                try machine.sh("mkdir -p /mnt/disk; mount -t tmpfs tmpfs /mnt/disk")
                defer { _ = try? machine.sh("umount /mnt/disk") }
                try world.daemon.awaitEvents(of: "server", ["started schedule", "finished success"])
            }
        }

        @Test(arguments: ["systemctl start --no-block suspend.target", "systemctl start --no-block systemd-suspend.service"])
        func `a sleep that logind does not announce ends for what is due, too`(line: String) throws {
            let more = ", requires_mounts: [/mnt/disk]"
            let configuration = Self.configuration(in: 5, more, wait: 60).replacing("wake_lead: 3s", with: "wake_lead: 6s")
            try SleepWorld.with(configuration, scripts: ["server": "exit 0"]) { world in
                try world.daemon.awaitState("waiting", of: "server", within: 15)
                // The alarm stands all the time, neither about to elapse nor farther ahead than the lead.
                var alarms: Set<Int64> = []
                for _ in 0..<40 {
                    let now = Int64(Date().timeIntervalSince1970 * 1e6)
                    let alarm = try world.nextWakeup()
                    #expect(alarm > now + 1_500_000 && alarm < now + 6_500_000, "\(alarm - now)")
                    alarms.insert(alarm)
                    usleep(200_000)
                }
                #expect(alarms.count > 1 && alarms.count < 6, "\(alarms)")
                try machine.sh(line)
                try machine.eventually("it sleeps") { try machine.isAsleep() }
                try #expect(machine.sh("busctl get-property \(Machine.logind) PreparingForSleep") == "b false")
                try world.wake()
                try machine.sh("mkdir -p /mnt/disk; mount -t tmpfs tmpfs /mnt/disk")
                defer { _ = try? machine.sh("umount /mnt/disk") }
                try world.daemon.awaitEvents(of: "server", ["started schedule", "finished success"])
                let tomorrow = try world.nextWakeup()
                #expect(tomorrow == 0, "nothing is due any more")
            }
        }

        @Test func `is not held on battery power where that does not wake the machine`() throws {
            try Laptop.with(onAC: false) {
                let configuration = Self.configuration(in: 6, ", battery: wait")
                try DaemonWorld.with(configuration, scripts: ["server": "exit 0"]) { world in
                    usleep(4_500_000)
                    try #expect(dueLocks().isEmpty)
                    try Laptop.setPower(machine, true)
                    try world.awaitEvents(of: "server", ["started schedule", "finished success"])
                }
            }
        }

        @Test func `keeps the machine from going back to sleep while a backup waits, and no longer`() throws {
            let configuration =
                SleepWorld.server(in: 7, more: ", requires_mounts: [/mnt/disk]") + "\nwake_wait: 4s\n"
            try SleepWorld.with(configuration) { world in
                try world.sleepUntilAlarm()
                try world.awaitDecision("woken", containing: "server")
                try world.daemon.awaitState("waiting", of: "server", within: 10)
                try #expect(machine.sleeps() == ["suspend"])
                try #expect(!dueLocks().isEmpty)
                try world.awaitSleeps(["suspend", "suspend"], within: 20)
                try #expect(dueLocks().isEmpty)
            }
        }
    }
}
