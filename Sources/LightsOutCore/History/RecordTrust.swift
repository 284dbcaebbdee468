/// Which records of the journal are believed. Anybody may write to the journal, with any field that does not begin with
/// an underscore; those that do are journald's own word on who wrote the record (systemd.journal-fields(7)).
///
/// A record is believed where it was written
/// - by root, or by one of the accounts named, and
/// - from a unit of ours, or by a program of ours in any unit: a run started by hand belongs to the session's unit.
///
/// Where journald knows neither unit nor program, because the writer had ended before it looked, the account decides.
/// The second rule therefore does not keep out root, whom nothing keeps out; it keeps out programs of root's that pass on
/// what others say, such as log forwarders, which live on.
public struct RecordTrust: Hashable, Sendable {
    private let users: Set<String>
    private let programs: Set<String>

    /// Where lightsout is installed, here and on the machines whose journals are collected here.
    private static let installed: Set<String> = [
        "/usr/bin/lightsout", "/usr/sbin/lightsoutd", "/usr/local/bin/lightsout", "/usr/local/sbin/lightsoutd",
    ]

    /// - Parameters:
    ///   - users: uids; 0 is root.
    ///   - program: the path of this program, which is believed wherever it is installed.
    public init(users: Set<UInt32> = [0], program: String? = nil) {
        self.users = Set(users.map { String($0) })
        var programs = Self.installed
        if let program { programs.insert(program) }
        self.programs = programs
    }

    /// The values of `_UID` that are believed: what a search of the journal is narrowed down to.
    public var trustedUsers: [String] { users.sorted() }

    /// Whether the record whose fields `field` looks up is believed.
    public func believes(_ field: (String) -> String?) -> Bool {
        guard let user = field("_UID"), users.containsBytes(of: user) else { return false }
        let unit = field("_SYSTEMD_UNIT")
        let program = field("_EXE")
        if unit == nil && program == nil { return true }
        if let unit, Self.isOurs(unit: unit) { return true }
        return program.map { programs.containsBytes(of: Self.withoutDeletion($0)) } ?? false
    }

    private static func isOurs(unit: String) -> Bool {
        ["lightsoutd.service", "lightsout-keeper.service"].containsBytes(of: unit) || BackupName(unit: unit) != nil
    }

    /// The kernel's name for a program whose file has been replaced since it was started (proc(5), `exe`).
    private static func withoutDeletion(_ path: String) -> String {
        let mark = " (deleted)"
        return path.hasBytes(suffix: mark) ? String(decoding: path.utf8.dropLast(mark.utf8.count), as: UTF8.self) : path
    }
}
