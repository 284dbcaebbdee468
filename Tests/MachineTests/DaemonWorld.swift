import Foundation
import Glibc
import LightsOutCore
import Testing

/// A machine with the daemon at work on a configuration of the test's own, with nothing remembered from before and nothing
/// left behind.
struct DaemonWorld {
    let machine: Machine
    /// Where the journal ended before the test.
    let cursor: String

    static let configuration = "/etc/lightsout/lightsout.yaml"
    static let manager = "org.lightsout1 /org/lightsout1 org.lightsout1.Manager"

    /// Runs `body` while the daemon runs. `scripts` are the backups' scripts, by name, without their `#!` line. In
    /// `configuration`, `@+3s` stands for the second that comes three seconds after it is written.
    static func with<Result>(
        _ configuration: String = "", scripts: [String: String] = [:], starting: Bool = true,
        _ body: (DaemonWorld) throws -> Result
    ) throws -> Result {
        let machine = try Machine.shared
        try clear(machine)
        let before = try machine.exists(Self.configuration) ? machine.read(Self.configuration) : nil
        let world = DaemonWorld(machine: machine, cursor: try machine.journalCursor())
        defer {
            do {
                try clear(machine)
                for name in scripts.keys { try machine.remove("/etc/lightsout/backup/\(name)_backup") }
                if let before { try machine.write(Self.configuration, before) } else { try machine.remove(Self.configuration) }
            } catch { Issue.record(error, "cleaning up after the daemon") }
        }
        for (name, script) in scripts { try world.install(name, script) }
        try world.configure(configuration)
        if starting { try machine.sh("systemctl start lightsoutd") }
        return try body(world)
    }

    private static func clear(_ machine: Machine) throws {
        try machine.sh(
            """
            systemctl stop lightsoutd 'lightsout-backup@*' 2>/dev/null
            systemctl reset-failed 2>/dev/null
            rm -rf /var/lib/lightsout /run/lightsout /run/test; mkdir -p /run/test
            """)
    }

    // MARK: Configuration

    func install(_ name: String, _ script: String) throws {
        try machine.write("/etc/lightsout/backup/\(name)_backup", "#!/bin/sh\n\(script)\n", mode: 0o700)
    }

    func configure(_ text: String) throws {
        try machine.write(
            Self.configuration, text.replacing(/@\+(\d+)s/) { match in Self.once(in: Int(match.1) ?? 0) })
    }

    /// The second that comes so many seconds from now, as a calendar expression that elapses then and never again.
    static func once(in seconds: Int) -> String {
        var moment = time(nil) + seconds
        var parts = tm()
        gmtime_r(&moment, &parts)
        return String(
            format: "%04d-%02d-%02d %02d:%02d:%02d UTC", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
            parts.tm_min, parts.tm_sec)
    }

    // MARK: The daemon

    var pid: pid_t {
        get throws { pid_t(try machine.property("MainPID", of: "lightsoutd.service")) ?? 0 }
    }

    /// Kills the daemon with SIGKILL and waits until systemd has started it again.
    func kill9() throws {
        let old = try pid
        try machine.sh("kill -KILL \(old)")
        try machine.eventually("the daemon is back", within: 20) {
            let now = try pid
            return try now != 0 && now != old && machine.property("ActiveState", of: "lightsoutd.service") == "active"
        }
    }

    /// Stops the daemon, makes the backup's memory believe that so much of the past was never looked at, and starts it.
    func restart(asIfDownFor span: Int, _ backups: String...) throws {
        try machine.sh("systemctl stop lightsoutd")
        let until = (Int64(time(nil)) - Int64(span)) * 1_000_000
        for backup in backups {
            try machine.sh(
                """
                sed -i -e 's/^handled_until=.*/handled_until=\(until)/' -e 's/^handled_spans=.*/handled_spans=/' \
                /var/lib/lightsout/\(backup).schedule
                """)
        }
        try machine.sh("systemctl start lightsoutd")
    }

    // MARK: What is to be seen

    /// What the journal says of a backup, in order: `started schedule`, `finished success`, `missed`, `refused`.
    func events(of backup: String) throws -> [String] {
        try machine.journal("LIGHTSOUT_BACKUP=\(backup)", after: cursor).compactMap { record in
            switch record["MESSAGE_ID"] {
            case JournalRecord.MessageID.started: "started \(record["LIGHTSOUT_TRIGGER"] ?? "?")"
            case JournalRecord.MessageID.finished: "finished \(record["LIGHTSOUT_RESULT"] ?? "?")"
            case JournalRecord.MessageID.missed: "missed"
            case JournalRecord.MessageID.refused: "refused"
            default: nil
            }
        }
    }

    /// What the daemon itself said.
    func messages() throws -> [String] {
        try machine.journal("_SYSTEMD_UNIT=lightsoutd.service", after: cursor).compactMap { $0["MESSAGE"] }
    }

    func awaitEvents(
        of backup: String, _ expected: [String], within seconds: Double = 20, at location: SourceLocation = #_sourceLocation
    ) throws {
        var seen: [String] = []
        let end = ContinuousClock.now + .seconds(seconds)
        repeat {
            seen = try events(of: backup)
            if seen == expected { return }
            usleep(100_000)
        } while seen.count < expected.count && ContinuousClock.now < end
        #expect(seen == expected, "\(backup)", sourceLocation: location)
    }

    func awaitMessage(
        _ text: String, within seconds: Double = 10, at location: SourceLocation = #_sourceLocation
    ) throws {
        try machine.eventually("the daemon says: \(text)", within: seconds, at: location) {
            try messages().contains { $0.contains(text) }
        }
    }

    /// A property of a backup's object on the bus, as busctl prints it.
    func property(_ name: String, of backup: String) throws -> String {
        try machine.sh("busctl get-property org.lightsout1 /org/lightsout1/backup/\(backup) org.lightsout1.Backup \(name)")
    }

    func state(of backup: String) throws -> String {
        let done = try machine.run(
            "busctl get-property org.lightsout1 /org/lightsout1/backup/\(backup) org.lightsout1.Backup State")
        return done.output.split(separator: "\"").dropFirst().first.map(String.init) ?? done.stderr
    }

    func awaitState(
        _ state: String, of backup: String, within seconds: Double = 20, at location: SourceLocation = #_sourceLocation
    ) throws {
        try machine.eventually("\(backup) is \(state)", within: seconds, at: location) { try self.state(of: backup) == state }
    }

    /// Calls a method of the manager.
    func call(_ method: String, as user: String = "root", session: Bool = false) throws -> Completed {
        try machine.run("busctl call \(Self.manager) \(method)", as: user, session: session)
    }
}
