import LightsOutCore
import Testing

@testable import LightsOutService

struct `Handled elapses` {
    @Test func `one after the other they are one span`() {
        var handled = HandledElapses(since: at(0))
        for day: UInt64 in 0..<30 { handled.handle(at(day: day, 2, 30), count: 1) }
        #expect(handled.spans == [.init(first: at(0), last: at(day: 29, 2, 30))])
        #expect(handled.cursor(at: at(day: 40, 0)) == at(day: 29, 2, 30))
        #expect(handled.cursor(at: at(day: 10, 0)) == at(day: 29, 2, 30))
    }

    @Test func `a night's jump leaves no gap, a week's does`() {
        var handled = HandledElapses(since: at(0))
        handled.handle(at(8), count: 8)
        #expect(handled.spans.count == 1)
        handled.handle(at(day: 7, 8), count: 168)
        #expect(handled.spans == [.init(first: at(0), last: at(8)), .init(first: at(day: 7, 8), last: at(day: 7, 8))])
    }

    @Test func `a span that comes to another one leaves off, and the other goes on`() {
        var handled = HandledElapses(since: at(0))
        handled.handle(at(day: 7, 8), count: 7)
        _ = handled.clockMayHaveGoneBack(to: at(9))
        for day: UInt64 in 1...8 { handled.handle(at(day: day, 8), count: 1) }
        #expect(handled.spans == [
            .init(first: at(9), last: at(day: 6, 8)), .init(first: at(day: 7, 8), last: at(day: 8, 8)),
        ])
    }

    @Test func `the spans have a limit, and the one farthest away goes first`() {
        var handled = HandledElapses(since: at(0))
        for week: UInt64 in 1...20 { handled.handle(at(day: week * 7, 0), count: 7) }
        #expect(handled.spans.count == HandledElapses.maximumSpans)
        #expect(handled.spans.last?.last == at(day: 140, 0))
        #expect(handled.spans.first?.first == at(day: 13 * 7, 0))
    }

    @Test func `what was read out of order or overlapping is mended`() {
        #expect(HandledElapses(until: at(3), spans: []) == HandledElapses(since: at(3)))
        let read = HandledElapses(
            until: at(9),
            spans: [
                .init(first: at(9), last: at(8)), .init(first: at(1), last: at(5)), .init(first: at(4), last: at(6)),
            ])
        #expect(read.spans == [.init(first: at(1), last: at(6)), .init(first: at(8), last: at(9))])
    }

    @Test func `in a gap, counting goes on from where the clock was set back to, and is not begun anew by a restart`() {
        var handled = HandledElapses(since: at(0))
        handled.handle(at(8), count: 1)
        handled.handle(at(day: 5, 8), count: 5)
        let isBack = handled.clockMayHaveGoneBack(to: at(day: 3, 0))
        #expect(isBack)
        #expect(handled.cursor(at: at(day: 3, 12)) == at(day: 3, 0))
        let isBackAgain = handled.clockMayHaveGoneBack(to: at(day: 3, 12))
        #expect(!isBackAgain)
        #expect(handled.cursor(at: at(day: 3, 12)) == at(day: 3, 0))
    }
}
