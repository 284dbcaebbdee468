/// A point in time of the wall clock (CLOCK_REALTIME): microseconds since 1970-01-01 00:00 UTC, as systemd and the
/// journal count them.
public struct Timestamp: Hashable, Comparable, Sendable {
    public let microseconds: Int64

    public init(microseconds: Int64) { self.microseconds = microseconds }

    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.microseconds < right.microseconds }

    public static func + (time: Timestamp, span: TimeSpan) -> Timestamp {
        let (sum, overflow) = time.microseconds.addingReportingOverflow(Int64(clamping: span.microseconds))
        return Timestamp(microseconds: overflow ? .max : sum)
    }

    public static func - (time: Timestamp, span: TimeSpan) -> Timestamp {
        let (difference, overflow) = time.microseconds.subtractingReportingOverflow(Int64(clamping: span.microseconds))
        return Timestamp(microseconds: overflow ? .min : difference)
    }

    /// The span from `earlier` to this time; zero where `earlier` is the later one (the clock may have been set).
    public func since(_ earlier: Timestamp) -> TimeSpan {
        let (difference, overflow) = microseconds.subtractingReportingOverflow(earlier.microseconds)
        return TimeSpan(microseconds: overflow ? .max : UInt64(max(0, difference)))
    }
}
