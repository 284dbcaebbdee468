import Testing

@testable import LightsOutService

struct `The heap` {
    @Test func `whatever is put in, moved and taken out, the least comes first and nothing is left behind`() {
        var generator = Seeded(seed: 1)
        var heap = SlotHeap<Int>()
        var model: [Int: Int] = [:]
        for _ in 0..<20_000 {
            let slot = Int.random(in: 0..<40, using: &generator)
            switch Int.random(in: 0..<5, using: &generator) {
            case 0:
                heap.set(slot, to: nil)
                model[slot] = nil
            case 1:
                let least = model.values.min()
                if let popped = heap.popFirst() {
                    #expect(model[popped] == least)
                    model[popped] = nil
                } else {
                    #expect(model.isEmpty)
                }
            default:
                let priority = Int.random(in: 0..<100, using: &generator)
                heap.set(slot, to: priority)
                model[slot] = priority
            }
            #expect(heap.count == model.count)
            #expect(heap.first?.priority == model.values.min())
            #expect(heap.contains(slot) == (model[slot] != nil))
        }
    }
}

/// SplitMix64: a generator whose failures can be run again.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
