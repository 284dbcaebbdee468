import TestSupport
import Testing

@testable import LightsOutService

struct `The heap` {
    @Test func `whatever is put in, moved and taken out, the least comes first and nothing is left behind`() {
        var generator = SeededGenerator(seed: 1)
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
