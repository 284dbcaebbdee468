import Foundation

/// A local user who attacks over the bus with a raw client of his own (`machine/bus.py`).
struct Attacker {
    let machine: Machine
    var user = "tester"
    /// In an active login session.
    var session = false

    private static let directory = "/run/machine/attack"

    /// Runs a Python program that has `bus.py` imported as a module and under its names.
    @discardableResult
    func python(_ program: String, within seconds: Int = 60) throws -> Completed {
        try machine.run(line(program), as: user, session: session, within: seconds)
    }

    /// The same, without waiting for its end.
    func startPython(_ program: String, within seconds: Int = 60) throws -> Command {
        try machine.start(line(program), as: user, session: session, within: seconds)
    }

    private func line(_ program: String) throws -> String {
        let source = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "machine/bus.py")
        try machine.write("\(Self.directory)/bus.py", String(contentsOf: source, encoding: .utf8))
        let name = "\(Self.directory)/\(UInt64.random(in: 0 ... .max)).py"
        try machine.write(name, "import sys; sys.path.insert(0, '\(Self.directory)'); sys.dont_write_bytecode = True\nfrom bus import *\n\(program)\n")
        return "exec python3 \(name)"
    }

    /// The Python text of a list of forged signals: sent to each of the names, or to everybody where there is none, each
    /// `rounds` times.
    static func forge(_ signals: [Signal], to destinations: String, rounds: Int = 1) -> String {
        """
        attacker = Bus()
        for _ in range(\(rounds)):
            for name in \(destinations):
                for path, interface, member, signature, body in [\(signals.map(\.python).joined(separator: ", "))]:
                    attacker.signal(name, path, interface, member, signature, body)
        attacker.owner("org.freedesktop.DBus")
        """
    }

    /// A signal in Python's words.
    struct Signal {
        var path, interface, member, signature, body: String

        fileprivate var python: String { "(\"\(path)\", \"\(interface)\", \"\(member)\", \"\(signature)\", \(body))" }

        static func prepareForSleep(_ isBeginning: Bool) -> Signal {
            Signal(
                path: "/org/freedesktop/login1", interface: "org.freedesktop.login1.Manager", member: "PrepareForSleep",
                signature: "b", body: "[\(isBeginning ? 1 : 0)]")
        }

        static func jobRemoved(_ unit: String, _ result: String, job: String = "/org/freedesktop/systemd1/job/1") -> Signal {
            Signal(
                path: "/org/freedesktop/systemd1", interface: "org.freedesktop.systemd1.Manager", member: "JobRemoved",
                signature: "uoss", body: "[1, \"\(job)\", \"\(unit)\", \"\(result)\"]")
        }

        /// What the bus itself says; only it can.
        static func ownerChanged(of name: String, to owner: String) -> Signal {
            Signal(
                path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus", member: "NameOwnerChanged",
                signature: "sss", body: "[\"\(name)\", \"\", \(owner)]")
        }

        static func changed(_ path: String, _ interface: String) -> Signal {
            Signal(
                path: path, interface: "org.freedesktop.DBus.Properties", member: "PropertiesChanged", signature: "sa{sv}as",
                body: "[\"\(interface)\", {}, []]")
        }

        /// Every signal that a process of lightsout listens to.
        static let all: [Signal] = [
            .ownerChanged(of: "org.freedesktop.login1", to: "attacker.name"),
            .ownerChanged(of: "org.freedesktop.systemd1", to: "attacker.name"),
            .ownerChanged(of: "org.freedesktop.PolicyKit1", to: "attacker.name"),
            Signal(
                path: "/org/freedesktop/systemd1", interface: "org.freedesktop.systemd1.Manager", member: "StartupFinished",
                signature: "tttttt", body: "[1, 1, 1, 1, 1, 1]"),
            Signal(
                path: "/org/freedesktop/login1", interface: "org.freedesktop.login1.Manager", member: "SessionNew",
                signature: "so", body: "[\"1\", \"/org/freedesktop/login1/session/_31\"]"),
            Signal(
                path: "/org/freedesktop/login1", interface: "org.freedesktop.login1.Manager", member: "SessionRemoved",
                signature: "so", body: "[\"1\", \"/org/freedesktop/login1/session/_31\"]"),
            .changed("/org/freedesktop/login1", "org.freedesktop.login1.Manager"),
            .changed("/org/freedesktop/systemd1/unit/suspend_2etarget", "org.freedesktop.systemd1.Unit"),
            Signal(
                path: "/org/freedesktop/systemd1", interface: "org.freedesktop.systemd1.Manager", member: "JobNew",
                signature: "uos", body: "[1, \"/org/freedesktop/systemd1/job/1\", \"lightsout-backup@server.service\"]"),
            Signal(
                path: "/org/freedesktop/PolicyKit1/Authority", interface: "org.freedesktop.PolicyKit1.Authority",
                member: "Changed", signature: "", body: "[]"),
            Signal(
                path: "/org/freedesktop/DBus/Loca1", interface: "org.freedesktop.DBus.Loca1", member: "Disconnected",
                signature: "", body: "[]"),
            .prepareForSleep(true),
        ]
    }
}
