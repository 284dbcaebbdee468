/// What the configuration files come to.
public struct ConfigurationReading: Sendable {
    /// The whole configuration; nil where anything in it is wrong: half a configuration is never used by a daemon.
    public var configuration: Configuration? { hasErrors ? nil : sound }
    /// Every problem, in the files' order and in the order of lines.
    public let problems: [ConfigurationProblem]
    /// What could be read of the configuration: the backups in which nothing is wrong, for who looks for what else is. One
    /// that goes by faulty defaults is among them where it says itself who its user is.
    public let sound: Configuration
    /// Whether the defaults that hold for all could be read.
    public let hasSoundDefaults: Bool
    /// The files' own bytes, for who goes by them after they have changed.
    public let files: ConfigurationFiles

    /// What a daemon can go by that has no older configuration to keep: the backups in which nothing is wrong, and none
    /// where a mistake may concern them all.
    public var usable: Configuration {
        problems.contains { $0.severity == .error && $0.scope == .everything } ? Configuration() : sound
    }

    public var hasErrors: Bool { problems.contains { $0.severity == .error } }

    /// What the files come to for one backup.
    public enum Lookup: Sendable {
        /// The files name it, and all that is said of it is right.
        case named(BackupConfiguration)
        /// No file names it; if its script is where the convention wants it, these settings hold.
        case unnamed(BackupSettings)
        /// These errors stand in the way.
        case refused([ConfigurationProblem])
    }

    /// One backup's configuration, for its runner. A mistake in what is said of another backup does not stop this one; one
    /// that may concern it, such as a file that cannot be read, does.
    public func lookUp(_ name: BackupName) -> Lookup {
        let own = problems.filter {
            $0.severity == .error && ($0.scope == .everything || $0.scope == .backup(name))
        }
        guard own.isEmpty else { return .refused(own) }
        return sound.backups[name].map(Lookup.named) ?? .unnamed(sound.defaults)
    }
}

/// Reads the configuration: a pure function of the files' bytes.
public struct ConfigurationReader {
    private let directories: Directories
    private let calendar: CalendarContext?
    private var configuration = Configuration()
    private var problems: [ConfigurationProblem] = []
    /// Where each backup was named first, the faulty ones too.
    private var places: [BackupName: SourcePlace] = [:]
    /// Whether nothing is wrong with what `lightsout.yaml` says under `defaults`.
    private var hasSoundDefaults: Bool

    /// Reads `lightsout.yaml` (nil where there is none) and then the files of `backups.d` in their order.
    /// - Parameters:
    ///   - directories: where scripts are by the convention.
    ///   - calendar: by which schedules are judged, for warnings of those that never elapse; nil spares the effort.
    ///   - known: problems with files that could not be opened, which come first.
    public static func read(
        main: ConfigurationFile?, dropIns: [ConfigurationFile] = [], directories: Directories = Directories(),
        calendar: CalendarContext? = nil, known: [ConfigurationProblem] = []
    ) -> ConfigurationReading {
        read(
            ConfigurationFiles(main: main, dropIns: dropIns), directories: directories, calendar: calendar, known: known)
    }

    /// The same, of files that belong together.
    public static func read(
        _ files: ConfigurationFiles, directories: Directories, calendar: CalendarContext? = nil,
        known: [ConfigurationProblem] = []
    ) -> ConfigurationReading {
        var reader = ConfigurationReader(
            directories: directories, calendar: calendar,
            hasSoundDefaults: files.main != nil || !known.contains { $0.severity == .error })
        if let main = files.main { reader.read(main, as: .main) }
        for file in files.dropIns { reader.read(file, as: .dropIn) }
        return ConfigurationReading(
            problems: known + reader.problems, sound: reader.configuration, hasSoundDefaults: reader.hasSoundDefaults,
            files: files)
    }

    private init(directories: Directories, calendar: CalendarContext?, hasSoundDefaults: Bool) {
        self.hasSoundDefaults = hasSoundDefaults
        self.directories = directories
        self.calendar = calendar
    }

    private mutating func read(_ file: ConfigurationFile, as role: ConfigurationFile.Role) {
        configuration.files.append(file.path)
        var reading = FileReading(file.path)
        do throws(YAMLSyntaxError) {
            if let root = try YAMLComposer.compose(SourceText(checking: file.bytes)), !root.isAbsent {
                readSections(of: root, as: role, &reading)
            }
        } catch {
            reading.error(error.message, at: error.position, suggestion: error.suggestion)
            if role == .main { hasSoundDefaults = false }
        }
        problems += reading.problems(in: SourceText.withoutByteOrderMark(file.bytes))
    }

