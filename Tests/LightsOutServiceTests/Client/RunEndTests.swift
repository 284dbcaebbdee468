import LightsOutCore
import Testing

@testable import LightsOutService

@Suite struct RunEndTests {
    private func state(_ outcome: Outcome) -> RunState {
        RunState(
            run: RunIdentifier(high: 1, low: 2), trigger: .manual, started: Timestamp(microseconds: 0),
            phase: .ended(outcome, at: Timestamp(microseconds: 1), recorded: true))
    }

    private func end(_ state: RunState? = nil, exitStatus: Int32? = nil, job: String) -> RunEnd {
        RunEnd(state: state, exitStatus: exitStatus, job: job, unit: "lightsout-backup@server.service")
    }

    @Test(arguments: RunResult.allCases) func `the state file's word is the last`(result: RunResult) {
        let end = end(state(Outcome(result, reason: "a\u{1b}[2Jb")), exitStatus: 4, job: "failed")
        #expect(end.word == result.rawValue)
        #expect(end.status == result.exitStatus)
        #expect(end.reason == "a\\u{1b}[2Jb")
    }

    @Test(arguments: [(0, "success"), (2, "aborted"), (3, "warnings"), (4, "undefined"), (78, "wrong-config"), (99, "unknown")] as [(Int32, String)])
    func `without it the unit's exit status tells`(status: Int32, word: String) {
        #expect(end(exitStatus: status, job: "failed").word == word)
    }

    @Test func `a run that was not begun for another one is no result`() {
        let end = end(exitStatus: 75, job: "failed")
        #expect(end.word == "not run")
        #expect(end.status == 75)
    }

    @Test func `a start job that is done is no success where no run is known of`() {
        let end = end(job: "done")
        #expect(end.word == "not run")
        #expect(end.status == 75)
        #expect(end.reason?.hasSuffix("see: systemctl status lightsout-backup@server.service") == true)
    }

    @Test func `a start job that failed without a run is not told as the script's failure`() {
        let end = end(job: "failed")
        #expect(end.status == 1)
        #expect(end.reason?.hasPrefix("its unit failed before the script was run") == true)
    }

    @Test func `a start that was canceled, and a run that lost its runner, are aborted`() {
        var begun = state(Outcome(.success))
        begun.phase = .running(boot: "b", pid: 1)
        #expect(end(job: "canceled").status == 2)
        #expect(end(begun, job: "failed").status == 2)
    }
}

@Suite struct ProgressLineTests {
    private func text(_ progress: UInt8?, _ state: BackupView.State = .running, _ problem: String? = nil, width: Int = 80) throws -> String {
        ProgressLine.text(
            name: try BackupName("server"), state: state, progress: progress, problem: problem, elapsed: .seconds(123), width: width)
    }

    @Test func `progress is a bar with its percents and the time so far`() throws {
        #expect(try text(0) == "server  [--------------------]   0%  2min 3s")
        #expect(try text(42) == "server  [########------------]  42%  2min 3s")
        #expect(try text(100) == "server  [####################] 100%  2min 3s")
    }

    @Test func `without progress the state is told, and why it waits`() throws {
        #expect(try text(nil) == "server  running  2min 3s")
        #expect(try text(nil, .waiting, "/mnt\n is not mounted") == "server  waiting  2min 3s  /mnt\\n is not mounted")
    }

    @Test(arguments: 0...60) func `the line never wraps`(width: Int) throws {
        #expect(try text(42, width: width).displayWidth <= width)
    }
}

@Suite struct UpcomingElapsesTests {
    private func hourly(_ name: String, minute: Int64, delay: TimeSpan = .zero) throws -> UpcomingElapses.Series {
        let hour: Int64 = 3_600_000_000
        let plan = SchedulePlan(name: try BackupName(name), scheduleTexts: [name], delay: delay) { time in
            let first = minute * 60_000_000
            let time = time.microseconds
            return Timestamp(microseconds: time < first ? first : ((time - first) / hour + 1) * hour + first)
        }
        return UpcomingElapses.Series(plan: plan, first: nil, after: Timestamp(microseconds: 0))
    }

    private func list(_ series: [UpcomingElapses.Series], _ count: Int) -> [String] {
        UpcomingElapses.merge(series, count).map { "\($0.backup) \($0.time.microseconds / 60_000_000)" }
    }

    @Test func `all backups' elapses are merged in order, at one instant by name`() throws {
        let series = [try hourly("late", minute: 30), try hourly("b", minute: 0), try hourly("a", minute: 0)]
        #expect(list(series, 6) == ["late 30", "a 60", "b 60", "late 90", "a 120", "b 120"])
    }

    @Test func `random_delay moves every elapse and loses none`() throws {
        #expect(list([try hourly("a", minute: 0, delay: .minutes(10))], 3) == ["a 10", "a 70", "a 130"])
    }

    @Test func `a backup that never elapses is not in the list, and does not end it`() throws {
        let never = UpcomingElapses.Series(name: try BackupName("a"), wake: false, plan: nil, first: nil)
        #expect(list([never, try hourly("b", minute: 0)], 2) == ["b 60", "b 120"])
    }
}
