import Foundation
import Testing

/// `make install` and `make uninstall` into a tree: needs no machine and no privileges.
@Suite("Installation")
struct InstallTests {
    private static let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    private func make(_ target: String, _ tree: String, _ variables: String...) throws {
        let done = try Command.run(
            ["make", "--silent", "--no-print-directory", "-C", Self.package, target, "DESTDIR=" + tree, "STRIP="] + variables)
        guard done.succeeded else { throw MachineError("make \(target): \(done)") }
    }

    /// Two binaries stand in for the real ones: what they are is not what is tested here.
    private func withTree(_ body: (_ tree: String, _ build: String) throws -> Void) throws {
        let directory = "/tmp/lightsout-install.\(getpid()).\(UInt32.random(in: 0 ... .max))"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try FileManager.default.createDirectory(atPath: directory + "/build", withIntermediateDirectories: true)
        for name in ["lightsout", "lightsoutd"] {
            let path = "\(directory)/build/\(name)"
            try Data("#!/bin/sh\n".utf8).write(to: URL(filePath: path))
            chmod(path, 0o755)
        }
        try body(directory + "/tree", "BUILD=\(directory)/build")
    }

    private func files(_ tree: String) throws -> [String] {
        try Command.run(["find", tree, "-type", "f", "-printf", "/%P\n"]).stdout.split(separator: "\n").map(String.init).sorted()
    }

    @Test func `what the units need lies where systemd looks for it`() throws {
        try withTree { tree, build in
            try make("install", tree, build)
            let installed = try files(tree)
            #expect(installed.contains("/usr/bin/lightsout"))
            #expect(installed.contains("/usr/sbin/lightsoutd"))
            #expect(installed.contains("/usr/lib/systemd/system/lightsout-backup@.service"))
            #expect(installed.contains("/etc/lightsout/backup/server_backup.sample"))
        }
    }

    /// needrestart evaluates its files as Perl and dies of one that is wrong.
    @Test func `needrestart leaves backups alone and may restart the daemon`() throws {
        try withTree { tree, build in
            try make("install", tree, build)
            let program = """
                our %nrconf = (override_rc => {qr(^dbus) => 0});
                eval do { local $/; open my $f, '<', $ARGV[0] or die; <$f> }; die $@ if $@;
                sub left { my $n = shift; grep { $n =~ /$_/ && !$nrconf{override_rc}{$_} } keys %{$nrconf{override_rc}} }
                print join ',', map { left($_) ? 'left' : 'restarted' } qw(lightsout-backup@server.service lightsoutd.service dbus.service);
                """
            let said = try Command.run(["perl", "-we", "use strict; " + program, tree + "/etc/needrestart/conf.d/lightsout.conf"])
            #expect(said.stdout == "left,restarted,left", "\(said)")
        }
    }

    @Test func `the unit that sets the hardware clock is wanted by each way of going off`() throws {
        try withTree { tree, build in
            try make("install", tree, build)
            let found = try Command.run([
                "find", tree + "/usr/lib/systemd/system", "-xtype", "f", "-path", "*/systemd-*.wants/*", "-printf", "%P\n",
            ]).stdout.split(separator: "\n").map(String.init).sorted()
            #expect(
                found
                    == ["hibernate", "hybrid-sleep", "poweroff", "suspend-then-hibernate"].map {
                        "systemd-\($0).service.wants/lightsout-wakealarm@\($0).service"
                    })
            let hook = try Command.run(["sh", "-n", tree + "/usr/lib/systemd/system-sleep/lightsout"])
            #expect(hook.succeeded && access(tree + "/usr/lib/systemd/system-sleep/lightsout", X_OK) == 0, "\(hook)")
            try make("uninstall", tree)
            try #expect(Command.run(["find", tree, "-name", "system-sleep", "-not", "-empty", "-o", "-name", "*wakealarm*", "-o", "-name", "systemd-*.wants"]).stdout == "")
        }
    }

    @Test func `units follow the prefix`() throws {
        try withTree { tree, build in
            try make("install", tree, build, "PREFIX=/usr/local")
            let unit = try String(
                contentsOfFile: tree + "/usr/local/lib/systemd/system/lightsout-backup@.service", encoding: .utf8)
            #expect(unit.contains("ExecStart=/usr/local/bin/lightsout run"))
            #expect(!unit.contains("/usr/bin/lightsout"))
        }
    }

    @Test func `a configuration that is there is left as it is`() throws {
        try withTree { tree, build in
            let configuration = tree + "/etc/lightsout/lightsout.yaml"
            try FileManager.default.createDirectory(atPath: tree + "/etc/lightsout", withIntermediateDirectories: true)
            try Data("# mine\n".utf8).write(to: URL(filePath: configuration))
            try make("install", tree, build)
            #expect(try String(contentsOfFile: configuration, encoding: .utf8) == "# mine\n")
        }
    }

    @Test func `uninstall leaves nothing but the configuration and the user's scripts`() throws {
        try withTree { tree, build in
            try make("install", tree, build)
            try Data("#!/bin/sh\n".utf8).write(to: URL(filePath: tree + "/etc/lightsout/backup/server_backup"))
            try make("uninstall", tree)
            #expect(try files(tree).filter { $0 != "/etc/lightsout/lightsout.yaml" } == ["/etc/lightsout/backup/server_backup"])
        }
    }
}
