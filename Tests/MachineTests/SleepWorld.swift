import Foundation
import Glibc
import LightsOutCore
import Testing

/// A machine that sleeps and can be woken: the daemon with a hardware clock.
struct SleepWorld {
    let daemon: DaemonWorld
    var machine: Machine { daemon.machine }

    private static let dropIn = "/run/systemd/system/lightsoutd.service.d/alarm-clock.conf"
    private static let library = "/usr/libexec/machine-alarm-clock.so"

    /// Runs `body` while the daemon runs by `configuration`.
    /// - Parameter hasClock: whether the machine has a hardware clock that can wake it.
    static func with(
        _ configuration: String, scripts: [String: String] = ["server": "exit 0"], hasClock: Bool = true,
        _ body: (SleepWorld) throws -> Void
    ) throws {
        let machine = try Machine.shared
        if hasClock { try installClock(machine) }
        try machine.sleepLasts(.untilWoken)
        try machine.forgetSleeps()
        defer {
            do {
                try machine.wake()
                try machine.sleepLasts(.seconds(0))
                try awaitAwake(machine)
                try machine.sh("systemctl reset-failed 2>/dev/null; rm -f \(dropIn); systemctl daemon-reload")
                try machine.forgetSleeps()
                try machine.remove("/run/machine/wake")
            } catch { Issue.record(error, "cleaning up after a sleep") }
        }
        try DaemonWorld.with(configuration, scripts: scripts) { world in
            try body(SleepWorld(daemon: world))
            try machine.wake()
            try awaitAwake(machine)
        }
    }

    private static func installClock(_ machine: Machine) throws {
        if try !machine.exists(library) {
            let source = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "machine/alarm-clock.c").path
            let made = try Command.run(["clang", "-shared", "-fPIC", "-O1", "-o", "/proc/\(machine.initPid)/root\(library)", source])
            guard made.succeeded else { throw MachineError("no alarm clock: \(made)") }
        }
        try machine.write(dropIn, "[Service]\nEnvironment=LD_PRELOAD=\(library)\n")
        try machine.sh("systemctl daemon-reload")
    }

    private static func awaitAwake(_ machine: Machine) throws {
        try machine.eventually("logind is done with the sleep", within: 15) {
            try machine.sh("busctl get-property \(Machine.logind) PreparingForSleep") == "b false"
        }
    }

    // MARK: What happens

    /// A configuration in which `server` is due once, so many seconds from now, and wakes the machine a second before.
    static func server(in seconds: Int, after: String = "return", more: String = "") -> String {
        """
        wake_lead: 1s
        wake_grace: 0
        sleep_gap: 1s
        after_delay: 2s
        backups:
          server: {schedule: '\(DaemonWorld.once(in: seconds))', wake: true, after: \(after)\(more)}
        """
    }

    /// Somebody puts the machine to sleep.
    func sleep(_ method: String = "Suspend") throws {
        try machine.sh("busctl call \(Machine.logind) \(method) b false")
        try machine.eventually("it sleeps") { try machine.isAsleep() }
    }

    /// Sleeps until the alarm, as the hardware clock would end it; the sleeps after it last until they are woken too.
    func sleepUntilAlarm(_ method: String = "Suspend") throws {
        let alarm = try nextWakeup()
        #expect(alarm > 0)
        try sleep(method)
        while Double(Glibc.time(nil)) * 1e6 < Double(alarm) { usleep(20_000) }
        try wake()
    }

    func wake() throws {
        try machine.wake()
        try machine.eventually("it is awake") { try !machine.isAsleep() }
    }

    /// The property NextWakeup, microseconds.
    func nextWakeup() throws -> Int64 {
        Int64(try machine.sh("busctl get-property \(DaemonWorld.manager) NextWakeup").dropFirst(2)) ?? 0
    }

    // MARK: What is to be seen

    /// The decisions in the journal, by what was decided.
    func decisions() throws -> [(action: String, message: String)] {
        try machine.journal("MESSAGE_ID=\(JournalRecord.MessageID.decision)", after: daemon.cursor)
            .map { ($0["LIGHTSOUT_ACTION"] ?? "none", $0["MESSAGE"] ?? "") }
    }

    func awaitDecision(
        _ action: String, containing text: String = "", within seconds: Double = 15,
        at location: SourceLocation = #_sourceLocation
    ) throws {
        var seen: [(action: String, message: String)] = []
        let found = try machine.eventually("it decides: \(action) \(text)", within: seconds, at: location) {
            usleep(100_000)
            seen = try decisions()
            return seen.contains { $0.action == action && (text.isEmpty || $0.message.contains(text)) }
        }
        if !found { Issue.record("decided was: \(seen.map { "\($0.action): \($0.message)" })", sourceLocation: location) }
    }

    /// Waits until these sleeps have begun, and the last of them lasts.
    func awaitSleeps(_ sleeps: [String], within seconds: Double = 15, at location: SourceLocation = #_sourceLocation) throws {
        let found = try machine.eventually("the sleeps are \(sleeps)", within: seconds, at: location) {
            try machine.sleeps() == sleeps && machine.isAsleep()
        }
        if !found {
            Issue.record("they are \(try machine.sleeps()); decided was: \(try decisions().map { "\($0.action): \($0.message)" })", sourceLocation: location)
        }
    }
}
