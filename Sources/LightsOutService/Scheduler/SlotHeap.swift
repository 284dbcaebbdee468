/// A binary min-heap of small integers ("slots"), each in it at most once, that can be moved and removed wherever
/// they are: the schedule's queue of what is next.
///
/// A slot's position is kept beside the heap, so that changing one backup's time costs O(log n) and leaves nothing
/// behind: the heap never holds more entries than there are slots, however often they are changed.
nonisolated struct SlotHeap<Priority: Comparable & Sendable>: Sendable {
    private var items: [(priority: Priority, slot: Int)] = []
    /// The index in `items` by slot; `absent` where the slot is not in the heap.
    private var positions: [Int] = []
    private static var absent: Int { -1 }

    var count: Int { items.count }

    /// The slot with the least priority.
    var first: (priority: Priority, slot: Int)? { items.first }

    func contains(_ slot: Int) -> Bool { position(of: slot) != nil }

    /// Puts `slot` in at `priority`, moves it there, or takes it out where `priority` is nil.
    mutating func set(_ slot: Int, to priority: Priority?) {
        switch (position(of: slot), priority) {
        case (nil, nil): return
        case (let index?, nil): remove(at: index)
        case (nil, let priority?):
            while positions.count <= slot { positions.append(Self.absent) }
            items.append((priority, slot))
            positions[slot] = items.count - 1
            siftUp(items.count - 1)
        case (let index?, let priority?):
            guard items[index].priority != priority else { return }
            items[index].priority = priority
            siftUp(index)
            siftDown(positions[slot])
        }
    }

    /// Takes out the slot with the least priority.
    mutating func popFirst() -> Int? {
        guard let first = items.first else { return nil }
        remove(at: 0)
        return first.slot
    }

    /// The slots with a priority up to `limit`.
    func slots(upTo limit: Priority) -> [(priority: Priority, slot: Int)] { items.filter { $0.priority <= limit } }

    private func position(of slot: Int) -> Int? {
        guard slot < positions.count, positions[slot] != Self.absent else { return nil }
        return positions[slot]
    }

    private mutating func remove(at index: Int) {
        positions[items[index].slot] = Self.absent
        let last = items.removeLast()
        guard index < items.count else { return }
        items[index] = last
        positions[last.slot] = index
        siftUp(index)
        siftDown(positions[last.slot])
    }

    private mutating func siftUp(_ start: Int) {
        var index = start
        while index > 0 {
            let parent = (index - 1) / 2
            guard items[index].priority < items[parent].priority else { return }
            exchange(index, parent)
            index = parent
        }
    }

    private mutating func siftDown(_ start: Int) {
        var index = start
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2]
            where child < items.count && items[child].priority < items[least].priority {
                least = child
            }
            guard least != index else { return }
            exchange(index, least)
            index = least
        }
    }

    private mutating func exchange(_ one: Int, _ other: Int) {
        items.swapAt(one, other)
        positions[items[one].slot] = one
        positions[items[other].slot] = other
    }
}
