import Foundation
import Glibc
import Testing

/// Why the machine could not do what a test asked of it; a test that gets one has not shown anything about lightsout.
struct MachineError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// The suite in which everything lies that needs the machine. Its tests run one after another, since they share it; without
/// the privileges to boot one they are skipped, by name.
@Suite("Machine", .serialized, .enabled(if: Machine.isAvailable, Comment(rawValue: Machine.missing ?? "")))
enum WholeSystem {}

/// A Debian machine with real systemd, dbus, logind, polkit and journald, with lightsout installed as `make install` does it,
/// booted once for all tests of the process and gone when the process is. See `machine/machine` for how it is made.
struct Machine: Sendable {
    /// The machine of this process; booted by whoever asks first.
    static var shared: Machine { get throws { try booted.get() } }

    /// Whether a machine can be booted here.
    static var isAvailable: Bool { missing == nil }

    /// What is missing where none can be booted.
    static let missing: String? = {
        do {
            let check = try Command.run([program, "check"])
            return check.succeeded ? nil : check.stderr.trimmingCharacters(in: .whitespacesAndNewlines)
        } catch {
            return "\(error)"
        }
    }()

    /// Whether tests may set the clock, which is the host's as well: on a machine that runs systemd a person works, most
    /// likely, so there they have to be asked for with `LIGHTSOUT_TESTS_SET_CLOCK=1`.
    static let maySetClock: Bool =
        isAvailable && (getenv("LIGHTSOUT_TESTS_SET_CLOCK") != nil || access("/run/systemd/system", F_OK) != 0)

    /// Whether the machine has a program, also where it is made from another root than the host's.
    static func has(_ program: String) -> Bool {
        access((getenv("LIGHTSOUT_MACHINE_ROOT").map { String(cString: $0) } ?? "") + program, X_OK) == 0
    }

    private static let booted = Result { try Machine() }
    private static let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path
    private static let program = package + "/Tests/MachineTests/machine/machine"

    /// The directory of the machine on the host, and how its file system is reached from there.
    let directory: String
    private var root: String { get throws { try "/proc/\(initPid)/root" } }

