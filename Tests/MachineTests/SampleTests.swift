import Foundation
import Testing

extension WholeSystem {
    /// The scripts that are installed as samples do what they say, on a disk that is mounted and on one that is not.
    @Suite("The sample scripts")
    struct SampleTests {
        let machine: Machine

        init() throws {
            machine = try Machine.shared
            try machine.sh(
                """
                mkdir -p /mnt/backup /srv/files; echo one >/srv/files/one; ln -sf one /srv/files/link; ln -f /srv/files/one /srv/files/hard
                mountpoint -q /mnt/backup && umount /mnt/backup; mount -t tmpfs -o size=64m disk /mnt/backup
                """)
        }

        /// What is installed, with lines of settings of its own.
        private func sample(_ name: String, _ settings: [String: String] = [:]) throws -> String {
            try machine.read("/etc/lightsout/backup/\(name)_backup.sample").split(separator: "\n", omittingEmptySubsequences: false)
                .map { line in
                    guard let equals = line.firstIndex(of: "="), let value = settings[String(line[..<equals])] else { return String(line) }
                    return "\(line[..<equals])='\(value)'"
                }
                .joined(separator: "\n")
        }

        @Test func `a sample is no backup until it is renamed and executable`() throws {
            #expect(try machine.sh("find /etc/lightsout/backup -name '*.sample' -perm /111") == "")
            #expect(try machine.run("systemctl start lightsout-backup@server").status != 0)
            try machine.sh("systemctl reset-failed 'lightsout-backup@*'")
        }

        @Test func `server: a run leaves a whole copy under a name that tells the time, and nothing unfinished`() throws {
            try machine.withBackup("server", script: sample("server")) { unit in
                try machine.sh("systemctl start \(unit)")
                #expect(try machine.sh("diff -r --no-dereference /srv /mnt/backup/machine/20*") == "")
                #expect(try machine.sh("ls /mnt/backup/machine").contains(/^2\d\d\d-\d\d-\d\dT\d{6}$/))
            }
        }

        @Test func `server: what a run that was cut short has left is taken up, not taken for a copy`() throws {
            try machine.write("/mnt/backup/machine/unfinished/stale", "of a file that is no longer there\n")
            try machine.withBackup("server", script: sample("server")) { unit in
                try machine.sh("systemctl start \(unit)")
                #expect(try machine.sh("diff -r --no-dereference /srv /mnt/backup/machine/20*") == "")
            }
        }

        @Test func `server: no more copies are kept than KEEP says, the newest`() throws {
            try machine.sh("mkdir -p /mnt/backup/machine/2001-01-01T000000 /mnt/backup/machine/2001-01-02T000000")
            try machine.withBackup("server", script: sample("server", ["KEEP": "2"])) { unit in
                try machine.sh("systemctl start \(unit)")
                let kept = try machine.sh("ls /mnt/backup/machine").split(separator: "\n")
                #expect(kept.count == 2)
                #expect(kept.first == "2001-01-02T000000")
            }
        }

        @Test(arguments: ["server", "client"])
        func `without its disk nothing is copied, the result is failed and the journal says why`(name: String) throws {
            try machine.sh("umount /mnt/backup")
            let cursor = try machine.journalCursor()
            try machine.withBackup(name, script: sample(name)) { unit in
                #expect(try machine.run("systemctl start \(unit)").status != 0)
                #expect(try machine.sh("ls /mnt/backup") == "")
                let results = try machine.results(of: name, after: cursor)
                #expect(results == ["failed"])
                let said = try machine.journal("_SYSTEMD_UNIT=\(unit)", after: cursor).compactMap { $0["MESSAGE"] }
                #expect(said.contains { $0.contains("no disk is mounted there") })
            }
        }

        @Test func `client: every directory is copied, and a report that does not arrive changes no result`() throws {
            try machine.sh("mkdir -p /srv/more && echo two >/srv/more/two")
            try machine.withBackup("client", script: sample("client", ["DIRECTORIES": "/srv/files /srv/more"])) { unit in
                try machine.sh("systemctl start \(unit)")
                #expect(try machine.sh("diff -r --no-dereference /srv /mnt/backup/machine/srv") == "")
            }
        }

        @Test func `client: a directory that cannot be read makes the result warnings, which systemd counts as success`() throws {
            try machine.withBackup("client", script: sample("client", ["DIRECTORIES": "/srv/files /srv/nowhere"])) { unit in
                let cursor = try machine.journalCursor()
                #expect(try machine.run("systemctl start \(unit)").succeeded)
                let results = try machine.results(of: "client", after: cursor)
                #expect(results == ["warnings"])
            }
        }
    }
}
