import LightsOutCore
import Testing

@Suite("Reports")
struct ReportTests {
    static let run = RunIdentifier(high: 1, low: 2)

    @Test(arguments: [ScriptReport.started, .progress(0), .progress(100), .finished(.wrongConfig), .finished(.unknown)])
    func `a datagram reads as it was written`(report: ScriptReport) {
        let datagram = ReportDatagram(run: Self.run, report: report)
        #expect(ReportDatagram(text: datagram.text) == datagram)
    }

    @Test(arguments: [
        "", "\n", "progress=50\n", "run=1\nprogress=50\n", "run=\(run)\n", "run=\(run)\nprogress=101\n",
        "run=\(run)\nprogress=-1\n", "run=\(run)\nprogress=50", "run=\(run)\nfinished=perfect\n",
        "run=\(run)\nprogress=1\nfinished=success\n", "run=\(run)\nprogress=1\nprogress=2\n", "run=\(run)\nstarted=2\n",
        "run=\(run)\nprogress=50\n" + String(repeating: "#", count: 300) + "\n",
    ])
    func `anything else is no report`(text: String) { #expect(ReportDatagram(text: text) == nil) }

    @Test func `a report is more precise than exit status 0`() {
        for result in RunResult.allCases { #expect(Outcome(.success, exitStatus: 0).reported(result).result == result) }
    }

    @Test func `where the script fails the worse of report and exit status counts`() {
        #expect(Outcome(.failed, exitStatus: 1).reported(.success).result == .failed)
        #expect(Outcome(.failed, exitStatus: 1).reported(.success).reason == nil)
        #expect(Outcome(.warnings, exitStatus: 3).reported(.failed).result == .failed)
        #expect(Outcome(.aborted, signal: 9).reported(.warnings).signal == 9)
        #expect(Outcome(.aborted, signal: 9).reported(.warnings).result == .aborted)
    }

    @Test func `a result that a report changes says so`() {
        let outcome = Outcome(.success, exitStatus: 0).reported(.warnings)
        #expect(outcome.reason == #"the script reported "warnings""#)
        #expect(Outcome(.warnings, exitStatus: 3).reported(.failed).reason?.contains("status 3") == true)
    }
}

@Suite("The state of a run that is reported")
struct ReportedRunStateTests {
    private let state = RunState(
        run: ReportTests.run, trigger: .report, started: Timestamp(microseconds: 5),
        phase: .running(boot: "b", pid: 7), reporter: .init(uid: 1000, processStart: 99), progress: 7)

    @Test func `reporter and progress are read back`() throws { #expect(try RunState(text: state.text) == state) }

    @Test func `its text has one length whatever the progress`() {
        var further = state
        further.progress = 100
        #expect(further.text.utf8.count == state.text.utf8.count)
    }

    @Test func `an end keeps the reporter, whose name it stays, and no progress`() throws {
        let ended = state.ended(Outcome(.unknown), at: Timestamp(microseconds: 9), recorded: true)
        #expect(ended.reporter?.uid == 1000)
        #expect(ended.progress == nil)
        #expect(try RunState(text: ended.text) == ended)
    }

    @Test(arguments: [("progress=007", "progress=101"), ("process_start=99\n", ""), ("reporter=1000", "reporter=-1")])
    func `what is no progress and no reporter is damage`(was: String, becomes: String) throws {
        let parts = state.text.split(separator: was, omittingEmptySubsequences: false)
        try #require(parts.count == 2)
        #expect(throws: DamagedState.self) { try RunState(text: parts.joined(separator: becomes)) }
    }
}