    private mutating func readSections(
        of root: YAMLNode, as role: ConfigurationFile.Role, _ reading: inout FileReading
    ) {
        var global = GlobalSettings()
        var sections: [String: YAMLNode] = [:]
        let said = GlobalKeys.table.read(root, into: &global, &reading, alsoKnown: Self.sectionNames) { name, value, _ in
            sections[name] = value
        }
        // What a file of backups.d says under "defaults" holds for its own backups; the main file's holds for all.
        var defaults = Defaults(settings: configuration.defaults, areSound: hasSoundDefaults)
        if let node = sections["defaults"] { readDefaults(node, into: &defaults, &reading) }

        switch role {
        case .main:
            hasSoundDefaults = defaults.areSound
            configuration.global = global
            configuration.defaults = defaults.settings
        case .dropIn:
            for (name, position) in GlobalKeys.table.keys(in: said) {
                reading.error(
                    "\(name.quotedForPeople) is said in lightsout.yaml only", at: position,
                    suggestion: "move it there: it holds for the whole machine")
            }
        }
        if let node = sections["backups"] { readBackups(node, defaults: &defaults, &reading) }
    }

    /// What holds for the backups of a file that do not say otherwise.
    private struct Defaults {
        var settings: BackupSettings
        /// Whether nothing is wrong with them.
        var areSound: Bool
        private var gap: TimeSpan??

        init(settings: BackupSettings, areSound: Bool) {
            self.settings = settings
            self.areSound = areSound
        }

        /// The longest gap of their schedule. Every backup may have it from them, so it is looked for once.
        mutating func longestGap(_ calendar: CalendarContext) -> TimeSpan? {
            if let gap { return gap }
            let found = calendar.longestGap(of: settings.schedule)
            gap = .some(found)
            return found
        }
    }

    private func readDefaults(_ node: YAMLNode, into defaults: inout Defaults, _ reading: inout FileReading) {
        let errorsBefore = reading.errorCount
        let said = BackupKeys.table.read(node, into: &defaults.settings, &reading)
        if reading.errorCount > errorsBefore { defaults.areSound = false }
        SettingsCheck(settings: defaults.settings, said: said, calendar: calendar).warnOfLastElapses(&reading)
    }

    private static let sectionNames = ["defaults", "backups"]

    private mutating func readBackups(_ node: YAMLNode, defaults: inout Defaults, _ reading: inout FileReading) {
        for (text, position, value) in reading.entries(of: node, in: "\"backups\"") {
            let errorsBefore = reading.errorCount
            guard let name = try? BackupName(text) else {
                reading.scope = .namelessBackup
                reading.error("\(InvalidBackupName(text: text))", at: position)
                readBackup(value, from: &defaults, &reading)
                continue
            }
            reading.scope = .backup(name)
            if let first = places[name] {
                reading.error(
                    "the backup \(text.quotedForPeople) is named twice, first at \(first)", at: position,
                    suggestion: "give one of the two another name, or remove it")
            } else {
                places[name] = reading.place(position)
            }
            let settings = readBackup(value, from: &defaults, &reading)
            // Whose rights a script has is in doubt where that may be in the faulty part.
            guard reading.errorCount == errorsBefore, defaults.areSound || settings.user != nil else { continue }
            configuration.backups[name] = BackupConfiguration(
                name: name, settings: settings, directories: directories, place: reading.place(position))
        }
        reading.scope = .everything
    }

    @discardableResult
    private func readBackup(
        _ node: YAMLNode, from defaults: inout Defaults, _ reading: inout FileReading
    ) -> BackupSettings {
        var settings = defaults.settings
        guard !node.isAbsent else { return settings }
        let errorsBefore = reading.errorCount
        let said = BackupKeys.table.read(node, into: &settings, &reading)
        let check = SettingsCheck(settings: settings, said: said, calendar: calendar)
        check.warnOfLastElapses(&reading)
        // What goes with what is not known while some of it could not be read.
        if defaults.areSound, reading.errorCount == errorsBefore {
            check.warnOfKeys(&reading) { defaults.longestGap($0) }
        }
        return settings
    }
}
