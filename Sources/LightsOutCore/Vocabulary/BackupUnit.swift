extension BackupName {
    /// The unit that runs the backup: `lightsout-backup@server.service`.
    public var unit: String { "lightsout-backup@\(text).service" }

    /// The backup that `unit` runs; nil where it is another unit.
    public init?(unit: String) {
        let prefix = "lightsout-backup@"
        let suffix = ".service"
        guard unit.hasPrefix(prefix), unit.hasSuffix(suffix), unit.utf8.count > prefix.utf8.count + suffix.utf8.count,
            let name = try? BackupName(String(unit.dropFirst(prefix.count).dropLast(suffix.count)))
        else { return nil }
        self = name
    }
}
