/// What the configuration files come to.
public struct ConfigurationReading: Sendable {
    /// The whole configuration; nil where anything in it is wrong: half a configuration is never used by a daemon.
    public var configuration: Configuration? { hasErrors ? nil : sound }
    /// Every problem, in the files' order and in the order of lines.
    public let problems: [ConfigurationProblem]
    /// What could be read of the configuration: the backups in which nothing is wrong.
    let sound: Configuration
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
        var reader = ConfigurationReader(directories: directories, calendar: calendar)
        if let main = files.main { reader.read(main, as: .main) }
        for file in files.dropIns { reader.read(file, as: .dropIn) }
        return ConfigurationReading(problems: known + reader.problems, sound: reader.configuration, files: files)
    }

    private init(directories: Directories, calendar: CalendarContext?) {
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
        var defaults = configuration.defaults
        if let node = sections["defaults"] { BackupKeys.table.read(node, into: &defaults, &reading) }

        switch role {
        case .main:
            configuration.global = global
            configuration.defaults = defaults
        case .dropIn:
            for (name, position) in GlobalKeys.table.keys(in: said) {
                reading.error(
                    "\(name.quotedForPeople) is said in lightsout.yaml only", at: position,
                    suggestion: "move it there: it holds for the whole machine")
            }
        }
        if let node = sections["backups"] { readBackups(node, defaults: defaults, &reading) }
    }

    private static let sectionNames = ["defaults", "backups"]

    private mutating func readBackups(_ node: YAMLNode, defaults: BackupSettings, _ reading: inout FileReading) {
        for (text, position, value) in reading.entries(of: node, in: "\"backups\"") {
            let errorsBefore = reading.errorCount
            guard let name = try? BackupName(text) else {
                reading.scope = .namelessBackup
                reading.error("\(InvalidBackupName(text: text))", at: position)
                readBackup(value, from: defaults, &reading)
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
            let settings = readBackup(value, from: defaults, &reading)
            guard reading.errorCount == errorsBefore else { continue }
            configuration.backups[name] = BackupConfiguration(
                name: name, settings: settings, directories: directories, place: reading.place(position))
        }
        reading.scope = .everything
    }

    @discardableResult
    private func readBackup(
        _ node: YAMLNode, from defaults: BackupSettings, _ reading: inout FileReading
    ) -> BackupSettings {
        var settings = defaults
        guard !node.isAbsent else { return settings }
        let said = BackupKeys.table.read(node, into: &settings, &reading)
        SettingsCheck(settings: settings, said: said, calendar: calendar).warn(&reading)
        return settings
    }
}
