import LightsOutCore

// How a ``ScheduleMemory`` lies on the disk: lines of key=value, as a person can read them.

nonisolated extension ScheduleMemory {
    private static let header = "# lightsout: what the schedule has done for this backup. Not to be edited."

    /// The file's whole text.
    var text: String {
        var lines = [
            Self.header, "version=1",
            "handled_until=\(handled.until.microseconds)",
            "handled_spans=\(handled.spans.map { "\($0.first.microseconds)-\($0.last.microseconds)" }.joined(separator: ","))",
            "schedule=\(String(scheduleFingerprint, radix: 16))", "first_seen=\(firstSeen.microseconds)",
        ]
        func line(_ key: String, _ time: Timestamp?) { if let time { lines.append("\(key)=\(time.microseconds)") } }
        line("last_success", lastSuccess)
        line("stale_warned_since", staleWarnedSince)
        line("paused_until", pausedUntil)
        if let underWay {
            lines.append("under_way=\(underWay.attempt.words)")
            if let run = underWay.previousRun { lines.append("under_way_previous=\(run)") }
        }
        if let owed {
            lines.append("owed=\(owed.attempt.words)")
            lines.append("owed_at=\(owed.at.microseconds)")
            switch owed.cause {
            case .retry: lines.append("owed_cause=retry")
            case .cutOff: lines.append("owed_cause=cut-off")
            case .heldBack: lines.append("owed_cause=held-back")
            case .notStarted(let why):
                lines.append("owed_cause=not-started")
                lines.append("owed_why=\(String(why.map { $0.isNewline ? " " : $0 }))")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Reads what ``text`` wrote.
    /// - Throws: ``DamagedState`` for anything else.
    init(text: String) throws(DamagedState) {
        var lines = try StateLines(text)
        try lines.expectVersion("1")
        let spans = try lines.required("handled_spans", HandledElapses.spans(words:))
        let handled = HandledElapses(until: try lines.required("handled_until", Timestamp.init(words:)), spans: spans)
        let fingerprint = try lines.required("schedule") { UInt64($0, radix: 16) }
        self.init(newAt: try lines.required("first_seen", Timestamp.init(words:)), scheduleFingerprint: fingerprint)
        self.handled = handled
        lastSuccess = try lines.optional("last_success", Timestamp.init(words:))
        staleWarnedSince = try lines.optional("stale_warned_since", Timestamp.init(words:))
        pausedUntil = try lines.optional("paused_until", Timestamp.init(words:))
        if let attempt = try lines.optional("under_way", Attempt.init(words:)) {
            underWay = UnderWay(
                attempt: attempt, previousRun: try lines.optional("under_way_previous") { RunIdentifier($0) })
        }
        if let attempt = try lines.optional("owed", Attempt.init(words:)) {
            let at = try lines.required("owed_at", Timestamp.init(words:))
            let why = try lines.optional("owed_why") { String($0) } ?? ""
            let cause: Owed.Cause = try lines.required("owed_cause") { word in
                switch word {
                case "retry": .retry
                case "cut-off": .cutOff
                case "held-back": .heldBack
                case "not-started": .notStarted(why)
                default: nil
                }
            }
            owed = Owed(attempt: attempt, at: at, cause: cause)
        }
        try lines.expectNothingMore()
    }
}

nonisolated extension ScheduleMemory.Attempt {
    fileprivate var words: String { "\(elapse.microseconds) \(covers) \(trigger.rawValue) \(number) \(timesCutOff)" }

    fileprivate init?(words: Substring) {
        let parts = words.split(separator: " ")
        guard parts.count == 5, let elapse = Timestamp(words: parts[0]), let covers = Int(parts[1]), covers > 0,
            let trigger = Trigger(rawValue: String(parts[2])), let number = Int(parts[3]), number > 0,
            let timesCutOff = Int(parts[4]), timesCutOff >= 0
        else { return nil }
        self.init(elapse: elapse, covers: covers, trigger: trigger, number: number, timesCutOff: timesCutOff)
    }
}

nonisolated extension Timestamp {
    fileprivate init?(words: Substring) {
        guard let microseconds = Int64(words) else { return nil }
        self.init(microseconds: microseconds)
    }
}

nonisolated extension HandledElapses {
    fileprivate static func spans(words: Substring) -> [Span]? {
        var spans: [Span] = []
        for word in words.split(separator: ",") {
            // A time before 1970 begins with a sign of its own.
            guard let dash = word.dropFirst().firstIndex(of: "-"), let first = Int64(word[..<dash]),
                let last = Int64(word[word.index(after: dash)...])
            else { return nil }
            spans.append(Span(first: Timestamp(microseconds: first), last: Timestamp(microseconds: last)))
        }
        return spans
    }
}
