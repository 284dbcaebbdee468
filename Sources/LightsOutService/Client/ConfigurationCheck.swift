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
        let catalogue = BackupCatalogue(reading.sound, directories: directories)
        var findings = Findings(problems: reading.problems + catalogue.warnings)
        check(catalogue.backups, of: reading, &findings)
        if directories.areInstalled { findings.problems += JournalCheck.problems() }
        return findings
    }

    /// Checks each file as if it were the configuration, and the scripts that it names.
    public func files(_ paths: [String]) -> Findings {
        var findings = Findings()
        for path in paths {
            let reading = ConfigurationLoader.load(file: path, directories, calendar: calendar)
            findings.problems += reading.problems
            check(reading.sound.backups, of: reading, &findings)
        }
        return findings
    }

    // MARK: Scripts and machine

    private func check(
        _ backups: [BackupName: BackupConfiguration], of reading: ConfigurationReading, _ findings: inout Findings
    ) {
        let faulty = Set(
            reading.problems.compactMap { problem -> BackupName? in
                if problem.severity == .error, case .backup(let name) = problem.scope { name } else { nil }
            })
        findings.backups += faulty.union(backups.keys).count
        // Of a faulty backup, and of one whose defaults are, it is not known what would run and as whom.
        let known = backups.values.filter { backup in
            !faulty.contains(backup.name) && (reading.hasSoundDefaults || backup.place != nil)
        }.sorted { $0.name < $1.name }
        findings.problems += ScriptFindings(known, as: runner, files: reading.files).problems
        if let left = Self.leftAwake(known) { findings.problems.append(left) }
        if let first = known.first(where: { $0.settings.wake && !$0.settings.schedule.isEmpty }), let obstacle = Self.wakeObstacle {
            findings.problems.append(
                ConfigurationProblem(
                    .warning, file: first.place?.file ?? first.script, position: first.place?.position,
                    "the machine cannot be woken for \(first.name): \(obstacle)",
                    suggestion: "the backup runs late, when the machine is awake again; or leave out wake: true",
                    scope: .backup(first.name)))
        }
    }

    /// A machine that is woken and has nothing to send it back to sleep stays on until somebody comes.
    private static func leftAwake(_ backups: [BackupConfiguration]) -> ConfigurationProblem? {
        let left = backups.filter { $0.settings.wake && !$0.settings.schedule.isEmpty && $0.settings.after == .nothing }
        guard let first = left.first else { return nil }
        let others = left.count == 1 ? "" : ", and so do \(left.count - 1) more"
        return ConfigurationProblem(
            .warning, file: first.place?.file ?? first.script, position: first.place?.position,
            "\(first.name) wakes the machine and leaves it on (wake with after: nothing)\(others)",
            suggestion: "after: return sends it back to sleep when nobody uses it; after: suspend, hibernate or poweroff do so however it came to be awake",
            scope: .backup(first.name))
    }

    /// Whose rights a script has where the configuration does not say: root's, but for a trial in directories of one's own.
    private var runner: uid_t { directories.areInstalled ? 0 : geteuid() }

    /// Why no clock of the machine can wake it; nil where one can.
    private static var wakeObstacle: String? {
        do throws(HardwareClock.Obstacle) {
            _ = try HardwareClock.choose(from: HardwareClock.all())
            return nil
        } catch { return "\(error)" }
    }
}