    /// The pid, as the host counts, of the machine's process 1.
    var initPid: pid_t {
        get throws {
            guard let text = try? String(contentsOfFile: directory + "/init", encoding: .utf8),
                let pid = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines))
            else { throw MachineError("the machine does not run") }
            return pid
        }
    }

    // MARK: Boot

    private init() throws {
        directory = "/tmp/lightsout-machine.\(getpid())"
        let tree = directory + ".tree"
        defer { try? FileManager.default.removeItem(atPath: tree) }
        let install = try Command.run([
            "make", "--silent", "--no-print-directory", "-C", Self.package, "install",
            "DESTDIR=" + tree, "PREFIX=/usr", "SYSCONFDIR=/etc", "BUILD=" + Self.build, "STRIP=",
        ])
        guard install.succeeded else { throw MachineError("make install failed: \(install)") }

        // The machine lasts until the other end of its standard input is closed. Nobody else has that end, and it stays open
        // for as long as this process lives: even SIGKILL leaves nothing behind.
        // (A FIFO, since a pipe cannot be made and marked close-on-exec at once with what Glibc shows to Swift.)
        let fifo = directory + ".owner"
        defer { unlink(fifo) }
        guard mkfifo(fifo, 0o600) == 0, case let ours = open(fifo, O_RDWR | O_CLOEXEC), ours >= 0,
            case let theirs = open(fifo, O_RDONLY | O_CLOEXEC), theirs >= 0
        else { throw MachineError("cannot make \(fifo): \(String(cString: strerror(errno)))") }
        defer { close(theirs) }
        let hold = try Command([Self.program, "hold", directory, "--install", tree], input: theirs)
        while !hold.outputSoFar().contains("ready\n") {
            guard hold.isRunning() else { throw MachineError("no machine: \(hold.finish())") }
            usleep(5000)
        }
    }

    /// Where the binaries are that are tested: what `swift test` has built, unless LIGHTSOUT_BUILD says otherwise.
    private static var build: String {
        if let named = getenv("LIGHTSOUT_BUILD") { return String(cString: named) }
        return URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path
    }

    /// Boots it again, `powerLoss` without stopping anything first.
    func reboot(powerLoss: Bool = false) throws {
        let done = try Command.run([Self.program, "reboot", directory] + (powerLoss ? ["--power-loss"] : []))
        guard done.succeeded else { throw MachineError("no reboot: \(done)") }
    }

    /// Boots it after it was powered off.
    func boot() throws {
        let done = try Command.run([Self.program, "boot", directory])
        guard done.succeeded else { throw MachineError("no boot: \(done)") }
    }

    // MARK: Commands

    /// Runs a line of shell in the machine. Whatever it exits with is an answer, not an error; that it does not end is one.
    ///
    /// - Parameters:
    ///   - user: `root`, `tester` or `other`.
    ///   - session: in a login session of the user's, active on seat0, as polkit and logind judge by it.
    func run(_ line: String, as user: String = "root", session: Bool = false, within seconds: Int = 30) throws -> Completed {
        let done = try start(line, as: user, session: session, within: seconds).finish()
        guard done.status != 124 else { throw MachineError("did not end in \(seconds) s: \(line)\n\(done)") }
        return done
    }

    /// Runs a line of shell that has to succeed, and gives its output.
    @discardableResult
    func sh(_ line: String, as user: String = "root") throws -> String {
        let done = try run(line, as: user)
        guard done.succeeded else { throw MachineError("failed: \(line)\n\(done)") }
        return done.output
    }

    /// Starts a line of shell in the machine and does not wait for its end.
    func start(_ line: String, as user: String = "root", session: Bool = false, within seconds: Int = 60) throws -> Command {
        try Command(
            [Self.program, "exec", directory, "--as", user] + (session ? ["--session"] : [])
                + ["--", "timeout", "--kill-after=1", String(seconds), "sh", "-c", line])
    }

    /// Runs a line of shell with the clock of the machine, and of the host, `offset` seconds away from the truth.
    func run(_ line: String, clockOffBy offset: Int) throws -> Completed {
        try Command.run([Self.program, "with-clock", directory, String(offset), "--", "timeout", "--kill-after=1", "60", "sh", "-c", line])
    }

    /// Waits until `condition` holds, and fails the test where it does not within so many seconds.
    @discardableResult
    func eventually(
        _ what: Comment, within seconds: Double = 5, at location: SourceLocation = #_sourceLocation,
        _ condition: () throws -> Bool
    ) rethrows -> Bool {
        let end = ContinuousClock.now + .seconds(seconds)
        while try !condition() {
            guard ContinuousClock.now < end else {
                Issue.record("not within \(seconds) s: \(what)", sourceLocation: location)
                return false
            }
            usleep(10_000)
        }
        return true
    }

    // MARK: Files

    func read(_ path: String) throws -> String {
        try String(contentsOfFile: root + path, encoding: .utf8)
    }

    /// Writes a file, and the directories above it, as root; the mode is as given, whatever the umask.
    func write(_ path: String, _ text: String, mode: mode_t = 0o644, owner: uid_t = 0) throws {
        let file = try URL(filePath: root + path)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
        guard chown(file.path, owner, owner) == 0, chmod(file.path, mode) == 0 else {
            throw MachineError("cannot set the owner and mode of \(path): \(String(cString: strerror(errno)))")
        }
    }

    func exists(_ path: String) throws -> Bool {
        var status = stat()
        return try lstat(root + path, &status) == 0
    }

    func remove(_ path: String) throws {
        if try exists(path) { try FileManager.default.removeItem(atPath: root + path) }
    }

    // MARK: systemd

    /// A property of a unit, as `systemctl show` prints it.
    func property(_ name: String, of unit: String) throws -> String {
        try sh("systemctl show --property=\(name) --value -- '\(unit)'")
    }

    /// The journal's records that all `matches` (as journalctl takes them) fit, oldest first, with the fields as text.
    ///
    /// - Parameter cursor: only what was recorded after ``journalCursor()`` gave this.
    func journal(_ matches: String..., after cursor: String? = nil) throws -> [[String: String]] {
        let fields = matches.map { "'\($0)'" }.joined(separator: " ")
        let since = cursor.map(Self.sequence)
        return try sh("journalctl --sync; journalctl --no-pager --quiet --all --output=json \(fields)")
            .split(separator: "\n").compactMap { line in
                guard let record = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else {
                    throw MachineError("no JSON from journalctl: \(line)")
                }
                let fields = record.mapValues(Self.fieldText)
                // journalctl --after-cursor leaves out the first record where the cursor's own does not fit the matches.
                let own = Self.sequence(fields["__CURSOR"] ?? "")
                if let since, own.of == since.of, own.number <= since.number { return nil }
                return fields
            }
    }

    /// The sequence that a cursor counts in, and the number in it.
    private static func sequence(_ cursor: String) -> (of: Substring, number: Int) {
        let parts = cursor.split(separator: ";")
        let number = parts.first { $0.hasPrefix("i=") }.flatMap { Int($0.dropFirst(2), radix: 16) } ?? 0
        return (parts.first ?? "", number)
    }

    /// Where the journal ends now. (A record of a user's own journal is no place to go on from: systemd 252 loses its way.)
    func journalCursor() throws -> String {
        let lines = try sh("journalctl --sync; journalctl --system --no-pager --quiet --lines=1 --output=json --output-fields=MESSAGE")
        guard let record = try JSONSerialization.jsonObject(with: Data(lines.utf8)) as? [String: Any],
            let cursor = record["__CURSOR"] as? String
        else { throw MachineError("no cursor in \(lines)") }
        return cursor
    }

    /// journalctl gives bytes that are no text as numbers, and a field that came several times as a list of its values.
    private static func fieldText(_ value: Any) -> String {
        switch value {
        case let text as String: text
        case let bytes as [Int]: String(decoding: bytes.map { UInt8(truncatingIfNeeded: $0) }, as: UTF8.self)
        case let several as [Any]: several.map(fieldText).joined(separator: "\n")
        default: "\(value)"
        }
    }

    /// Takes what earlier tests wrote out of the journal. They set the clock, so that it seems to reach back for days, and
    /// write so much that it seems to be too small for a machine as busy as this.
    func forgetJournal() throws { try sh("journalctl --quiet --rotate; rm -f /var/log/journal/*/*@*") }

    // MARK: logind

    /// An inhibitor lock as logind lists it.
    struct Lock: Hashable, Sendable {
        var what, who, why, mode: String
        var uid, pid: Int
    }

    /// All inhibitor locks that are held.
    func locks() throws -> [Lock] {
        let reply = try sh("busctl --json=short call \(Self.logind) ListInhibitors")
        guard let message = try JSONSerialization.jsonObject(with: Data(reply.utf8)) as? [String: Any],
            let rows = (message["data"] as? [[[Any]]])?.first
        else { throw MachineError("not understood: \(reply)") }
        return rows.compactMap { row in
            guard row.count == 6, let what = row[0] as? String, let who = row[1] as? String, let why = row[2] as? String,
                let mode = row[3] as? String, let uid = row[4] as? Int, let pid = row[5] as? Int
            else { return nil }
            return Lock(what: what, who: who, why: why, mode: mode, uid: uid, pid: pid)
        }
    }

    /// Bus name, object and interface of logind's manager, for busctl.
    static let logind = "org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager"

    /// How long a suspend or hibernation lasts from now on.
    enum SleepLength: CustomStringConvertible {
        case seconds(Int)
        /// Until ``wake()``.
        case untilWoken
        /// It comes to nothing: the unit of the sleep fails.
        case fails

        var description: String {
            switch self {
            case .seconds(let seconds): "\(seconds)"
            case .untilWoken: "until-woken"
            case .fails: "fails"
            }
        }
    }

    func sleepLasts(_ length: SleepLength) throws {
        try write("/run/machine/sleep-lasts", "\(length)\n")
    }

    /// Ends the sleep that is under way.
    func wake() throws {
        try write("/run/machine/wake", "")
    }

    /// Whether a sleep is under way: the kernel, had it been asked, would be asleep.
    func isAsleep() throws -> Bool { try exists("/run/machine/asleep") }

    /// The sleeps since the boot, or since ``forgetSleeps()``: `suspend`, `hibernate`, `hybrid-sleep`.
    func sleeps() throws -> [String] {
        try exists("/run/machine/sleeps") ? read("/run/machine/sleeps").split(separator: "\n").map(String.init) : []
    }

    /// systemd's version, 252 for example.
    var systemdVersion: Int { get throws { Int(try sh("systemctl --version").split(separator: " ").dropFirst().first ?? "") ?? 0 } }

    /// Suspends the machine through logind in spite of block locks. Before systemd 257 root may do so; since then it takes an
    /// administrator's password, for which a rule of polkit's stands here.
    func suspendPastLocks() throws {
        let rule = "/etc/polkit-1/rules.d/00-past-locks.rules"
        if try systemdVersion >= 257 {
            try write(
                rule,
                "polkit.addRule(function (action) { if (action.id == 'org.freedesktop.login1.suspend-ignore-inhibit') return polkit.Result.YES; });\n")
        }
        defer { try? remove(rule) }
        // polkit reads its rules a moment after they are there.
        try eventually("it is suspended past the locks", within: 10) { try run("systemctl suspend --check-inhibitors=no").succeeded }
    }

    func forgetSleeps() throws { try remove("/run/machine/sleeps") }

    // MARK: lightsout

    /// The results of a backup's runs that the journal has records of the end of, oldest first.
    func results(of backup: String, after cursor: String? = nil) throws -> [String] {
        try journal("MESSAGE_ID=782b279e4aed49008a521705136ad691", "LIGHTSOUT_BACKUP=\(backup)", after: cursor)
            .compactMap { $0["LIGHTSOUT_RESULT"] }
    }

    /// Installs a script as the backup `name`, runs `body` with the unit's name, and leaves nothing of it behind: not the
    /// script, a run, its state or a configuration.
    ///
    /// - Parameter configuration: what `lightsout.yaml` says meanwhile.
    func withBackup<Result>(
        _ name: String, script: String, mode: mode_t = 0o700, configuration: String? = nil,
        _ body: (_ unit: String) throws -> Result
    ) throws -> Result {
        let unit = "lightsout-backup@\(name).service"
        let path = "/etc/lightsout/backup/\(name)_backup"
        let configured = "/etc/lightsout/lightsout.yaml"
        let before = try configuration == nil || !exists(configured) ? nil : read(configured)
        if let configuration { try write(configured, configuration) }
        try write(path, script, mode: mode)
        defer {
            // A clean-up that fails would make the next test fail for no reason of its own: it is recorded here.
            do {
                try wake()
                try sh("systemctl stop '\(unit)'; systemctl reset-failed '\(unit)' 2>/dev/null; rm -f /var/lib/lightsout/\(name).*")
                try remove(path)
                if let before { try write(configured, before) } else if configuration != nil { try remove(configured) }
                try sleepLasts(.seconds(0))
                try forgetSleeps()
                try remove("/run/machine/wake")
            } catch {
                Issue.record(error, "cleaning up after the backup \(name)")
            }
        }
        return try body(unit)
    }
}
