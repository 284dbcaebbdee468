public import LightsOutCore
public import Systemd

/// Reads the results of backups from the journal, where they are recorded and nowhere else.
public struct HistoryReader {
    /// Which results are wanted.
    public struct Query {
        /// Of this backup; nil is of all.
        public var backup: BackupName?
        public var result: RunResult?
        /// Not recorded before.
        public var since: Timestamp?
        /// Without what users other than root have reported.
        public var isOfConfiguration = false
        /// At most so many, the newest.
        public var limit: Int?

        public init(
            backup: BackupName? = nil, result: RunResult? = nil, since: Timestamp? = nil, limit: Int? = nil
        ) {
            self.backup = backup
            self.result = result
            self.since = since
            self.limit = limit
        }
    }

    private let source: JournalReader.Source
    private let trust: RecordTrust

    /// - Parameter trust: which records are believed, here as in journals that other machines sent.
    public init(_ source: JournalReader.Source = .local, trust: RecordTrust) {
        self.source = source
        self.trust = trust
    }

    /// The results that `query` asks for, newest first. Only as much of the journal is read as they take.
    public func entries(_ query: Query) throws(SystemError) -> [HistoryEntry] {
        let journal = try JournalReader(source)
        for id in HistoryEntry.messageIDs { try journal.match("MESSAGE_ID", id) }
        for user in trust.trustedUsers { try journal.match("_UID", user) }
        if let backup = query.backup { try journal.match(JournalRecord.Field.backup, backup.text) }
        if let result = query.result { try journal.match(JournalRecord.Field.result, result.rawValue) }

        var entries: [HistoryEntry] = []
        try journal.seekToEnd()
        while entries.count < query.limit ?? .max, try journal.previous() {
            let recorded = Timestamp(microseconds: Int64(clamping: try journal.realtime()))
            if let since = query.since, recorded < since { break }
            guard trust.believes(journal.field),
                let entry = HistoryEntry(recorded: recorded, field: journal.field)
            else { continue }
            if query.isOfConfiguration, let reporter = entry.reporter, reporter != 0 { continue }
            entries.append(entry)
        }
        return entries
    }
}
