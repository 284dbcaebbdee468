public import LightsOutCore

/// The times during a run in which standby was not blocked, because logind had lost the lock.
///
/// A gap alone does not change the result: if the machine slept in it, ``SleptTimes`` tells, and if not, nothing happened.
public nonisolated struct LockGaps: Hashable, Sendable {
    public struct Gap: Hashable, Sendable {
        public var from: Timestamp
        /// Nil while it lasts.
        public var to: Timestamp?
    }

    /// The first gaps of the run, in their order.
    public private(set) var gaps: [Gap] = []
    /// How many there were.
    public private(set) var count = 0
    private static let limit = 3

    public init() {}

    /// What became of the lock.
    public mutating func see(_ change: JournalRecord.LockChange, at time: Timestamp) {
        switch change {
        case .lost: begin(time)
        case .taken: end(time)
        case .released, .refused: break
        }
    }

    private var isOpen = false

    private mutating func begin(_ time: Timestamp) {
        guard !isOpen else { return }
        isOpen = true
        count += 1
        if gaps.count < Self.limit { gaps.append(Gap(from: time)) }
    }

    private mutating func end(_ time: Timestamp) {
        guard isOpen else { return }
        isOpen = false
        if count <= Self.limit, let last = gaps.indices.last { gaps[last].to = time }
    }

    /// The gaps as a sentence; nil if there was none.
    /// - Parameter time: how a time is shown.
    public func text(_ time: (Timestamp) -> String) -> String? {
        guard count > 0 else { return nil }
        let shown = gaps.map { gap in "from \(time(gap.from)) \(gap.to.map { "to \(time($0))" } ?? "on")" }.joined(separator: ", ")
        let more = count > Self.limit ? " and \(count - Self.limit) more times" : ""
        return "standby was not blocked \(shown)\(more), because logind had lost the lock"
    }
}
