/// What `lightsout calendar` tells of one expression.
public struct CalendarReading: Sendable {
    private let text: String
    private let normalized: String
    private let elapses: [Timestamp]
    /// What the elapses are shown in: the zone that the expression names, or the local one.
    private let zone: ZoneRules

    /// - Parameter zone: the local one.
    public init(
        _ text: String, expression: CalendarExpression, after base: Timestamp, count: Int, zone: ZoneRules
    ) {
        self.text = text
        normalized = expression.description
        self.zone = expression.namedZone ?? zone
        var elapses: [Timestamp] = []
        var time = base
        while elapses.count < count, let next = expression.next(after: time, localZone: zone) {
            elapses.append(next)
            time = next
        }
        self.elapses = elapses
    }

    /// The members of `lightsout calendar --json` (docs/json.md).
    public var json: [JSONValue.Member] {
        [
            .init("expression", .string(text)), .init("normalized", .string(normalized)),
            .init("elapses", .array(elapses.map { .time($0, in: zone) })),
        ]
    }

    /// The normalised form and a line for each elapse.
    public func lines(relativeTo base: Timestamp, heading: (String) -> String) -> [String] {
        let times = elapses.map { time in
            "  " + time.text(in: zone, microseconds: time.microseconds % 1_000_000 != 0) + "  " + time.relative(to: base)
        }
        return [heading(normalized)] + (times.isEmpty ? ["  never"] : times)
    }
}
