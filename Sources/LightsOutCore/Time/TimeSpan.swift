/// A length of time in microseconds, in systemd's vocabulary (systemd.time(7), "Parsing time spans").
public struct TimeSpan: Hashable, Comparable, Sendable {
    public let microseconds: UInt64

    public init(microseconds: UInt64) { self.microseconds = microseconds }

    /// No limit: the text `infinity`.
    public static let infinity = TimeSpan(microseconds: .max)
    public static let zero = TimeSpan(microseconds: 0)

    public static func milliseconds(_ count: UInt64) -> TimeSpan { TimeSpan(microseconds: count * 1000) }
    public static func seconds(_ count: UInt64) -> TimeSpan { TimeSpan(microseconds: count * 1_000_000) }
    public static func minutes(_ count: UInt64) -> TimeSpan { seconds(count * 60) }
    public static func hours(_ count: UInt64) -> TimeSpan { minutes(count * 60) }
    public static func days(_ count: UInt64) -> TimeSpan { hours(count * 24) }

    public var isInfinite: Bool { microseconds == .max }

    public static func < (left: TimeSpan, right: TimeSpan) -> Bool { left.microseconds < right.microseconds }

    /// The sum; ``infinity`` where it is too long to be told.
    public static func + (left: TimeSpan, right: TimeSpan) -> TimeSpan {
        let (sum, overflow) = left.microseconds.addingReportingOverflow(right.microseconds)
        return overflow ? .infinity : TimeSpan(microseconds: sum)
    }
}
