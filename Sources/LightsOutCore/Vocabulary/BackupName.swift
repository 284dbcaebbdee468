/// The name of a backup: the `server` of `server_backup`, `lightsout-backup@server` and `/org/lightsout1/backup/server`.
///
/// It becomes part of paths, unit names and bus paths, so a value of this type holds nothing that could mean more
/// there: `[A-Za-z0-9][A-Za-z0-9_-]{0,63}`. Text from outside becomes a name here or not at all.
public struct BackupName: Hashable, Sendable, CustomStringConvertible {
    /// The most characters that a name has.
    public static let maximumLength = 64

    public let text: String

    /// Takes `text` as a name.
    /// - Throws: ``InvalidBackupName`` where it has another form.
    public init(_ text: String) throws(InvalidBackupName) {
        let bytes = text.utf8
        guard let first = bytes.first, Self.isLetterOrDigit(first), bytes.count <= Self.maximumLength,
            bytes.allSatisfy({ Self.isLetterOrDigit($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") })
        else { throw InvalidBackupName(text: text) }
        self.text = text
    }

    public var description: String { text }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }
}

extension BackupName: Comparable {
    public static func < (left: BackupName, right: BackupName) -> Bool { left.text < right.text }
}

/// Text that is no backup name.
public struct InvalidBackupName: Error, Equatable, CustomStringConvertible {
    public let text: String

    public var description: String {
        "\(text.quotedForPeople) is no name of a backup: 1 to \(BackupName.maximumLength) letters, digits, \"_\" and \"-\", the first a letter or digit"
    }
}
