public import LightsOutCore

/// The elapses of one backup that are dealt with (run, made up for, recorded as missed): what makes an elapse run
/// once, whatever the clock does. Part of the backup's durable state.
///
/// With a clock that only goes forward, ``until`` would do: everything up to it is handled, the next elapse is the
/// first one after it. The ``spans`` of time in which everything is handled matter when the clock is set:
///
/// - **Set back** into a span: its elapses come by a second time and are not run again; counting goes on at the
///   span's end.
/// - **Jumped ahead** by more than ``longestBridge`` (by mistake, or because the machine was off: nobody can tell):
///   the elapses jumped over are made up for by one run, and only the latest of them is handled; it begins a span of
///   its own, with a gap before it. So a clock that was a year ahead and is set back silences nothing: the backup's
///   time lies in the first span or in the gap, not in the second span. After a shorter jump the span just goes on:
///   a laptop that sleeps every night makes no gaps, and a mistake of a day silences a day at most.
/// - **Set back into a gap**: counting goes on from that instant. What lies before it in the gap was made up for
///   already; what lies after it is run.
/// - A span more than ``forgottenAhead`` in the future of a clock that was set back is forgotten: the clock was wrong
///   then, and those dates, when they truly come, need their backup. Spans less far ahead stay: an elapse that ran
///   by a clock two days fast is not run again in two days.
/// - **A clock before everything known** (a board without a battery comes up in 1970): the spans stay as they are
///   for when the time is known, and counting goes on from that instant meanwhile.
nonisolated public struct HandledElapses: Hashable, Sendable {
    public struct Span: Hashable, Sendable {
        public internal(set) var first: Timestamp
        public internal(set) var last: Timestamp

        public init(first: Timestamp, last: Timestamp) {
            self.first = min(first, last)
            self.last = max(first, last)
        }

        func contains(_ time: Timestamp) -> Bool { first <= time && time <= last }
    }

    /// How far in the future a span may lie after the clock was set back and still be believed.
    public static let forgottenAhead = TimeSpan.days(7)
    /// The longest jump over elapses that leaves no gap.
    public static let longestBridge = TimeSpan.hours(25)
    /// The most spans that are kept: each long jump adds one; the one farthest away goes first.
    public static let maximumSpans = 8

    /// The last elapse handled, or the instant that counting last began at.
    public private(set) var until: Timestamp
    /// In order of time, without overlap.
    public private(set) var spans: [Span] = []

    /// Counting begins at `start`: nothing before it was missed.
    public init(since start: Timestamp) { until = start }

    /// What was read from the durable state. Order and overlaps of the spans are mended.
    public init(until: Timestamp, spans read: [Span]) {
        self.until = until
        for span in read.sorted(by: { $0.first < $1.first }) {
            if let last = spans.indices.last, span.first <= spans[last].last {
                spans[last].last = max(spans[last].last, span.last)
            } else {
                spans.append(span)
            }
        }
        limitSpans(near: until)
    }

    /// The instant after which elapses are not yet handled, for a clock that shows `now`: an elapse later than it
    /// and no later than `now` is due.
    public func cursor(at now: Timestamp) -> Timestamp {
        let counted = min(until, now)
        return indexOfSpan(at: now).map { max(spans[$0].last, counted) } ?? counted
    }

    /// The last elapse that was handled; nil where none was since counting began.
    var lastElapse: Timestamp? { spans.last?.last }

    /// Where `elapse` is handled: the end of its span, at which to look for the next one.
    func endOfSpan(containing elapse: Timestamp) -> Timestamp? { spans.first { $0.contains(elapse) }?.last }

    /// Takes `elapse` as handled, and with it, unless that was a long jump, whatever lies between the elapse handled
    /// before and it.
    /// - Parameter count: how many elapses it stands for; more than one where some were jumped over.
    mutating func handle(_ elapse: Timestamp, count: Int) {
        guard endOfSpan(containing: elapse) == nil else { return }
        let before = cursor(at: elapse)
        let isLongJump = count > 1 && elapse.since(before) > Self.longestBridge
        if !isLongJump, let index = indexOfSpan(at: elapse), spans[index].last == before {
            spans[index].last = elapse
        } else {
            let index = indexOfSpan(at: elapse).map { $0 + 1 } ?? 0
            spans.insert(Span(first: isLongJump ? elapse : before, last: elapse), at: index)
            limitSpans(near: elapse)
        }
        until = elapse
    }

    /// Begins anew at `now`, for a schedule that is another one from now on: nothing before `now` was missed.
    mutating func startOver(at now: Timestamp) { self = HandledElapses(since: now) }

    /// Says that the clock shows `now`. Where that is before the last elapse handled, the clock was set back: by the
    /// rules above spans are forgotten, and counting goes on from the end of the span that `now` is in, or from now.
    /// - Returns: whether the change belongs in the durable state. One by a clock before everything known does not.
    mutating func clockMayHaveGoneBack(to now: Timestamp) -> Bool {
        guard until > now else { return false }
        guard let index = indexOfSpan(at: now) else {
            until = now
            return false
        }
        let before = self
        spans.removeAll { $0.first > now + Self.forgottenAhead }
        until = max(spans[index].last, now)
        return self != before
    }

    /// The span that counts for a clock that shows `time`: the latest that begins no later.
    private func indexOfSpan(at time: Timestamp) -> Int? { spans.lastIndex { $0.first <= time } }

    private mutating func limitSpans(near time: Timestamp) {
        let distance = { (span: Span) in max(span.first.since(time), time.since(span.last)) }
        while spans.count > Self.maximumSpans,
            let farthest = spans.indices.max(by: { distance(spans[$0]) < distance(spans[$1]) })
        {
            spans.remove(at: farthest)
        }
    }
}
