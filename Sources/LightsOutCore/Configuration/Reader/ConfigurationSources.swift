/// Where the configuration's files say what: for who finds something wrong with a value after it has been read, such as a
/// user that does not exist. Built when there is something to say, so that ten thousand backups need not carry it along.
public struct ConfigurationSources {
    private struct Source {
        let lines: LineIndex
        /// Where each key of the defaults has its value.
        let defaults: [String: SourcePosition]
    }

    private var sources: [String: Source] = [:]
    private var backups: [BackupName: (file: String, keys: YAMLNode)] = [:]
    private let main: String?

    /// Files that are no YAML say nothing here; their reading has told what is wrong with them.
    public init(_ files: ConfigurationFiles) {
        main = files.main?.path
        for file in [files.main].compactMap({ $0 }) + files.dropIns { read(file) }
    }

    private mutating func read(_ file: ConfigurationFile) {
        let root = (try? SourceText(checking: file.bytes)).flatMap { try? YAMLComposer.compose($0) }
        sources[file.path] = Source(
            lines: LineIndex(SourceText.withoutByteOrderMark(file.bytes)), defaults: root?["defaults"]?.valuePositions ?? [:])
        guard case .mapping(let entries) = root?["backups"]?.content else { return }
        for entry in entries {
            guard case .scalar(let text, _) = entry.key.content, let name = try? BackupName(text) else { continue }
            if backups[name] == nil { backups[name] = (file.path, entry.value) }
        }
    }

    /// Where the value of `key` is said that the backup goes by: under its name, or else in the defaults that hold for it.
    public func place(of key: String, for backup: BackupName) -> SourcePlace? {
        let own = backups[backup]
        if let own, let node = own.keys[key] { return SourcePlace(file: own.file, position: node.position) }
        for file in [own?.file, main].compactMap({ $0 }) {
            if let position = sources[file]?.defaults[key] { return SourcePlace(file: file, position: position) }
        }
        return nil
    }

    /// The line of a place.
    public func excerpt(at place: SourcePlace) -> SourceExcerpt? {
        sources[place.file]?.lines.excerpt(at: place.position)
    }
}

extension YAMLNode {
    /// The value of `key`, where this is a mapping that has it.
    fileprivate subscript(key: String) -> YAMLNode? {
        guard case .mapping(let entries) = content else { return nil }
        return entries.first { entry in
            if case .scalar(let text, _) = entry.key.content { text.hasSameBytes(as: key) } else { false }
        }?.value
    }

    /// Where a mapping has the value of each of its keys, of equal ones the first; nothing for what is no mapping. All
    /// backups may ask for the same, so it is laid out once.
    fileprivate var valuePositions: [String: SourcePosition] {
        guard case .mapping(let entries) = content else { return [:] }
        var positions: [String: SourcePosition] = [:]
        for entry in entries {
            // Longer than any key there is.
            guard case .scalar(let key, _) = entry.key.content, key.utf8.count <= 64, positions[key] == nil else { continue }
            positions[key] = entry.value.position
        }
        return positions
    }
}
