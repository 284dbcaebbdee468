import LightsOutCore

/// How one backup stands, with its name: a row of `lightsout status`.
nonisolated struct BackupStatus: Hashable, Sendable {
    let name: BackupName
    var view: BackupView

    /// The members of `lightsout status --json` (docs/json.md).
    func json(in zone: ZoneRules) -> [JSONValue.Member] {
        [
            .init("backup", .string(name.text)), .init("description", .string(view.description)),
            .init("state", .string(view.state.rawValue)),
            .init("progress", .integer(view.progress.map { Int($0) })),
            .init("trigger", .string(view.trigger?.rawValue)), .init("since", .time(view.since, in: zone)),
            .init("last_result", .string(view.lastResult?.rawValue)),
            .init("last_started", .time(view.lastStarted, in: zone)),
            .init("last_finished", .time(view.lastFinished, in: zone)),
            .init("next_elapse", .time(view.nextElapse, in: zone)), .init("wake", .bool(view.wake)),
            .init("stale", .bool(view.isStale)), .init("problem", .string(view.problem)),
            .init("kept_awake_since", .time(view.keptAwakeSince, in: zone)),
        ]
    }

    /// The table of `lightsout status`.
    static func table(_ statuses: [BackupStatus], now: Timestamp, zone: ZoneRules) -> Table {
        var table = Table([
            .init("BACKUP", minimumWidth: 12, importance: 6), .init("STATE", importance: 5), .init("LAST RESULT", importance: 4),
            .init("FINISHED", importance: 1), .init("NEXT", importance: 2), .init("PROBLEM", minimumWidth: 12, importance: 3),
            .init("DESCRIPTION", minimumWidth: 20, importance: 0),
        ])
        for status in statuses {
            let view = status.view
            table.add([
                .init(status.name.text, .heading), .init(status.stateForPeople, status.stateStyle),
                .init(view.lastResult?.rawValue ?? "–", view.lastResult?.style ?? .faint),
                .init(view.lastFinished, in: zone, now: now),
                .init(view.nextElapse, in: zone, now: now, suffix: view.wake ? ", wakes" : ""),
                .init(view.problem ?? "", .warning),
                .init(view.description, .faint),
            ])
        }
        return table
    }

    /// One backup, a line for each thing to say.
    /// - Parameter run: the run under way or the last one, where its state can be read.
    func lines(now: Timestamp, zone: ZoneRules, run: RunState?, styled: (String, Style) -> String) -> [String] {
        func both(_ time: Timestamp) -> String { "\(time.text(in: zone)) (\(time.relative(to: now)))" }
        var lines = [
            styled(name.text, .heading)
                + (view.description.isEmpty ? "" : " – " + view.description.escapedForTerminal)
        ]
        func add(_ label: String, _ text: String) {
            lines.append(String(repeating: " ", count: max(0, 12 - label.count)) + label + ": " + text)
        }
        var state = styled(stateForPeople, stateStyle)
        if let since = view.since { state += " since " + both(since) }
        if let trigger = view.trigger { state += ", " + trigger.phrase }
        add("State", state)
        if let since = view.keptAwakeSince { add("Standby", "blocked for its start since " + both(since)) }
        if let problem = view.problem { add("Problem", styled(problem.escapedForTerminal, .warning)) }
        if let started = view.lastStarted { add("Started", both(started)) }
        if let result = view.lastResult {
            add("Last result", styled(result.rawValue, result.style) + (view.lastFinished.map { ", " + both($0) } ?? ""))
            if let reason = run?.outcome?.reason { add("Reason", reason.escapedForTerminal) }
        }
        // What was only reported ran in no unit of ours.
        if let run, run.reporter == nil { add("Log", "journalctl -u \(name.unit)") }
        add("Next", view.nextElapse.map { both($0) + (view.wake ? ", wakes the machine" : "") } ?? "not scheduled")
        return lines
    }

    private var stateForPeople: String {
        view.state.rawValue + (view.progress.map { " \($0)%" } ?? "") + (view.keptAwakeSince == nil ? "" : ", blocks standby")
    }

    private var stateStyle: Style {
        switch view.state {
        case .running, .reported: .good
        case .waiting, .paused: .warning
        case .idle: .plain
        }
    }
}
