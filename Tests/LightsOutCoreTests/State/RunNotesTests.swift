import LightsOutCore
import Testing

@Suite("Notes in a run's state")
struct RunNotesTests {
    private var state: RunState {
        var state = RunState(
            run: RunIdentifier(high: 1, low: 2), trigger: .schedule, started: Timestamp(microseconds: 5),
            phase: .running(boot: "b", pid: 3))
        state.notes.scriptEnded = Timestamp(microseconds: 7)
        state.notes.refused = true
        state.notes.locks = [.taken, .lost, .taken, .released]
        state.notes.problem = "left running: \"a=b#c\"\nrecorded=1"
        state.notes.stuck = [.init(pid: 4, start: 9, since: Timestamp(microseconds: 8))]
        return state
    }

    @Test func `they are read back, in one line each`() throws {
        let read = try RunState(text: state.text)
        var expected = state
        expected.notes.problem = "left running: \"a=b#c\" recorded=1"
        #expect(read == expected)
    }

    @Test func `version 0.1 takes them for comments`() throws {
        let lines = state.text.split(separator: "\n")
        let known = ["version", "run", "trigger", "started", "boot", "pid", "recorded"]
        for line in lines where !line.hasPrefix("#") {
            #expect(known.contains(String(line.prefix { $0 != "=" })), "\(line)")
        }
        let withoutNotes = lines.filter { !$0.hasPrefix("#") }.joined(separator: "\n") + "\n"
        #expect(try RunState(text: withoutNotes).notes == RunNotes())
    }

    @Test(arguments: ["#:future=1", "#:script_ended=soon", "#:stuck=1 2", "#:", "#:problem", "#:locks=stolen"])
    func `an unknown or a wrong note is ignored`(line: String) throws {
        var plain = state
        plain.notes = RunNotes()
        let text = plain.text.replacing("version=1\n", with: "version=1\n\(line)\n")
        #expect(try RunState(text: text) == plain)
    }

    @Test func `a long problem does not make the state unreadable`() throws {
        var long = state
        long.notes.problem = String(repeating: "ä", count: 20_000)
        #expect(try RunState(text: long.text).notes.problem?.hasSuffix("…") == true)
        #expect(long.text.utf8.count < StateLines.maximumLength)
    }

    @Test func `the end of the run forgets that only the script had ended`() {
        let ended = state.ended(Outcome(.success), at: Timestamp(microseconds: 9), recorded: false)
        #expect(ended.notes.scriptEnded == nil)
    }
}
