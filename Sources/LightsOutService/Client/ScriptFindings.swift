import Glibc
import LightsOutCore
import LightsOutRunner
import Systemd

/// What `lightsout check` finds wrong with backups' scripts and users.
struct ScriptFindings {
    private(set) var problems: [ConfigurationProblem] = []
    private let files: ConfigurationFiles
    private lazy var sources = ConfigurationSources(files)
    /// Backups whose script cannot be judged with the rights that there are.
    private var unseen: [BackupConfiguration] = []
    /// Backups whose user does not exist, by where and as what the user is named: one mistake in `defaults` is one problem.
    private var withoutUser: [UserMention: [BackupConfiguration]] = [:]

    private struct UserMention: Hashable {
        let name: String
        let place: SourcePlace?
    }

    /// - Parameters:
    ///   - backups: in the order in which they are told.
    ///   - runner: whose rights a script has where the backup does not say.
    ///   - files: where the backups were read from.
    init(_ backups: [BackupConfiguration], as runner: uid_t, files: ConfigurationFiles) {
        self.files = files
        for backup in backups { check(backup, as: runner) }
        for (mention, backups) in withoutUser.sorted(by: { $0.value[0].name < $1.value[0].name }) {
            report(missing: mention, of: backups)
        }
        if let first = unseen.first {
            report(
                .warning, first, at: sources.place(of: "script", for: first.name),
                "\(Self.counted(first.script, unseen.count, "script")) cannot be checked without more rights",
                suggestion: "check as root: sudo lightsout check")
        }
    }

    private mutating func check(_ backup: BackupConfiguration, as runner: uid_t) {
        let user: User
        do throws(SystemError) {
            user = if let name = backup.settings.user { try User(named: name) } else { try User(uid: runner) }
        } catch {
            let mention = UserMention(
                name: backup.settings.user ?? String(runner), place: sources.place(of: "user", for: backup.name))
            withoutUser[mention, default: []].append(backup)
            return
        }
        do throws(ScriptRefusal) { try ScriptCheck(user: user).check(backup.script) } catch {
            if error.isUnseen, geteuid() != 0 {
                unseen.append(backup)
                return
            }
            let suggestion =
                switch error.remedy {
                case .command(let command): "mend it with: \(command)"
                case .advice(let advice): advice
                }
            report(
                .error, backup, at: sources.place(of: "script", for: backup.name),
                "\(backup.name) would not run: \(error.component) \(error.problem)", suggestion: suggestion)
        }
    }

    private mutating func report(missing mention: UserMention, of backups: [BackupConfiguration]) {
        report(
            .error, backups[0], at: mention.place,
            "there is no user \(mention.name.quotedForPeople) for \(Self.counted(backups[0].name.text, backups.count, "backup"))",
            suggestion: "make the account, or name another one with \"user\"")
    }

    /// A problem at `place`; or where the backup is named, or with its script where only that makes it one.
    private mutating func report(
        _ severity: ConfigurationProblem.Severity, _ backup: BackupConfiguration, at place: SourcePlace?, _ message: String,
        suggestion: String
    ) {
        let place = place ?? backup.place
        problems.append(
            ConfigurationProblem(
                severity, file: place?.file ?? backup.script, position: place?.position, message, suggestion: suggestion,
                scope: .backup(backup.name), excerpt: place.flatMap { sources.excerpt(at: $0) }))
    }

    /// `server and 2 other backups`.
    private static func counted(_ first: String, _ count: Int, _ noun: String) -> String {
        switch count {
        case 1: first
        case 2: "\(first) and 1 other \(noun)"
        default: "\(first) and \(count - 1) other \(noun)s"
        }
    }
}
