import LightsOutCore

// How a ``SleepMemory`` lies on the disk: lines of key=value, as a person can read them.

nonisolated extension SleepMemory {
    private static let header = "# lightsout: what it knows of the machine's sleep. Not to be edited."

    /// The file's whole text.
    var text: String {
        var lines = [Self.header, "version=1", "boot=\(boot.escaped)"]
        if let request {
            lines.append("request=\(request.kind.rawValue)")
            lines.append("request_by=\(request.by.escaped)")
            if let asker = request.asker {
                lines.append("request_asker=\(asker.uid) \(asker.pid) \(asker.start) \(asker.hasGivenPassword ? 1 : 0)")
            }
        }
        if let refused {
            lines.append("refused=\(refused.kind.rawValue)")
            lines.append("refused_at=\(refused.at.microseconds)")
            lines.append("refused_sessions=\(refused.sessions.words)")
        }
        if let asleep {
            lines.append("asleep=\(asleep.kind.rawValue)")
            lines.append("asleep_began=\(asleep.began.microseconds)")
            lines.append("asleep_ours=\(asleep.isOurs ? 1 : 0)")
            if let alarm = asleep.alarm { lines.append("asleep_alarm=\(alarm.microseconds)") }
            lines.append("asleep_backups=\(asleep.backups.words)")
            if let due = asleep.due { lines.append("asleep_due=\(due.microseconds)") }
            lines.append("asleep_sessions=\(asleep.sessions.words)")
        }
        if let woken {
            lines.append("woken=\(woken.kind.rawValue)")
            lines.append("woken_pending=\(woken.pending.words)")
            lines.append("woken_ended=\(woken.ended.words)")
            lines.append("woken_patience=\(woken.patience.microseconds)")
            lines.append("woken_sessions=\(woken.sessions.words)")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Reads what ``text`` wrote.
    /// - Throws: ``DamagedState`` for anything else.
    init(text: String) throws(DamagedState) {
        var lines = try StateLines(text)
        try lines.expectVersion("1")
        self.init(boot: try lines.required("boot", String.init(escaped:)))
        if let kind = try lines.optional("request", { SleepKind(rawValue: String($0)) }) {
            request = Request(
                kind: kind, by: try lines.required("request_by", String.init(escaped:)),
                asker: try lines.optional("request_asker", Asker.init(words:)))
        }
        if let kind = try lines.optional("refused", { SleepKind(rawValue: String($0)) }) {
            refused = Refused(
                kind: kind, at: try lines.required("refused_at", Timestamp.init(words:)),
                sessions: try lines.required("refused_sessions", UserSession.list(words:)))
        }
        if let kind = try lines.optional("asleep", { SleepKind(rawValue: String($0)) }) {
            asleep = Asleep(
                kind: kind, began: try lines.required("asleep_began", TimeSpan.init(words:)),
                alarm: try lines.optional("asleep_alarm", TimeSpan.init(words:)),
                backups: try lines.required("asleep_backups", Set.init(words:)),
                due: try lines.optional("asleep_due", Timestamp.init(words:)),
                isOurs: try lines.required("asleep_ours") { $0 == "1" ? true : $0 == "0" ? false : nil },
                sessions: try lines.required("asleep_sessions", UserSession.list(words:)))
        }
        if let kind = try lines.optional("woken", { SleepKind(rawValue: String($0)) }) {
            woken = Woken(
                kind: kind, pending: try lines.required("woken_pending", Set.init(words:)),
                ended: try lines.required("woken_ended", Set.init(words:)),
                patience: try lines.required("woken_patience", Timestamp.init(words:)),
                sessions: try lines.required("woken_sessions", UserSession.list(words:)))
        }
        try lines.expectNothingMore()
    }
}

// MARK: - Words of a line

nonisolated extension TimeSpan {
    fileprivate init?(words: Substring) {
        guard let microseconds = UInt64(words) else { return nil }
        self.init(microseconds: microseconds)
    }
}

nonisolated extension Timestamp {
    fileprivate init?(words: Substring) {
        guard let microseconds = Int64(words) else { return nil }
        self.init(microseconds: microseconds)
    }
}

nonisolated extension SleepMemory.Asker {
    /// `UID PID START PASSWORD`
    fileprivate init?(words: Substring) {
        let parts = words.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 4, let uid = UInt32(parts[0]), let pid = Int32(parts[1]), let start = UInt64(parts[2]),
            ["0", "1"].contains(parts[3])
        else { return nil }
        self.init(uid: uid, pid: pid, start: start, hasGivenPassword: parts[3] == "1")
    }
}

nonisolated extension Set<BackupName> {
    /// One word a name.
    var words: String { map(\.text).sorted().joined(separator: " ") }

    init?(words: Substring) {
        var names: Set<BackupName> = []
        for word in words.split(separator: " ") {
            guard let name = try? BackupName(String(word)) else { return nil }
            names.insert(name)
        }
        self = names
    }
}

nonisolated extension [UserSession] {
    /// `ID/USER/idle/MARK` or `ID/USER/busy/MARK/HOST`, one word each.
    fileprivate var words: String {
        map { session in
            ([session.id.escaped, session.user.escaped, session.isIdle ? "idle" : "busy", String(session.idleMark)]
                + (session.remoteHost.map { [$0.escaped] } ?? []))
                .joined(separator: "/")
        }.joined(separator: " ")
    }
}

nonisolated extension UserSession {
    fileprivate static func list(words: Substring) -> [UserSession]? {
        var sessions: [UserSession] = []
        for word in words.split(separator: " ") {
            let parts = word.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 4 || parts.count == 5, let id = String(escaped: parts[0]),
                let user = String(escaped: parts[1]), ["idle", "busy"].contains(parts[2]), let mark = UInt64(parts[3])
            else { return nil }
            var session = UserSession(id: id, user: user, isIdle: parts[2] == "idle", idleMark: mark)
            if parts.count == 5 {
                guard let host = String(escaped: parts[4]) else { return nil }
                session.remoteHost = host
            }
            sessions.append(session)
        }
        return sessions
    }
}

/// Names that come from elsewhere: whatever could be taken for a separator is written as `%` and two digits.
nonisolated extension String {
    fileprivate var escaped: String {
        var text = ""
        for byte in utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: ":"), UInt8(ascii: "@"):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default: text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        return text
    }

    fileprivate init?(escaped: Substring) {
        var bytes: [UInt8] = []
        var rest = Array(escaped.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        self = text
    }
}
