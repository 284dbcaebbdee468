/// Points in time as text. All years are shown with four digits; what lies beyond 9999 has more.
extension Timestamp {
    /// RFC 3339 with microseconds and the zone's offset, for programs: `2026-11-24T02:30:00.000000+01:00`.
    ///
    /// Offsets that are no full minutes (local mean time, before the days of time zones) cannot be written: then it is UTC.
    public func rfc3339(in zone: ZoneRules) -> String {
        let offset = zone.offset(at: self).secondsEast
        guard offset % 60 == 0 else { return rfc3339(in: .utc) }
        let wall = zone.civilTime(at: self)
        var text = wall.date.description + "T"
        text.append(timeOf: wall, microseconds: true)
        text += offset < 0 ? "-" : "+"
        text.append(abs(offset) / 3600, width: 2)
        text += ":"
        text.append(abs(offset) / 60 % 60, width: 2)
        return text
    }

    /// As systemd shows times, for people: `Tue 2026-11-24 02:30:00 CET`. Microseconds are shown where asked for:
    /// `Tue 2026-11-24 02:30:00.500000 CET`.
    public func text(in zone: ZoneRules, microseconds: Bool = false) -> String {
        let wall = zone.civilTime(at: self)
        var text = "\(wall.weekday.abbreviation) \(wall.date) "
        text.append(timeOf: wall, microseconds: microseconds)
        return text + " " + zone.offset(at: self).abbreviation
    }

    /// How far it is from `now`: `in 5h 3min`, `2 days 4h ago`; `now` where that is less than a second.
    public func relative(to now: Timestamp) -> String {
        let ahead = since(now)
        let past = now.since(self)
        if ahead.microseconds >= 1_000_000 { return "in " + ahead.forPeople }
        if past.microseconds >= 1_000_000 { return past.forPeople + " ago" }
        return "now"
    }
}

extension String {
    fileprivate mutating func append(timeOf wall: CivilTime, microseconds: Bool) {
        append(wall.hour, width: 2)
        append(":")
        append(wall.minute, width: 2)
        append(":")
        append(wall.second, width: 2)
        if microseconds {
            append(".")
            append(wall.microsecond, width: 6)
        }
    }
}
