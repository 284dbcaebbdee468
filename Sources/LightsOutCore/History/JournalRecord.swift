/// One record for the systemd journal: what happened to a backup, as fields (systemd.journal-fields(7)).
///
/// The ids and fields are contract: scripts match them, the message catalog explains them, ``HistoryEntry`` reads them
/// back. `MESSAGE` is for people and may change.
public struct JournalRecord: Sendable {
    public enum MessageID {
        public static let started = "54cc1f46a6b448899f14ebc8e1c91790"
        public static let finished = "782b279e4aed49008a521705136ad691"
        public static let missed = "a5231a81efc44fa8a201a9111182bae3"
        public static let refused = "eb7f049984e645f5a689e39cbba089cd"
        public static let lock = "a937b622de78436daf6515597cd564d2"
        public static let decision = "ce372310c0de429f963904684a48b9da"
        public static let alarm = "66d7f14208e74faab689affbb5965a09"
    }

    public enum Field {
        public static let backup = "LIGHTSOUT_BACKUP"
        public static let run = "LIGHTSOUT_RUN"
        public static let trigger = "LIGHTSOUT_TRIGGER"
        public static let result = "LIGHTSOUT_RESULT"
        public static let exitStatus = "LIGHTSOUT_EXIT_STATUS"
        public static let signal = "LIGHTSOUT_SIGNAL"
        public static let duration = "LIGHTSOUT_DURATION_USEC"
        public static let started = "LIGHTSOUT_STARTED_USEC"
        public static let reason = "LIGHTSOUT_REASON"
        public static let elapse = "LIGHTSOUT_ELAPSE_USEC"
        public static let reporter = "LIGHTSOUT_REPORTER"
        public static let lock = "LIGHTSOUT_LOCK"
        public static let action = "LIGHTSOUT_ACTION"
        public static let alarm = "LIGHTSOUT_ALARM"
    }

    /// What became of an inhibitor lock: the values of `LIGHTSOUT_LOCK`.
    public enum LockChange: String, Sendable { case taken, released, lost, refused }

    /// What became of the hardware clock's alarm: the values of `LIGHTSOUT_ALARM`.
    public enum AlarmChange: String, Sendable {
        case set
        /// Another program's comes first, and is left.
        case kept
        case failed
    }

    public let fields: [(name: String, value: String)]
    public let message: String
    public let priority: JournalPriority

    private init(
        _ id: String, _ priority: JournalPriority, _ message: String, backup: BackupName?, run: RunIdentifier?,
        _ more: [(String, String?)] = []
    ) {
        self.message = message
        self.priority = priority
        var fields: [(name: String, value: String)] = [
            ("MESSAGE", message), ("PRIORITY", String(priority.rawValue)), ("SYSLOG_IDENTIFIER", "lightsout"),
            ("MESSAGE_ID", id),
        ]
        if let backup { fields.append((Field.backup, backup.text)) }
        if let run { fields.append((Field.run, run.description)) }
        for case (let name, let value?) in more { fields.append((name, value)) }
        self.fields = fields
    }

    public static func started(_ backup: BackupName, _ run: RunIdentifier, _ trigger: Trigger) -> JournalRecord {
        JournalRecord(
            MessageID.started, .info, "\(backup): backup started \(trigger.phrase)", backup: backup, run: run,
            [(Field.trigger, trigger.rawValue)])
    }

    /// The result of a run.
    /// - Parameter reporter: the user who reported it; nil for a run of ours.
    public static func finished(
        _ backup: BackupName, _ run: RunIdentifier, _ trigger: Trigger, _ outcome: Outcome, started: Timestamp,
        duration: TimeSpan, reporter: UInt32? = nil
    ) -> JournalRecord {
        JournalRecord(
            MessageID.finished, outcome.result.priority,
            "\(backup): \(outcome.result.phrase) after \(duration.forPeople)\(outcome.reason.map { ": \($0)" } ?? "")",
            backup: backup, run: run,
            [
                (Field.trigger, trigger.rawValue), (Field.result, outcome.result.rawValue),
                (Field.exitStatus, outcome.exitStatus.map { String($0) }),
                (Field.signal, outcome.signal.map { String($0) }),
                (Field.started, String(started.microseconds)),
                (Field.duration, String(duration.microseconds)), (Field.reason, outcome.reason),
                (Field.reporter, reporter.map { String($0) }),
            ])
    }

