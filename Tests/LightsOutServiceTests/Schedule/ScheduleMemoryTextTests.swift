import LightsOutCore
import TestSupport
import Testing

@testable import LightsOutService

/// The schedule's memory as it lies on the disk: what was written is read, and what was not written is not believed.
@Suite("The text of a schedule's memory")
struct ScheduleMemoryTextTests {
    /// A memory with everything that there is to say, drawn from `generator`.
    private func memory(_ generator: inout some RandomNumberGenerator) -> ScheduleMemory {
        func time() -> Timestamp { Timestamp(microseconds: .random(in: -4_000_000_000_000...4_000_000_000_000_000, using: &generator)) }
        func maybe<Value>(_ value: () -> Value) -> Value? { Bool.random(using: &generator) ? value() : nil }
        func attempt() -> ScheduleMemory.Attempt {
            ScheduleMemory.Attempt(
                elapse: time(), covers: .random(in: 1...64, using: &generator),
                trigger: [.schedule, .catchUp, .retry].randomElement(using: &generator) ?? .schedule,
                number: .random(in: 1...9, using: &generator), timesCutOff: .random(in: 0...1, using: &generator))
        }
        var memory = ScheduleMemory(newAt: time(), scheduleFingerprint: .random(in: 0 ... .max, using: &generator))
        let spans = (0..<Int.random(in: 0...8, using: &generator)).map { _ in HandledElapses.Span(first: time(), last: time()) }
        memory.handled = HandledElapses(until: time(), spans: spans)
        memory.lastSuccess = maybe(time)
        memory.staleWarnedSince = maybe(time)
        memory.pausedUntil = maybe { Bool.random(using: &generator) ? .never : time() }
        memory.underWay = maybe {
            ScheduleMemory.UnderWay(
                attempt: attempt(),
                previousRun: maybe { RunIdentifier(high: .random(in: 0 ... .max, using: &generator), low: 7) })
        }
        memory.owed = maybe {
            ScheduleMemory.Owed(
                attempt: attempt(), at: time(),
                cause: [.retry, .cutOff, .heldBack, .notStarted("no = such\u{e9} unit"), .notStarted("")]
                    .randomElement(using: &generator) ?? .retry)
        }
        return memory
    }

    @Test func `whatever is written is read as it was`() throws {
        var generator = SeededGenerator(seed: 26)
        for _ in 0..<2000 {
            let written = memory(&generator)
            #expect(try ScheduleMemory(text: written.text) == written)
        }
    }

    @Test func `a reason of several lines becomes one`() throws {
        var memory = ScheduleMemory(newAt: midnight, scheduleFingerprint: 1)
        memory.owed = ScheduleMemory.Owed(
            attempt: .init(elapse: midnight, trigger: .schedule), at: midnight, cause: .notStarted("one\nversion=2\r\nthree"))
        let read = try ScheduleMemory(text: memory.text)
        #expect(read.owed?.cause == .notStarted("one version=2 three"))
    }

    @Test func `every file that is cut off is damaged, or one that was written`() throws {
        var generator = SeededGenerator(seed: 26)
        for _ in 0..<50 {
            let whole = memory(&generator).text
            for length in 0..<whole.utf8.count {
                let cut = String(decoding: whole.utf8.prefix(length), as: UTF8.self)
                // What ends between two lines may be whole by chance; it is then read as what it says.
                if let read = try? ScheduleMemory(text: cut) { #expect(try ScheduleMemory(text: read.text) == read) }
            }
        }
    }

    @Test func `bytes that have changed are damage or another memory, never a crash`() throws {
        var generator = SeededGenerator(seed: 26)
        for _ in 0..<3000 {
            var bytes = Array(memory(&generator).text.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(in: bytes.indices, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[place] = .random(in: 0...255, using: &generator)
                case 1: bytes.insert(UInt8(ascii: "9"), at: place)
                default: bytes.remove(at: place)
                }
            }
            if let read = try? ScheduleMemory(text: String(decoding: bytes, as: UTF8.self)) {
                #expect(try ScheduleMemory(text: read.text) == read)
            }
        }
    }

    @Test(arguments: [
        ("version=1", "version=2"), ("handled_until=", "handled_until=never"), ("handled_spans=", "handled_spans=1-2-3x"),
        ("schedule=", "schedule=xyz"), ("first_seen=", "first_sn="), ("version=1\n", ""), ("version=1", "version=1\nversion=1"),
        ("version=1", "version=1\nunder_way=1 0 schedule 1 0"), ("version=1", "version=1\nunder_way=1 1 never 1 0"),
        ("version=1", "version=1\nowed=1 1 retry 2 0"), ("version=1", "version=1\nwhat=ever"),
    ])
    func `a value that cannot be is damage`(change: (was: String, becomes: String)) throws {
        let text = ScheduleMemory(newAt: midnight, scheduleFingerprint: 0xab).text
        #expect(throws: Never.self) { try ScheduleMemory(text: text) }
        #expect(throws: DamagedState.self) {
            try ScheduleMemory(text: text.replacing(change.was, with: change.becomes, maxReplacements: 1))
        }
    }
}
