import Testing

@testable import LightsOutService

struct `How often a user may do something` {
    private static let second: UInt64 = 1_000_000

    @Test func `a burst is free, and then it goes by the interval`() {
        var rate = UserRate(burst: 3, interval: Self.second)
        let waits = (0..<6).map { _ in rate.reserve(1000, now: 50 * Self.second) }
        #expect(waits == [0, 0, 0, 1, 2, 3].map { $0 * Self.second })
    }

    @Test func `whatever somebody does, they get no more than burst and interval give`() {
        var rate = UserRate(burst: 256, interval: 250_000)
        var taken = 0
        for now in stride(from: 0, to: 60 * Self.second, by: 1000) where rate.take(1000, now: now) { taken += 1 }
        #expect(taken == 256 + 60 * 4 - 1)
    }

    @Test func `who waits has it back, all of it after long enough`() {
        var rate = UserRate(burst: 2, interval: Self.second)
        #expect(rate.isWhole(1000, now: 0))
        let first = (0..<3).map { _ in rate.take(1000, now: 0) }
        #expect(first == [true, true, false])
        #expect(!rate.isWhole(1000, now: 0))
        let second = (0..<2).map { _ in rate.take(1000, now: Self.second) }
        #expect(second == [true, false])
        #expect(rate.isWhole(1000, now: 9 * Self.second))
        let later = (0..<3).map { _ in rate.take(1000, now: 9 * Self.second) }
        #expect(later == [true, true, false])
    }

    @Test func `one user takes nothing from another, and root has no limit`() {
        var rate = UserRate(burst: 1, interval: Self.second)
        let taken = [1000, 1000, 1001].map { (uid: UInt32) in rate.take(uid, now: 0) }
        #expect(taken == [true, false, true])
        let waits = (0..<1000).map { _ in rate.reserve(0, now: 0) }
        #expect(waits.allSatisfy { $0 == 0 })
    }

    @Test func `many users are not remembered for ever`() {
        var rate = UserRate(burst: 1, interval: Self.second)
        let taken = (1..<5000).map { rate.take(UInt32($0), now: UInt64($0) * Self.second) }
        #expect(taken.allSatisfy { $0 })
        let again = rate.take(4999, now: 4999 * Self.second)
        #expect(!again)
    }
}
