extension HistoryEntry {
    /// The members of `lightsout history --json` (docs/json.md).
    public func json(in zone: ZoneRules) -> [JSONValue.Member] {
        [
            .init("backup", .string(backup.text)), .init("run", .string(run?.description)),
            .init("trigger", .string(trigger?.rawValue)), .init("result", .string(result.rawValue)),
            .init("exit_status", .integer(exitStatus)), .init("signal", .integer(signal)),
            .init("started", .time(started, in: zone)), .init("finished", .time(finished, in: zone)),
            .init("duration", .seconds(duration)), .init("reason", .string(reason)), .init("host", .string(host)),
        ]
    }

    /// The table of `lightsout history`.
    /// - Parameter showsHost: whether the results are of several machines.
    public static func table(
        _ entries: [HistoryEntry], now: Timestamp, zone: ZoneRules, showsHost: Bool
    ) -> Table {
        var table = Table([
            .init("HOST", minimumWidth: 8, importance: 5), .init("BACKUP", minimumWidth: 12, importance: 6),
            .init("RESULT", importance: 7), .init("WHEN", importance: 4), .init("AGO", importance: 1),
            .init("TOOK", isRightAligned: true, importance: 2), .init("BY", importance: 0),
            .init("REASON", minimumWidth: 12, importance: 3),
        ])
        for entry in entries {
            let when = entry.started ?? entry.finished
            table.add([
                .init(showsHost ? entry.host ?? "?" : ""), .init(entry.backup.text),
                .init(entry.result.rawValue, entry.result.style), .init(when.text(in: zone), short: when.brief(in: zone, now: now)),
                .init(now.since(entry.finished).distanceForPeople), .init(entry.duration?.forPeople ?? ""),
                .init(entry.trigger?.rawValue ?? "", .faint), .init(entry.reason ?? ""),
            ])
        }
        return table
    }
}
