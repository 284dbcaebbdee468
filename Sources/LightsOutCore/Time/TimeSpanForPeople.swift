extension TimeSpan {
    /// The span to two units, as a person would say it: `850ms`, `12s`, `3min 12s`, `5h 3min`, `2 days 4h`.
    public var forPeople: String {
        if isInfinite { return "infinity" }
        if microseconds < 1000 { return "\(microseconds)us" }
        if microseconds < 1_000_000 { return "\(microseconds / 1000)ms" }
        let seconds = microseconds / 1_000_000
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60)
        func joined(_ large: String, _ count: UInt64, _ unit: String) -> String {
            count == 0 ? large : "\(large) \(count)\(unit)"
        }
        if days > 0 { return joined(days == 1 ? "1 day" : "\(days) days", hours, "h") }
        if hours > 0 { return joined("\(hours)h", minutes, "min") }
        if minutes > 0 { return joined("\(minutes)min", seconds % 60, "s") }
        return "\(seconds)s"
    }

    /// The span as the distance of a time from now: ``forPeople``, or `now` where that is less than a second.
    public var distanceForPeople: String { microseconds < 1_000_000 ? "now" : forPeople }
}
