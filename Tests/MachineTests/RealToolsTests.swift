import Foundation
import Glibc
import Testing

extension WholeSystem {
    /// The programs that people back up with, as talkative as they can be: the journal has text, and the run's own records.
    @Suite("Real backup programs")
    struct RealToolsTests {
        struct Tool: CustomStringConvertible, Sendable {
            let name: String
            let program: String
            let script: String
            /// What the journal has of its output at last.
            let last: String
            /// The most lines that the journal may have of it.
            var mostLines = 12_000
            var description: String { name }

            var isThere: Bool { Machine.has(program) }
        }

        /// Many small files, and some that take a moment.
        private static let source = """
            mkdir -p /tmp/source/many /tmp/source/large; cd /tmp/source/many
            [ -e done ] || { seq -f 'a-file-with-a-name-%06g' 1 25000 | xargs touch; : >done; }
            [ -e ../large/4 ] || for i in 1 2 3 4; do head -c 30000000 /dev/urandom >../large/$i; done
            cd /; rm -rf /tmp/target

            """

        private static let tools = [
            Tool(name: "rsync -v", program: "/usr/bin/rsync", script: "rsync -av /tmp/source/ /tmp/target", last: "total size is"),
            Tool(
                name: "rsync --info=progress2", program: "/usr/bin/rsync",
                script: "rsync -a --info=progress2 --bwlimit=40m /tmp/source/large/ /tmp/target", last: "100%", mostLines: 20),
            Tool(name: "tar -v", program: "/usr/bin/tar", script: "tar -C /tmp -cvf /tmp/target.tar source", last: "source/"),
            Tool(
                name: "borg create --progress", program: "/usr/bin/borg",
                script: """
                    export BORG_BASE_DIR=/tmp/borg BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes
                    borg init -e none /tmp/target && borg create --progress --stats /tmp/target::one /tmp/source
                    """, last: "Chunk index", mostLines: 120),
            Tool(
                name: "restic backup --verbose", program: "/usr/bin/restic",
                script: """
                    export RESTIC_PASSWORD=x RESTIC_REPOSITORY=/tmp/target RESTIC_PROGRESS_FPS=10 RESTIC_CACHE_DIR=/tmp/restic
                    restic init && restic backup --verbose=2 /tmp/source
                    """, last: "saved"),
        ]

        @Test(arguments: tools.filter(\.isThere))
        func `leave a record of the start, one of the result, and lines of text`(tool: Tool) throws {
            let machine = try Machine.shared
            let cursor = try machine.journalCursor()
            try machine.withBackup("tool", script: "#!/bin/sh\nset -e\n\(Self.source)\(tool.script)\n") { (unit: String) throws in
                let done = try machine.run("systemctl start \(unit)", within: 200)
                #expect(done.status == 0, "\(done)")
                #expect(try machine.records(MessageID.started, of: "tool", after: cursor).count == 1)
                #expect(try machine.results(of: "tool", after: cursor) == ["success"])
                // journalctl's JSON has bytes that are no text as numbers; both kinds of lines are counted here.
                let output = try machine.journal("_SYSTEMD_UNIT=\(unit)", "SYSLOG_IDENTIFIER=tool_backup", after: cursor)
                #expect(output.suffix(12).contains { $0["MESSAGE"]?.contains(tool.last) == true }, "\(output.suffix(3))")
                #expect(output.count < tool.mostLines)
                let all = try machine.sh("journalctl --sync; journalctl -q --no-pager -o json --output-fields=MESSAGE SYSLOG_IDENTIFIER=tool_backup | grep -c '\"MESSAGE\":\\[' || true")
                #expect(all == "0", "no line is binary")
                #expect(!output.contains { $0["MESSAGE"]?.contains("\r") == true })
                #expect(try machine.run("lightsout history tool").output.contains("success"))
            }
        }
    }
}
