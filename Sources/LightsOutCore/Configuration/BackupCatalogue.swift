import Glibc

/// All backups that there are: those that the configuration names, and those whose script has the name and place of the
/// convention, `backup/NAME_backup` in the configuration's folder.
public struct BackupCatalogue: Sendable {
    public let backups: [BackupName: BackupConfiguration]
    /// Files in the folder of scripts that look like a backup and are none. Never errors.
    public let warnings: [ConfigurationProblem]

    public init(_ configuration: Configuration, directories: Directories) {
        var backups = configuration.backups
        var warnings: [ConfigurationProblem] = []
        let files = FolderListing.names(in: directories.scriptFolder)
        let code = errno
        if files == nil, code != ENOENT {
            warnings.append(
                ConfigurationProblem(
                    .warning, file: directories.scriptFolder,
                    "cannot be listed: \(String(cString: strerror(code))). Scripts in it that are backups by their name are not seen",
                    suggestion: code == EACCES ? Self.adviceToCheckAsRoot : "put a directory in its place"))
        }
        for file in (files ?? []).map(\.text) {
            switch ScriptFile(file, in: directories.scriptFolder) {
            case .script(let name):
                if backups[name] == nil {
                    backups[name] = BackupConfiguration(
                        name: name, settings: configuration.defaults, directories: directories)
                }
            // Of a backup that the configuration names, the check of scripts says what is wrong.
            case .mistake(let name?, _, _) where backups[name] != nil: break
            case .mistake(_, let message, let suggestion):
                warnings.append(
                    ConfigurationProblem(
                        .warning, file: directories.scriptFolder + "/" + file, message, suggestion: suggestion))
            case .other: break
            }
        }
        self.backups = backups
        self.warnings = warnings
    }

    fileprivate static let adviceToCheckAsRoot = "check as root: sudo lightsout check"

    /// Whether the backup exists by its script alone. The runner asks for one name, and needs no catalogue for it.
    public static func hasScript(_ name: BackupName, _ directories: Directories) -> Bool {
        if case .script = ScriptFile(name.text + Directories.scriptSuffix, in: directories.scriptFolder) { return true }
        return false
    }
}

/// What a file in the folder of scripts is to us.
private enum ScriptFile {
    case script(BackupName)
    case mistake(BackupName?, message: String, suggestion: String)
    case other

    init(_ file: String, in folder: String) {
        // Endings that turn a script into a sample, a copy or a draft on purpose are nobody's mistake.
        guard file.hasSuffix(Directories.scriptSuffix) else {
            let endings = [".sh", ".bash", ".py", ".pl"]
            guard let ending = endings.first(where: { file.hasSuffix(Directories.scriptSuffix + $0) }) else {
                self = .other
                return
            }
            self = .mistake(
                nil, message: "is no backup: its name goes on after \"_backup\"",
                suggestion: "rename it to \(file.dropLast(ending.count))")
            return
        }
        let text = String(file.dropLast(Directories.scriptSuffix.count))
        let name: BackupName
        do throws(InvalidBackupName) {
            name = try BackupName(text)
        } catch {
            self = .mistake(nil, message: "is no backup: \(error)", suggestion: "rename it")
            return
        }
        let path = folder + "/" + file
        var status = stat()
        guard lstat(path, &status) == 0 else {
            // It may have gone since the folder was listed.
            self =
                errno == ENOENT
                ? .other
                : .mistake(
                    name, message: "may be a backup, and cannot be examined: \(String(cString: strerror(errno)))",
                    suggestion: BackupCatalogue.adviceToCheckAsRoot)
            return
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG where status.st_mode & 0o111 != 0: self = .script(name)
        case S_IFREG:
            self = .mistake(
                name, message: "is no backup yet: it is not executable", suggestion: "turn it on with: chmod 700 \(path)")
        case S_IFLNK:
            self = .mistake(
                name, message: "is no backup: a symbolic link is never run",
                suggestion: "copy the script there, or name its place with \"script\" in lightsout.yaml")
        default:
            self = .mistake(name, message: "is no backup: it is no regular file", suggestion: "remove it")
        }
    }
}
