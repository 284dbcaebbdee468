public import LightsOutCore

/// The sleeps of the machine during a run: readings of the clocks and logind's signals in, spans of time out.
///
/// CLOCK_BOOTTIME counts sleep and CLOCK_MONOTONIC does not, so their difference grows by each sleep, whoever caused it.
/// logind's signals tell of those that the clocks do not show. A sleep that logind announced and that failed is none.
public nonisolated struct SleptTimes: Sendable {
    /// One reading of three clocks, in microseconds.
    public struct Clocks: Hashable, Sendable {
        public var realtime: Int64
        public var monotonic: UInt64
        public var boottime: UInt64

        public init(realtime: Int64, monotonic: UInt64, boottime: UInt64) {
            self.realtime = realtime
            self.monotonic = monotonic
            self.boottime = boottime
        }

        /// How long the machine has slept since its boot.
        var asleep: UInt64 { boottime > monotonic ? boottime - monotonic : 0 }
    }

    public struct Span: Hashable, Sendable {
        public var from: Timestamp
        public var to: Timestamp
        /// Whether the lock had been let go for it.
        public var isPermitted: Bool

        public init(from: Timestamp, to: Timestamp, isPermitted: Bool) {
            self.from = from
            self.to = to
            self.isPermitted = isPermitted
        }
    }

    /// The first sleeps of the run, in their order.
    public private(set) var spans: [Span] = []
    /// How many there were.
    public private(set) var count = 0
    /// Whether any of them was not permitted.
    public private(set) var hasUnpermitted = false

    private var asleep: UInt64
    /// When logind announced a sleep that is not over, and whether it was permitted.
    private var announced: (clocks: Clocks, isPermitted: Bool)?
    /// When a sleep that the clocks showed was seen to be over.
    private var lastSeen: UInt64?

    /// Two clocks cannot be read at the same time; a sleep takes longer than this.
    static let tolerance: UInt64 = 200_000
    /// Signals of a sleep that the clocks have shown may be read as late as this.
    static let lateSignals: UInt64 = 10_000_000
    /// logind waits so long for delay locks by default (`InhibitDelayMaxSec=`): an announced sleep has begun after that.
    static let longestDelay: UInt64 = 5_000_000
    private static let limit = 16

    public init(_ clocks: Clocks) { asleep = clocks.asleep }

    /// logind announces a sleep.
    public mutating func begins(_ clocks: Clocks, isPermitted: Bool) {
        look(clocks, isPermitted: isPermitted)
        announced = (clocks, isPermitted)
    }

    /// logind says that the sleep is over.
    /// - Parameter hasFailed: asked if the clocks show no sleep: whether it came to nothing.
    public mutating func ends(_ clocks: Clocks, isPermitted: Bool, hasFailed: (Clocks) -> Bool = { _ in false }) {
        look(clocks, isPermitted: isPermitted)
        guard let announced else { return }
        self.announced = nil
        // The signals of a sleep may be read after its clocks.
        if let lastSeen, clocks.boottime < lastSeen + Self.lateSignals, clocks.realtime - announced.clocks.realtime < 1_000_000 {
            return
        }
        guard !hasFailed(announced.clocks) else { return }
        add(Span(
            from: Timestamp(microseconds: announced.clocks.realtime), to: Timestamp(microseconds: clocks.realtime),
            isPermitted: announced.isPermitted))
    }

    /// The clocks are read at any other time.
    public mutating func look(_ clocks: Clocks, isPermitted: Bool) {
        let slept = clocks.asleep > asleep ? clocks.asleep - asleep : 0
        guard slept > Self.tolerance else { return }
        asleep = clocks.asleep
        lastSeen = clocks.boottime
        let permitted = announced?.isPermitted ?? isPermitted
        announced = nil
        add(Span(
            from: Timestamp(microseconds: clocks.realtime - Int64(clamping: slept)),
            to: Timestamp(microseconds: clocks.realtime), isPermitted: permitted))
    }

    /// The run ends. A sleep that was announced long ago and is not over counts.
    public mutating func finish(_ clocks: Clocks, isPermitted: Bool) {
        look(clocks, isPermitted: isPermitted)
        guard let announced, clocks.boottime > announced.clocks.boottime + Self.longestDelay else { return }
        ends(clocks, isPermitted: isPermitted)
    }

    private mutating func add(_ span: Span) {
        count += 1
        if !span.isPermitted { hasUnpermitted = true }
        if spans.count < Self.limit { spans.append(span) }
    }

    /// How ``text(_:)`` begins.
    public static let phrase = "the machine slept during the run"

    /// The sleeps as a sentence: `the machine slept during the run, from A to B`; nil if there was none.
    /// - Parameter time: how a time is shown.
    public func text(_ time: (Timestamp) -> String) -> String? {
        guard count > 0 else { return nil }
        let shown = spans.prefix(3).map { "from \(time($0.from)) to \(time($0.to))" }.joined(separator: ", ")
        let more = count > 3 ? " and \(count - 3) more times" : ""
        let why = hasUnpermitted ? "" : ", as lock_on_battery permits"
        return "\(Self.phrase), \(shown)\(more)\(why)"
    }
}

extension Outcome {
    /// The same run with the machine's sleeps in its reason.
    /// - Parameter slept: what they are to the result.
    public nonisolated func during(_ times: SleptTimes, _ slept: SleptPolicy, text: String?) -> Outcome {
        let outcome = times.hasUnpermitted && slept == .warn ? worsened(to: .warnings) : self
        return outcome.noting(text)
    }

    /// The same run with a result that is no better than `worst`.
    public nonisolated func worsened(to worst: RunResult) -> Outcome {
        var outcome = self
        outcome.result = result.worse(than: worst)
        return outcome
    }
}
