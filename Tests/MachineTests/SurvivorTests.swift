import Foundation
import Testing

extension WholeSystem {
    /// A runner that is killed leaves the lock to those who outlive it.
    @Suite("The lock of a run without its runner")
    struct SurvivorTests {
        let machine: Machine
        /// Where the journal stood before the test.
        let cursor: String

        init() throws {
            machine = try Machine.shared
            cursor = try machine.journalCursor()
        }

        /// Lives on for two seconds, whatever signal it gets but SIGKILL.
        private let stubborn = """
            #!/bin/bash
            trap '' TERM HUP INT
            echo $$ >/run/survivor
            touch /run/begun
            end=$((SECONDS + 2))
            while [ $SECONDS -lt $end ]; do sleep 0.05; done
            """

        /// Asks logind for its locks in a tight loop while the process in /run/survivor lives.
        /// - Returns: how many samples there were, and in how many of them no lock was listed.
        private func sampleLocks() throws -> (all: Int, without: Int) {
            let counts = try machine.sh(
                """
                pid=$(cat /run/survivor); all=0 without=0
                while [ -e /proc/$pid/exe ]; do
                    list=$(busctl call \(Machine.logind) ListInhibitors)
                    # A process that has ended meanwhile needs no lock.
                    [ -e /proc/$pid/exe ] || break
                    all=$((all + 1))
                    case $list in *'"lightsout"'*'"block"'*) ;; *) without=$((without + 1)) ;; esac
                done
                echo $all $without
                """
            ).split(separator: " ").compactMap { Int($0) }
            guard counts.count == 2 else { throw MachineError("no counts: \(counts)") }
            return (counts[0], counts[1])
        }

        private func killRunner(of unit: String) throws {
            try machine.sh("kill -KILL $(systemctl show --property=MainPID --value '\(unit)')")
        }

        @Test func `is held in the unit until the last process has ended, although SIGTERM is ignored`() throws {
            try machine.withBackup("stubborn", script: stubborn) { (unit: String) throws in
                try machine.begin(unit)
                try killRunner(of: unit)
                let samples = try sampleLocks()
                #expect(samples.all > 20)
                #expect(samples.without == 0, "\(samples)")
                try machine.awaitEnd(of: unit)
                try machine.eventually("the lock is gone", within: 1) { try machine.ownLocks().isEmpty }
                #expect(try machine.results(of: "stubborn", after: cursor) == ["aborted"])
            }
        }

        @Test func `is held in the unit over a restart of logind too`() throws {
            try machine.withBackup("stubborn", script: stubborn) { (unit: String) throws in
                try machine.begin(unit)
                try killRunner(of: unit)
                try machine.sh("systemctl reset-failed systemd-logind; systemctl restart systemd-logind")
                let samples = try sampleLocks()
                #expect(samples.without == 0, "\(samples)")
                try machine.awaitEnd(of: unit)
                try machine.eventually("the lock is gone", within: 1) { try machine.ownLocks().isEmpty }
            }
        }

        @Test func `is not handed to the next run by a restart of the unit`() throws {
            try machine.withBackup("stubborn", script: stubborn + "\nls -l /proc/self/fd >/run/descriptors\nenv >>/run/descriptors\n") {
                (unit: String) throws in
                try machine.begin(unit)
                try killRunner(of: unit)
                try machine.sh("systemctl restart '\(unit)'")
                try machine.awaitEnd(of: unit)
                let seen = try machine.read("/run/descriptors")
                #expect(!seen.contains("inhibit") && !seen.contains("LISTEN_"), "\(seen)")
                try machine.eventually("the lock is gone", within: 1) { try machine.ownLocks().isEmpty }
                #expect(try machine.results(of: "stubborn", after: cursor) == ["aborted", "success"])
            }
        }

        @Test func `leaves nothing in the store after an end like any other`() throws {
            let script = "#!/bin/sh\ntouch /run/begun; until [ -e /run/let-it-end ]; do sleep 0.02; done\n"
            try machine.withBackup("orderly", script: script) { (unit: String) throws in
                try machine.remove("/run/let-it-end")
                try machine.begin(unit)
                #expect(try machine.property("NFileDescriptorStore", of: unit) == "1")
                try machine.write("/run/let-it-end", "")
                try machine.awaitEnd(of: unit)
                #expect(try machine.property("NFileDescriptorStore", of: unit) == "0")
                #expect(try machine.ownLocks().isEmpty)
            }
        }

        @Test func `is in the store again after logind has lost it, and outlives the runner then too`() throws {
            try machine.withBackup("stubborn", script: stubborn.replacing("SECONDS + 2", with: "SECONDS + 6")) { (unit: String) throws in
                try machine.begin(unit)
                for _ in 0..<2 {
                    try machine.sh(
                        "systemctl reset-failed systemd-logind; systemctl stop systemd-logind; rm -rf /run/systemd/inhibit; systemctl start systemd-logind")
                    try machine.eventually("the lock is there again") { try machine.ownLocks().count == 1 }
                }
                try machine.eventually("the old copy is gone") { try machine.property("NFileDescriptorStore", of: unit) == "1" }
                try killRunner(of: unit)
                let samples = try sampleLocks()
                #expect(samples.all > 20)
                #expect(samples.without == 0, "\(samples)")
                try machine.awaitEnd(of: unit)
                try machine.eventually("the lock is gone", within: 1) { try machine.ownLocks().isEmpty }
            }
        }

        @Test(arguments: ["0", "4"]) func `a store that refuses the copy is told of, and only that`(limit: String) throws {
            let script = "#!/bin/sh\ntouch /run/begun; until [ -e /run/let-it-end ]; do sleep 0.02; done\n"
            try machine.withBackup("unkept", script: script) { (unit: String) throws in
                try machine.write("/run/systemd/system/\(unit).d/store.conf", "[Service]\nFileDescriptorStoreMax=\(limit)\n")
                try machine.sh("systemctl daemon-reload; rm -f /run/let-it-end")
                defer { _ = try? machine.run("rm -rf /run/systemd/system/\(unit).d; systemctl daemon-reload") }
                try machine.begin(unit)
                usleep(300_000)
                try machine.write("/run/let-it-end", "")
                try machine.awaitEnd(of: unit)
                let said = try machine.journal("LIGHTSOUT_BACKUP=unkept", after: cursor).compactMap { $0["MESSAGE"] }
                #expect(said.count { $0.contains("FileDescriptorStoreMax=") } == (limit == "0" ? 1 : 0), "\(said)")
                #expect(try machine.results(of: "unkept", after: cursor) == ["success"])
            }
        }
    }
}