    /// A run that was not begun, because of the configuration or its script.
    public static func refused(
        _ backup: BackupName, _ run: RunIdentifier, _ trigger: Trigger, reason: String
    ) -> JournalRecord {
        JournalRecord(
            MessageID.refused, RunResult.wrongConfig.priority, "\(backup): not run: \(reason)", backup: backup,
            run: run,
            [
                (Field.trigger, trigger.rawValue), (Field.result, RunResult.wrongConfig.rawValue),
                (Field.reason, reason),
            ])
    }

    /// An elapse that no run was begun for.
    public static func missed(_ backup: BackupName, elapse: Timestamp, message: String) -> JournalRecord {
        JournalRecord(
            MessageID.missed, RunResult.missed.priority, "\(backup): \(message)", backup: backup, run: nil,
            [
                (Field.elapse, String(elapse.microseconds)), (Field.result, RunResult.missed.rawValue),
                (Field.reason, message),
            ])
    }

    /// A change of an inhibitor lock.
    /// - Parameter run: the run that it is held for; nil for one that has not begun.
    public static func lock(
        _ change: LockChange, _ backup: BackupName, _ run: RunIdentifier?, message: String
    ) -> JournalRecord {
        let priority: JournalPriority =
            switch change {
            case .taken, .released: .info
            case .lost: .warning
            case .refused: .error
            }
        return JournalRecord(
            MessageID.lock, priority, "\(backup): \(message)", backup: backup, run: run,
            [(Field.lock, change.rawValue)])
    }

    /// A decision about sleep or wake, and why.
    public static func decision(
        _ action: String, backup: BackupName? = nil, priority: JournalPriority = .info, message: String
    ) -> JournalRecord {
        JournalRecord(
            MessageID.decision, priority, message, backup: backup, run: nil, [(Field.action, action)])
    }

    /// The hardware clock's alarm, as the unit that sets it found it. `journalctl -u lightsoutd` shows it too.
    public static func alarm(_ change: AlarmChange, _ message: String) -> JournalRecord {
        JournalRecord(
            MessageID.alarm, change == .failed ? .warning : .info, message, backup: nil, run: nil,
            [(Field.alarm, change.rawValue), ("OBJECT_SYSTEMD_UNIT", "lightsoutd.service")])
    }

    /// Something about a backup that an administrator should read and that is none of the events with an id.
    public static func notice(
        _ message: String, backup: BackupName? = nil, run: RunIdentifier? = nil, priority: JournalPriority
    ) -> JournalRecord {
        JournalRecord(message, priority, backup: backup, run: run)
    }

    private init(_ message: String, _ priority: JournalPriority, backup: BackupName?, run: RunIdentifier?) {
        let text = backup.map { "\($0): \(message)" } ?? message
        self.message = text
        self.priority = priority
        var fields: [(name: String, value: String)] = [
            ("MESSAGE", text), ("PRIORITY", String(priority.rawValue)), ("SYSLOG_IDENTIFIER", "lightsout"),
        ]
        if let backup { fields.append((Field.backup, backup.text)) }
        if let run { fields.append((Field.run, run.description)) }
        self.fields = fields
    }
}

extension Trigger {
    /// How the journal tells it: `backup started by schedule`.
    public var phrase: String {
        switch self {
        case .manual: "by hand"
        case .schedule: "by schedule"
        case .catchUp: "to catch up on a missed time"
        case .retry: "again after a failure"
        case .report: "by its own report"
        }
    }
}

extension RunResult {
    /// How the journal tells it: `backup finished with warnings`.
    public var phrase: String {
        switch self {
        case .success: "backup finished with success"
        case .failed: "backup failed"
        case .aborted: "backup aborted"
        case .warnings: "backup finished with warnings"
        case .undefined: "backup finished with an undefined result"
        case .missed: "backup missed"
        case .wrongConfig: "backup not run as configured"
        case .unknown: "backup ended with an unknown result"
        }
    }
}
