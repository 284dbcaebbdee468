import LightsOutCore
import Testing

extension WholeSystem {
    /// A journal that does not keep results is told of, by the command and by the daemon.
    @Suite("A journal that does not keep results")
    struct JournalCheckTests {
        private static let package = "/usr/lib/systemd/journald.conf.d/40-volatile-storage.conf"
        private static let own = "/etc/systemd/journald.conf.d/zz-test.conf"

        @Test(arguments: [
            (package, "Storage=volatile", "nothing"), (own, "Storage=volatile", "a reboot loses all results"),
            (own, "Storage=none", "no result of a backup is recorded"),
            (own, "MaxLevelStore=warning", "successful backups leave no record"),
            (own, "MaxRetentionSec=1week", "journald deletes records after 7 days"),
            (own, "SystemMaxUse=16M", "journald keeps at most 16M"),
        ])
        func `is a warning of check and of the daemon's status`(file: String, line: String, said: String) throws {
            try Machine.shared.forgetJournal()
            try DaemonWorld.with("backups: {server: {}}", scripts: ["server": "exit 0"]) { world in
                try world.machine.write(file, "[Journal]\n\(line)\n")
                defer { try? world.machine.remove(file) }
                let done = try world.machine.run("lightsout check")
                #expect(done.status == 0)
                try world.machine.sh("systemctl restart lightsoutd")
                // The machine's own file comes later than the package's, and says persistent.
                if said == "nothing" {
                    #expect(!done.output.contains("journald"))
                    try #expect(!world.machine.property("StatusText", of: "lightsoutd").contains("journal"))
                } else {
                    #expect(done.output.contains(said))
                    #expect(done.output.contains("\(file):2:1: warning:"))
                    try world.machine.eventually("the status says so") {
                        try world.machine.property("StatusText", of: "lightsoutd")
                            .contains("the journal does not keep all results, see: lightsout check")
                    }
                    try world.machine.eventually("the journal says so") {
                        try world.machine.sh("journalctl --sync; journalctl -u lightsoutd -n 20 -o cat").contains(said)
                    }
                }
            }
        }

        @Test func `is fixed by what check says`() throws {
            let machine = try Machine.shared
            try machine.forgetJournal()
            try machine.write(Self.own, "[Journal]\nSystemMaxUse=16M\n")
            defer { try? machine.remove(Self.own) }
            let before = try machine.run("lightsout check").output
            let remedy = try #require(before.firstMatch(of: #/set (SystemMaxUse=\d+[KMG]) there/#)).output.1
            try machine.write(Self.own, "[Journal]\n\(remedy)\n")
            #expect(try !machine.run("lightsout check").output.contains("SystemMaxUse"))
        }
    }
}
