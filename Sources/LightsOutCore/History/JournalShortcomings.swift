/// Finds what keeps the journal from being the record of all results: a journal that is lost at a reboot, that drops
/// records, or that does not reach back far enough.
public struct JournalShortcomings: Sendable {
    /// How far back history is to reach.
    public static let wantedReach = TimeSpan.days(90)

    /// What is found on the machine itself.
    public struct Facts: Hashable, Sendable {
        /// Whether there is a /var/log/journal: without one, `Storage=auto` means volatile.
        public var hasPersistentDirectory: Bool
        /// `systemd.journald.max_level_store=` of the kernel's command line, which wins over the files.
        public var kernelMaxLevel: String?
        /// What the journal takes now, and how far it reaches back; nil if that is not known.
        public var journal: (bytes: UInt64, reach: TimeSpan)? {
            get { usedBytes.flatMap { bytes in reach.map { (bytes, $0) } } }
            set { (usedBytes, reach) = (newValue?.bytes, newValue?.reach) }
        }
        private var usedBytes: UInt64?
        private var reach: TimeSpan?
        /// The size of the file system that holds the journal, and what of it is free, in bytes; nil if that is not known.
        public var fileSystemSize: UInt64?
        public var fileSystemFree: UInt64?

        public init(hasPersistentDirectory: Bool) { self.hasPersistentDirectory = hasPersistentDirectory }
    }

    private let settings: JournaldSettings
    private let facts: Facts

    public init(_ settings: JournaldSettings, _ facts: Facts) {
        self.settings = settings
        self.facts = facts
    }

    /// Each shortcoming, at its place, with what to set.
    public var problems: [ConfigurationProblem] { [storage, level, retention, size].compactMap { $0 } }

    // MARK: Storage

    private var isPersistent: Bool {
        switch settings["Storage"]?.value {
        case "volatile", "none": false
        case "persistent": true
        default: facts.hasPersistentDirectory
        }
    }

    private var storage: ConfigurationProblem? {
        switch settings["Storage"]?.value {
        case "none":
            warn("Storage", "journald keeps no records (Storage=none), so no result of a backup is recorded", "Storage=persistent")
        case "volatile":
            warn(
                "Storage", "journald keeps its records in memory only (Storage=volatile), so a reboot loses all results of backups",
                "Storage=persistent")
        case _ where !isPersistent:
            warn(
                "Storage",
                "journald keeps its records in memory only, because there is no directory /var/log/journal, so a reboot loses all results of backups",
                "Storage=persistent")
        default: nil
        }
    }

    // MARK: Levels

    private var level: ConfigurationProblem? {
        let info = 6
        if let text = facts.kernelMaxLevel, let level = JournaldSettings.level(text) {
            guard level < info else { return nil }
            return ConfigurationProblem(
                .warning, file: "/proc/cmdline",
                "journald drops what is less important than \(text.quotedForPeople) (systemd.journald.max_level_store), so successful backups leave no record",
                suggestion: "remove that option from the kernel's command line, and reboot")
        }
        guard let setting = settings["MaxLevelStore"], let level = JournaldSettings.level(setting.value), level < info else {
            return nil
        }
        return warn(
            "MaxLevelStore",
            "journald drops what is less important than \(setting.value.quotedForPeople) (MaxLevelStore=), so successful backups leave no record",
            "MaxLevelStore=info")
    }

    // MARK: How far it reaches back

    private var retention: ConfigurationProblem? {
        guard let setting = settings["MaxRetentionSec"], let span = try? TimeSpan(parsing: setting.value),
            span > .zero, span < Self.wantedReach
        else { return nil }
        return warn(
            "MaxRetentionSec", "journald deletes records after \(span.forPeople) (MaxRetentionSec=), so older results of backups are lost",
            "MaxRetentionSec=90day")
    }

    /// Of a journal younger than this nothing can be said of how much is written in a day.
    private static let shortestSample = TimeSpan.days(1)
    /// What even a quiet machine writes in a day.
    private static let leastDaily: UInt64 = 1 << 20

    private var size: ConfigurationProblem? {
        guard isPersistent, let limit else { return nil }
        let days = Self.wantedReach.microseconds / TimeSpan.days(1).microseconds
        var daily = Self.leastDaily
        if let journal = facts.journal, journal.reach >= Self.shortestSample {
            let perDay = Double(journal.bytes) / Double(journal.reach.microseconds) * Double(TimeSpan.days(1).microseconds)
            daily = max(daily, UInt64(min(perDay, 1e15)))
        }
        let needed = daily * days
        guard limit.bytes < needed else { return nil }
        return warn(
            limit.key,
            "journald keeps at most \(Self.text(limit.bytes)) of records, which holds about \(max(1, limit.bytes / daily)) days on this machine; older results of backups are lost",
            "SystemMaxUse=\(Self.text(needed))")
    }

    /// The most that the journal may take, in bytes, and the key that says so (journald.conf(5), SystemMaxUse=).
    private var limit: (bytes: UInt64, key: String)? {
        var limits: [(bytes: UInt64, key: String)] = []
        func size(_ key: String) -> UInt64? { settings[key].flatMap { JournaldSettings.bytes($0.value) } }
        let standard = facts.fileSystemSize.map { min($0 / 10, 4 << 30) }
        if let bytes = size("SystemMaxUse") ?? standard { limits.append((bytes, "SystemMaxUse")) }
        if let free = facts.fileSystemFree, let total = facts.fileSystemSize {
            let keep = size("SystemKeepFree") ?? min(total / 100 * 15, 4 << 30)
            let room = free > keep ? free - keep : 0
            limits.append(((facts.journal?.bytes ?? 0) + room, "SystemKeepFree"))
        }
        if let count = settings["SystemMaxFiles"].flatMap({ UInt64($0.value) }), count > 0, let file = size("SystemMaxFileSize") {
            limits.append((count.multipliedReportingOverflow(by: file).partialValue, "SystemMaxFiles"))
        }
        return limits.min { $0.bytes < $1.bytes }
    }

    /// A size in whole units, rounded up, as journald.conf(5) takes it.
    private static func text(_ bytes: UInt64) -> String {
        for (unit, shift) in [("G", UInt64(30)), ("M", 20), ("K", 10)] where bytes >= 10 << shift || unit == "K" {
            return "\((bytes + (1 << shift) - 1) >> shift)\(unit)"
        }
        return "\(bytes)"
    }

    // MARK: What to do

    private func warn(_ key: String, _ message: String, _ remedy: String) -> ConfigurationProblem {
        let setting = settings[key]
        return ConfigurationProblem(
            .warning, file: setting?.file ?? JournaldSettings.mainFile,
            position: setting.map { SourcePosition(line: $0.line, column: 1) }, message,
            suggestion: "set \(remedy) \(place(for: setting)); then: systemctl restart systemd-journald")
    }

    /// Where a value is to be set so that it counts: files of the administrator's are changed, those of packages are not.
    private func place(for setting: JournaldSettings.Setting?) -> String {
        let folder = "/etc/systemd/journald.conf.d"
        guard let file = setting?.file else { return "below [Journal] in \(folder)/99-lightsout.conf" }
        if file.utf8.starts(with: "/etc/".utf8) { return "there" }
        let name = file.split(separator: "/").last.map(String.init) ?? ""
        // A drop-in counts after those whose names come before its own, and in place of one with the same name.
        let isLater = file.utf8.starts(with: "/".utf8) && name > "99-lightsout.conf"
        return "below [Journal] in \(folder)/\(isLater ? name : "99-lightsout.conf")"
    }
}
