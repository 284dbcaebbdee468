import Foundation
import LightsOutCore
import Testing

extension WholeSystem {
    @Suite("lightsout's arguments")
    struct CommandArgumentsTests {
        private static let verbs = [
            "", "status", "start", "stop", "history", "next", "calendar", "check", "pause", "resume", "reload", "run", "conclude", "hold",
            "sleep", "why", "names", "-p", "-f", "-r", "--name", "--report_backup_progress",
        ]
        /// As a shell's words: nothing, numbers that fit no integer, what no terminal should see, what is no text, what is long.
        private static let hostile = [
            "''", "-", "--", "---", "-n", "'-n '", "-n -9223372036854775809", "--until +99999999999999999999y", "--since 9999999999999999-01-01",
            "--since=-9223372036854775808us", "--base-time 2026-13-45", "--json=x", "--name ''", "--name=", "-p1e3", "-p=-1", "-f256", "-rr",
            "\"$(printf '\\377\\376')\"", "\"$(printf 'a\\033[2Jb')\"", "\"$(printf 'a\\nb')\"", "../../etc/passwd", "server/../x",
            "\"$(head -c 4000 /dev/zero | tr '\\0' x)\"", "\"$(head -c 4000 /dev/zero | tr '\\0' -)\"", "--who \"$(printf 'x\\ny')\" --", "@/etc/passwd",
            "--generate-completion-script=nosuch", "--experimental-dump-nothing", "-- --help", "日本語", "1/0 2", "'*-*-* 99:99:99'",
            "'2000..1000-*-*'", "'*-*~99 *:*/0'",
        ]

        @Test(arguments: verbs)
        func `no argument makes it crash, and each that is refused is refused in one line`(verb: String) throws {
            try DaemonWorld.with { world throws in
                // All of them by one call into the machine: a line of results for each.
                let calls = Self.hostile.enumerated().map { (number, words) in
                    "timeout 20 lightsout \(verb) \(words) >/run/test/out 2>/run/test/err </dev/null; echo \"\(number) $? $(wc -l </run/test/err) $(tr -cd '\\033\\377' </run/test/err | wc -c)\""
                }
                let done = try world.machine.run(calls.joined(separator: "\n"), within: 120)
                let results = done.stdout.split(separator: "\n").map { $0.split(separator: " ").compactMap { Int($0) } }
                #expect(results.count == Self.hostile.count)
                for result in results where result.count == 4 {
                    let call = "lightsout \(verb) \(Self.hostile[result[0]])"
                    let (status, lines, unprintable) = (result[1], result[2], result[3])
                    // What `hold` is to run there is not.
                    #expect(status < 124 || status == 127 && verb == "hold", "\(call)")
                    #expect(unprintable == 0, "\(call)")
                    // What is not refused may have something to say beside its output.
                    #expect(status == 0 ? lines <= 1 : lines == 1 || verb == "check" && status == 78, "\(call): \(status), \(lines) lines")
                }
            }
        }

        @Test func `a misspelt option is named, with what may have been meant`() throws {
            let done = try Machine.shared.run("lightsout history --jsn")
            #expect(done.status == 64)
            #expect(done.complaint() == "Unknown option '--jsn'. Did you mean '--json'? See: lightsout --help")
        }

        @Test(arguments: ["status -p 50", "start server -r", "history --name server", "-n 3 -f 0"])
        func `an option of a report is not passed over where no report is made`(words: String) throws {
            let done = try Machine.shared.run("lightsout \(words)")
            #expect(done.status == 64)
            #expect(done.complaint().contains(" is for reports, which go with no other command"))
        }

        @Test func `help and version are output, not errors`() throws {
            for words in ["--help", "-h", "help", "help start", "start --help", "--version"] {
                let done = try Machine.shared.run("lightsout \(words)")
                #expect(done.status == 0, "\(words)")
                #expect(done.stderr.isEmpty && !done.stdout.isEmpty)
            }
        }

        @Test func `who stops reading ends it without a word`() throws {
            let done = try Machine.shared.run("(lightsout calendar minutely -n 100000; echo $? >/tmp/status) | head -n 1 >/dev/null")
            #expect(done.stderr.isEmpty, "\(done)")
        }

        @Test func `output that cannot be written is an error`() throws {
            let done = try Machine.shared.run("lightsout --version >/dev/full; lightsout calendar daily >/dev/full")
            #expect(done.status == 69)
            #expect(done.complaint() == "the output cannot be written: No space left on device")
        }
    }
}
