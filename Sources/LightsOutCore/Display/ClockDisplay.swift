extension Timestamp {
    /// The time as briefly as a person would say it at `now`: `02:30` today, `Tue 02:30` within six days, else
    /// `2026-11-24 02:30`.
    public func brief(in zone: ZoneRules, now: Timestamp) -> String {
        let wall = zone.civilTime(at: self)
        let today = zone.civilTime(at: now).daysSinceEpoch
        var clock = ""
        clock.append(wall.hour, width: 2)
        clock += ":"
        clock.append(wall.minute, width: 2)
        switch wall.daysSinceEpoch - today {
        case 0: return clock
        case -6...6: return "\(wall.weekday.abbreviation) \(clock)"
        default: return "\(wall.date) \(clock)"
        }
    }

    /// ``brief(in:now:)`` and how far away that is: `Tue 02:30 (in 7h 28min)`.
    public func briefAndRelative(in zone: ZoneRules, now: Timestamp) -> String {
        "\(brief(in: zone, now: now)) (\(relative(to: now)))"
    }
}

extension Table.Cell {
    /// A time with how far away it is, or without that where there is little room; empty for no time.
    /// - Parameter suffix: what is said behind it.
    public init(_ time: Timestamp?, in zone: ZoneRules, now: Timestamp, suffix: String = "") {
        self.init(
            time.map { $0.briefAndRelative(in: zone, now: now) + suffix } ?? "",
            short: time.map { $0.brief(in: zone, now: now) + suffix })
    }
}
