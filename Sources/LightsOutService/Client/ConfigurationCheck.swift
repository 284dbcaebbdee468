import Glibc
public import LightsOutCore
import LightsOutRunner
import Systemd

/// `lightsout check`: what is wrong with the configuration and with the scripts that it names.
public struct ConfigurationCheck {
    /// What was found.
    public struct Findings {
        public var problems: [ConfigurationProblem] = []
        var backups = 0

        public var hasErrors: Bool { problems.contains { $0.severity == .error } }

        /// One line for people.
        public var summary: String {
            let errors = problems.count { $0.severity == .error }
            let warnings = problems.count - errors
            func counted(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
            let found = [(errors, "error"), (warnings, "warning")].filter { $0.0 > 0 }.map { counted($0.0, $0.1) }
            let backups = counted(backups, "backup")
            return found.isEmpty ? "\(backups), nothing wrong." : "\(backups), \(found.joined(separator: ", "))."
        }
    }

    private let directories: Directories

    private let calendar: CalendarContext

    /// - Parameter calendar: by which schedules are judged.
    public init(_ directories: Directories, calendar: CalendarContext) {
        self.directories = directories
        self.calendar = calendar
    }

    /// Checks the installed configuration, and the scripts that are backups by their name.
    public func installed() -> Findings {
        let reading = ConfigurationLoader.load(directories, calendar: calendar)
        var findings = Findings(problems: reading.problems)
        guard let configuration = reading.configuration else { return findings }
        let catalogue = BackupCatalogue(configuration, directories: directories)
        findings.problems += catalogue.warnings
        check(Array(catalogue.backups.values), &findings)
        return findings
    }

    /// Checks each file as if it were the configuration, and the scripts that it names.
    public func files(_ paths: [String]) -> Findings {
        var findings = Findings()
        for path in paths {
            let reading = ConfigurationLoader.load(file: path, directories, calendar: calendar)
            findings.problems += reading.problems
            if let configuration = reading.configuration { check(Array(configuration.backups.values), &findings) }
        }
        return findings
    }

    // MARK: Scripts and machine

    private func check(_ backups: [BackupConfiguration], _ findings: inout Findings) {
        findings.backups += backups.count
        let backups = backups.sorted { $0.name < $1.name }
        var hidden: [BackupConfiguration] = []
        for backup in backups {
            if Self.isHidden(backup.script) {
                hidden.append(backup)
            } else if let problem = scriptProblem(of: backup) {
                findings.problems.append(problem)
            }
        }
        if let first = hidden.first {
            let others = hidden.count - 1
            let also = others == 0 ? "" : " and \(others) other script\(others == 1 ? "" : "s")"
            findings.problems.append(
                problem(
                    .warning, first, "\(first.script)\(also) cannot be checked without more rights",
                    suggestion: "check as root: sudo lightsout check"))
        }
        if let first = backups.first(where: { $0.settings.wake && !$0.settings.schedule.isEmpty }), !Self.hasAlarm {
            findings.problems.append(
                problem(
                    .warning, first, "the machine cannot be woken for \(first.name): it has no real-time clock with an alarm",
                    suggestion: "the backup runs late, when the machine is awake again; or leave out wake: true"))
        }
    }

    /// Whether a script may be as it should, for all that we are permitted to see of it.
    private static func isHidden(_ script: String) -> Bool {
        geteuid() != 0 && access(script, R_OK) != 0 && errno == EACCES
    }

    private func scriptProblem(of backup: BackupConfiguration) -> ConfigurationProblem? {
        let user: User
        do throws(SystemError) {
            user = if let name = backup.settings.user { try User(named: name) } else { try User(uid: geteuid()) }
        } catch {
            return problem(
                .error, backup, "there is no user \((backup.settings.user ?? "").quotedForPeople) for \(backup.name)",
                suggestion: "make the account, or name another one with \"user\"")
        }
        do throws(ScriptRefusal) {
            try ScriptCheck(user: user).check(backup.script)
            return nil
        } catch {
            let suggestion =
                switch error.remedy {
                case .command(let command): "mend it with: \(command)"
                case .advice(let advice): advice
                }
            return problem(
                .error, backup, "\(backup.name) would not run: \(error.component) \(error.problem)", suggestion: suggestion)
        }
    }

    /// A problem at the place where the backup is named, or with its script where only that makes it one.
    private func problem(
        _ severity: ConfigurationProblem.Severity, _ backup: BackupConfiguration, _ message: String, suggestion: String
    ) -> ConfigurationProblem {
        ConfigurationProblem(
            severity, file: backup.place?.file ?? backup.script, position: backup.place?.position, message,
            suggestion: suggestion, scope: .backup(backup.name))
    }

    /// Whether any clock of the machine can wake it (/sys/class/rtc of the kernel's documentation).
    private static var hasAlarm: Bool {
        DirectoryEntries.names(in: "/sys/class/rtc").contains { access("/sys/class/rtc/\($0)/wakealarm", F_OK) == 0 }
    }
}
