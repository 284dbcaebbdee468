import LightsOutCore
import LightsOutRunner
import Testing

/// The times in which standby was not blocked although it should have been.
@Suite struct LockGapsTests {
    private func text(_ changes: [(JournalRecord.LockChange, Int64)]) -> String? {
        var gaps = LockGaps()
        for (change, second) in changes { gaps.see(change, at: Timestamp(microseconds: second * 1_000_000)) }
        return gaps.text { String($0.microseconds / 1_000_000) }
    }

    @Test func `a lock that is taken and released has none`() {
        #expect(text([]) == nil)
        #expect(text([(.taken, 1), (.released, 2), (.taken, 3), (.refused, 4)]) == nil)
    }

    @Test func `one that was lost and taken again has a gap with both ends`() {
        #expect(text([(.taken, 1), (.lost, 5), (.lost, 6), (.taken, 7)]) == "standby was not blocked from 5 to 7, because logind had lost the lock")
    }

    @Test func `one that was not taken again has a gap without an end`() {
        #expect(text([(.lost, 5), (.refused, 6)]) == "standby was not blocked from 5 on, because logind had lost the lock")
    }

    @Test func `many gaps are counted`() {
        let changes = (0..<5).flatMap { [(JournalRecord.LockChange.lost, Int64($0 * 10)), (.taken, Int64($0 * 10 + 1))] }
        #expect(
            text(changes) == "standby was not blocked from 0 to 1, from 10 to 11, from 20 to 21 and 2 more times, because logind had lost the lock")
    }
}
