import Glibc
import LightsOutCore
import LightsOutRunner
import Systemd
import Testing

@Suite("Reports to a runner")
struct ReportInboxTests {
    private let loop: EventLoop
    private let directory: String
    private let backup: BackupName
    private let run = RunIdentifier.random()

    init() throws {
        loop = try EventLoop()
        // Longer than a socket's address has room for.
        directory = "/tmp/lightsout-test.\(getpid())." + String(repeating: "d", count: 120)
        backup = try BackupName("server")
    }

    private func withInbox(_ hear: @escaping (ScriptReport) -> Void, _ body: (ReportInbox) throws -> Void) throws {
        let inbox = try ReportInbox(
            backup, run, runtimeDirectory: directory, user: User(uid: geteuid()), loop: loop, handler: hear)
        defer {
            inbox.close()
            rmdir(directory)
        }
        try body(inbox)
    }

    private func send(_ report: ScriptReport, about run: RunIdentifier? = nil) throws {
        try ReportSocket.send(report, about: run ?? self.run, of: backup, runtimeDirectory: directory)
    }

    @Test func `what is sent is heard, in its order`() throws {
        var heard: [ScriptReport] = []
        try withInbox({ heard.append($0) }) { _ in
            try send(.started)
            try send(.progress(40))
            try send(.finished(.warnings))
            while heard.count < 3, try loop.runOnce(timeout: 1_000_000) {}
        }
        #expect(heard == [.started, .progress(40), .finished(.warnings)])
    }

    @Test func `a report about another run is not heard`() throws {
        var heard: [ScriptReport] = []
        try withInbox({ heard.append($0) }) { inbox in
            try send(.progress(1), about: .random())
            try send(.progress(2))
            inbox.drain()
        }
        #expect(heard == [.progress(2)])
    }

    @Test func `only the script's user can write to it`() throws {
        try withInbox({ _ in }) { _ in
            var status = stat()
            #expect(lstat("\(directory)/server.report", &status) == 0)
            #expect(status.st_mode & 0o777 == 0o600)
            #expect(status.st_uid == geteuid())
        }
    }

    @Test func `without a run there is nobody to report to, also where a killed runner left its socket`() throws {
        try withInbox({ _ in }) { _ in }
        #expect(throws: ReportSocket.Failure.self) { try send(.progress(1)) }
        mkdir(directory, 0o755)
        defer { rmdir(directory) }
        #expect(throws: ReportSocket.Failure.noRun) { try send(.progress(1)) }
    }

    @Test func `a runner that cannot take more says so, and nothing waits`() throws {
        try withInbox({ _ in }) { _ in
            #expect(throws: ReportSocket.Failure.busy) { for _ in 0..<100_000 { try send(.progress(1)) } }
        }
    }
}

@Suite("Progress that comes faster than anybody looks")
struct ProgressThrottleTests {
    @Test func `ten thousand values are told in a few, the first at once and the last always`() throws {
        let loop = try EventLoop()
        var told: [UInt8] = []
        let throttle = ProgressThrottle(loop: loop) { told.append($0) }
        for number in 0..<10_000 { throttle.report(UInt8(number % 100)) }
        #expect(told == [0])
        throttle.report(100)
        let end = Clock.monotonic + 3 * ProgressThrottle.interval
        while Clock.monotonic < end { try loop.runOnce(timeout: end - min(end, Clock.monotonic)) }
        #expect(told == [0, 100])
    }

    @Test func `the same value is told once, and the next one at once after a rest`() throws {
        let loop = try EventLoop()
        var told: [UInt8] = []
        let throttle = ProgressThrottle(loop: loop, last: 5) { told.append($0) }
        throttle.report(5)
        throttle.report(6)
        try loop.runOnce(timeout: 2 * ProgressThrottle.interval)
        throttle.report(6)
        throttle.report(7)
        #expect(told == [6, 7])
    }
}
