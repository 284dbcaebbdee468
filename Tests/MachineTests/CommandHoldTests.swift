import Foundation
import LightsOutCore
import Testing

extension WholeSystem {
    @Suite("lightsout hold")
    struct CommandHoldTests {
        @Test(arguments: [("true", 0), ("sh -c 'exit 9'", 9), ("sh -c 'kill -TERM $$'", 143), ("no-such-command", 127), ("/etc/passwd", 126)])
        func `the exit status is the command's`(command: String, status: Int32) throws {
            try DaemonWorld.with { world throws in
                let done = try world.machine.run("lightsout hold -- \(command)")
                #expect(done.status == status, "\(done)")
                if status == 126 || status == 127 { #expect(done.complaint().contains("cannot be run")) } else { #expect(done.stderr.isEmpty) }
            }
        }

        @Test(arguments: [true, false])
        func `the lock is listed with who and why while the command runs, and gone after it`(isDaemonUp: Bool) throws {
            try DaemonWorld.with(starting: isDaemonUp) { world throws in
                let machine = world.machine
                func hold() throws {
                    let command = try machine.start(
                        "lightsout hold --who nightly --why 'copying tapes' -- sh -c ': >/run/test/held; while ! test -e /run/test/go-on; do sleep 0.1; done'")
                    try machine.eventually("the command runs") { try machine.exists("/run/test/held") }
                    let lock = try #require(try machine.locks().first { $0.who == "nightly" })
                    #expect(lock.why.hasPrefix("copying tapes"))
                    #expect(lock.mode == "block")
                    #expect(Set(lock.what.split(separator: ":")) == ["sleep", "handle-lid-switch"])
                    try machine.write("/run/test/go-on", "")
                    #expect(command.finish().succeeded)
                    try machine.eventually("the lock is gone", within: 1) { try !machine.locks().contains { $0.who == "nightly" } }
                }
                if isDaemonUp { try hold() } else { try machine.withoutDaemon { try hold() } }
            }
        }

        @Test func `what ends it ends the command first`() throws {
            try DaemonWorld.with { world throws in
                let machine = world.machine
                let command = try machine.start(
                    "exec lightsout hold -- sh -c 'trap \"sleep 0.3; : >/run/test/ended; exit 7\" TERM; : >/run/test/held; while :; do sleep 0.1; done'")
                try machine.eventually("the command runs") { try machine.exists("/run/test/held") }
                try machine.sh("pkill -TERM -x lightsout")
                #expect(command.finish().status == 7)
                #expect(try machine.exists("/run/test/ended"))
            }
        }

        @Test func `the command inherits no lock, and its signals are as they were`() throws {
            try DaemonWorld.with { world throws in
                let plain = try world.machine.sh("sh -c 'ls -l /proc/self/fd | wc -l; grep Sig /proc/self/status'")
                let held = try world.machine.sh("lightsout hold -- sh -c 'ls -l /proc/self/fd | wc -l; grep Sig /proc/self/status'")
                // SigQ counts what is pending of the user's, whoever asks.
                func steady(_ text: String) -> [Substring] { text.split(separator: "\n").filter { !$0.hasPrefix("SigQ") } }
                #expect(steady(held) == steady(plain))
            }
        }

        @Test func `who may not hold gets no command run`() throws {
            try DaemonWorld.with { world throws in
                let refused = try world.machine.run("lightsout hold -- touch /tmp/was-run", as: "tester")
                #expect(refused.status == 77)
                #expect(!refused.complaint().isEmpty)
                #expect(!(try world.machine.exists("/tmp/was-run")))
                let active = try world.machine.run("lightsout hold -- echo awake", as: "tester", session: true)
                #expect(active.stdout == "awake\n", "\(active)")
            }
        }

        @Test(arguments: ["hold", "hold --", "hold ls", "hold --who x"])
        func `without a command after the dashes it says how to write one`(words: String) throws {
            let done = try Machine.shared.run("lightsout \(words)")
            #expect(done.status == 64)
            #expect(!done.complaint().isEmpty)
        }
    }
}
