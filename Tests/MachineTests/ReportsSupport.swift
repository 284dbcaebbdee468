import Foundation
import Testing

/// What the suites of reports share.
struct Reports {
    let machine: Machine

    static let service = "org.lightsout1 /org/lightsout1 org.lightsout1.Manager"
    static let started = "MESSAGE_ID=54cc1f46a6b448899f14ebc8e1c91790"
    static let finished = "MESSAGE_ID=782b279e4aed49008a521705136ad691"
    static let lock = "MESSAGE_ID=a937b622de78436daf6515597cd564d2"

    /// A daemon that is up, and a machine in which nothing is reported.
    init() throws {
        machine = try Machine.shared
        try machine.sleepLasts(.seconds(0))
        try machine.forgetSleeps()
        try machine.write("/usr/local/lib/lightsout-reports.py", Self.client)
        // A test may kill the daemon as often as systemd starts it in a minute.
        try machine.sh("systemctl reset-failed lightsoutd 2>/dev/null; systemctl start lightsoutd")
    }

    /// Gives Python `manager` and `call(method, signature, *values)`, which prints the error's name where there is one.
    private static let client = """
        import dbus, os, socket, subprocess, sys, time
        bus = dbus.SystemBus()
        manager = bus.get_object('org.lightsout1', '/org/lightsout1', introspect=False)
        def call(method, signature, *values, timeout=60):
            try:
                result = manager.get_dbus_method(method, 'org.lightsout1.Manager')(*values, signature=signature, timeout=timeout)
                print('done', flush=True)
                return result
            except dbus.DBusException as error:
                print(error.get_dbus_name(), error.get_dbus_message(), flush=True)
        def pidfd(pid): return dbus.types.UnixFd(os.pidfd_open(pid))

        """

    /// Runs lines of Python that call the daemon, and gives what they print.
    func python(_ lines: String, as user: String = "root", session: Bool = false) throws -> [String] {
        let path = "/run/machine/reports-\(UInt32.random(in: 0 ... .max)).py"
        try machine.write(path, "exec(open('/usr/local/lib/lightsout-reports.py').read())\n" + lines)
        defer { try? machine.remove(path) }
        let done = try machine.run("python3 \(path)", as: user, session: session)
        guard done.succeeded else { throw MachineError("failed: \(lines)\n\(done)") }
        return done.output.split(separator: "\n").map(String.init)
    }

    /// The lock of a reported backup.
    func lock(of name: String) throws -> Machine.Lock? {
        try machine.locks().first { $0.why.hasPrefix("Backup '\(name)' is reported by pid ") }
    }

    /// The process that reports `name`.
    func reporter(of name: String) throws -> String {
        guard let lock = try lock(of: name), let pid = lock.why.split(separator: " ").last else {
            throw MachineError("\(name) is not reported")
        }
        return String(pid)
    }

    /// Reports `name` as under way from a process that does no more until it is told to, runs `body`, and ends it.
    func reporting(
        _ name: String, _ line: String = "lightsout -r --name", as user: String = "root", session: Bool = false,
        _ body: () throws -> Void
    ) throws {
        let end = "/tmp/end-\(name)"
        try machine.remove(end)
        let reporter = try machine.start(
            "\(line) \(name) && until [ -e \(end) ]; do sleep 0.02; done", as: user, session: session)
        try machine.eventually("\(name) is reported") { try lock(of: name) != nil }
        let outcome = Result { try body() }
        try machine.write(end, "")
        _ = reporter.finish()
        try machine.eventually("it is over") { try lock(of: name) == nil }
        try outcome.get()
    }

    func property(_ property: String, of name: String) throws -> String {
        try machine.run(
            "busctl get-property org.lightsout1 /org/lightsout1/backup/\(name) org.lightsout1.Backup \(property)"
        ).output
    }

    func results(of name: String, after cursor: String) throws -> [String] {
        try machine.journal(Self.finished, "LIGHTSOUT_BACKUP=\(name)", after: cursor).compactMap { $0["LIGHTSOUT_RESULT"] }
    }

    func daemonPid() throws -> String { try machine.property("MainPID", of: "lightsoutd") }

    /// Ends the daemon as the kernel does when memory is short, and waits until another is there.
    func killDaemon() throws {
        let before = try daemonPid()
        try machine.sh("systemctl kill --signal=KILL lightsoutd")
        try machine.eventually("systemd starts another daemon", within: 10) {
            let now = try daemonPid()
            return try now != "0" && now != before && machine.property("ActiveState", of: "lightsoutd") == "active"
        }
    }
}
