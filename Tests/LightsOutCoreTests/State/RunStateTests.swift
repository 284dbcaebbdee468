import TestSupport
import Testing

@testable import LightsOutCore

/// The state file of a backup: what is written is read, and nothing else is believed.
struct RunStateTests {
    private static let run = RunIdentifier(high: 0x0123_4567_89ab_cdef, low: 0xfedc_ba98_7654_3210)
    private static let started = Timestamp(microseconds: 1_795_460_979_919_633)
    private static let ended = Timestamp(microseconds: 1_795_460_980_023_582)

    static let states: [RunState] = [
        RunState(run: run, trigger: .manual, started: started, phase: .running(boot: "5029ef0a751d469fad17216f859a0000", pid: 54)),
        RunState(
            run: run, trigger: .catchUp, started: started, phase: .running(boot: "b", pid: .max),
            lastSuccess: Timestamp(microseconds: 0)),
        RunState(
            run: run, trigger: .schedule, started: started,
            phase: .ended(Outcome(.success, exitStatus: 0), at: ended, recorded: true), lastSuccess: ended),
        RunState(
            run: run, trigger: .retry, started: started,
            phase: .ended(
                Outcome(.aborted, signal: 9, reason: "it ran longer than its timeout of 6h = too long"), at: ended,
                recorded: false)),
        RunState(
            run: run, trigger: .report, started: Timestamp(microseconds: .min),
            phase: .ended(Outcome(.unknown), at: Timestamp(microseconds: .max), recorded: false)),
        RunState(
            run: run, trigger: .manual, started: started,
            phase: .ended(Outcome(.success, exitStatus: 0), at: ended, recorded: true)
        ).following(
            RunState(run: .init(high: 1, low: 2), trigger: .schedule, started: started, phase: .running(boot: "b", pid: 1))),
    ]

    @Test func `a run by hand knows the last run of the schedule, and hands it on`() {
        let scheduled = RunState(
            run: .init(high: 1, low: 2), trigger: .catchUp, started: Self.started, phase: .running(boot: "b", pid: 1))
        let byHand = RunState(run: Self.run, trigger: .manual, started: Self.started, phase: .running(boot: "b", pid: 2))
        #expect(scheduled.following(byHand).scheduledRun == scheduled.run)
        #expect(byHand.following(nil).scheduledRun == nil)
        #expect(byHand.following(byHand.following(scheduled)).scheduledRun == scheduled.run)
    }

    @Test(arguments: states)
    func `what is written is read again`(state: RunState) throws {
        #expect(try RunState(text: state.text) == state)
    }

    @Test(arguments: RunResult.allCases)
    func `every result is kept`(result: RunResult) throws {
        let state = Self.states[0].ended(Outcome(result, exitStatus: 7, reason: "because"), at: Self.ended, recorded: false)
        #expect(try RunState(text: state.text) == state)
    }

    @Test func `a reason of several lines is kept as one`() throws {
        let state = Self.states[0].ended(Outcome(.failed, reason: "one\nrecorded=1\r\ntwo"), at: Self.ended, recorded: false)
        guard case .ended(let outcome, _, let recorded) = try RunState(text: state.text).phase else {
            Issue.record("not ended")
            return
        }
        #expect(outcome.reason == "one recorded=1 two")
        #expect(!recorded)
    }

    @Test(arguments: states)
    func `the mark that it is recorded is one byte, before the last newline`(state: RunState) throws {
        guard case .ended(let outcome, let time, _) = state.phase else { return }
        var bytes = Array(state.ended(outcome, at: time, recorded: false).text.utf8)
        bytes[bytes.count - 2] = UInt8(ascii: "1")
        guard case .ended(_, _, let recorded) = try RunState(text: String(decoding: bytes, as: UTF8.self)).phase else {
            Issue.record("not ended")
            return
        }
        #expect(recorded)
    }

    @Test(arguments: [RunResult.success, .warnings])
    func `a run that saved what could be saved is the last success`(result: RunResult) {
        #expect(Self.states[0].ended(Outcome(result), at: Self.ended, recorded: true).lastSuccess == Self.ended)
    }

    @Test(arguments: RunResult.allCases.filter { $0 != .success && $0 != .warnings })
    func `a run that did not leaves the last success as it was`(result: RunResult) {
        #expect(Self.states[1].ended(Outcome(result), at: Self.ended, recorded: true).lastSuccess == Timestamp(microseconds: 0))
    }

    @Test(arguments: states)
    func `a file that is cut off anywhere is damaged`(state: RunState) {
        let bytes = Array(state.text.utf8)
        for length in 0..<bytes.count {
            #expect(throws: DamagedState.self, "cut after \(length) bytes") {
                try RunState(text: String(decoding: bytes[..<length], as: UTF8.self))
            }
        }
    }

    @Test(arguments: states)
    func `a line that is missing, doubled or unknown is damage`(state: RunState) throws {
        let lines = state.text.split(separator: "\n").map(String.init)
        for (index, line) in lines.enumerated() where !line.hasPrefix("#") {
            let doubled = lines[...index] + [line] + lines[(index + 1)...]
            #expect(throws: DamagedState.self, "\(line) twice") { try RunState(text: doubled.joined(separator: "\n") + "\n") }
            // What may be absent may be missing.
            if ["last_success", "last_scheduled", "exit_status", "signal", "reason"].contains(where: { line.hasPrefix($0 + "=") }) { continue }
            let missing = lines[..<index] + lines[(index + 1)...]
            #expect(throws: DamagedState.self, "no \(line)") { try RunState(text: missing.joined(separator: "\n") + "\n") }
        }
        #expect(throws: DamagedState.self) { try RunState(text: state.text + "colour=red\n") }
        #expect(throws: DamagedState.self) { try RunState(text: state.text + "no assignment\n") }
    }

    @Test(arguments: states)
    func `the order of the lines says nothing`(state: RunState) throws {
        let lines = state.text.split(separator: "\n").reversed()
        #expect(try RunState(text: lines.joined(separator: "\n\n") + "\n") == state)
    }

    @Test func `flipped bytes are damage or another whole state, and never a crash`() {
        var generator = SeededGenerator(seed: SeededGenerator.seed)
        for _ in 0..<20_000 {
            guard let state = Self.states.randomElement(using: &generator) else { return }
            var bytes = Array(state.text.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(in: bytes.indices, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0 ... .max, using: &generator)
                case 1: bytes.remove(at: place)
                default: bytes.insert(UInt8.random(in: 0 ... .max, using: &generator), at: place)
                }
            }
            guard let text = String(validating: bytes, as: UTF8.self), let read = try? RunState(text: text) else { continue }
            // Line ends of other kinds within a reason become spaces, once.
            let again = try? RunState(text: read.text)
            #expect(again != nil && again?.text == read.text, "\(text.debugDescription)")
        }
    }

    @Test(arguments: [
        ("", "it does not end with a line"), ("version=1", "it does not end with a line"),
        ("version=2\n", #"version cannot be "2""#), ("a\n", #"a line is no key=value: "a""#),
        ("version=1\nversion=1\n", #""version" is there twice"#), ("version=1\n", "run is missing"),
        ((0...100).map { "key\($0)=\n" }.joined(), "it has too many lines"),
    ])
    func `it is said what is wrong`(text: String, reason: String) {
        #expect { try RunState(text: text) } throws: { ($0 as? DamagedState)?.reason == reason }
    }
}
