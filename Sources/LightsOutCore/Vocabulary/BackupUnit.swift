extension BackupName {
    /// The unit that runs the backup: `lightsout-backup@server.service`.
    public var unit: String { "lightsout-backup@\(text).service" }

    /// The backup that `unit` runs; nil where it is another unit.
    public init?(unit: String) {
        let prefix = "lightsout-backup@"
        let suffix = ".service"
        guard unit.hasBytes(prefix: prefix), unit.hasBytes(suffix: suffix), unit.utf8.count > prefix.utf8.count + suffix.utf8.count,
            let name = try? BackupName(
                String(decoding: unit.utf8.dropFirst(prefix.utf8.count).dropLast(suffix.utf8.count), as: UTF8.self))
        else { return nil }
        self = name
    }
}
