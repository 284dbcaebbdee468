/// One file of the configuration: its path, as messages name it, and its bytes.
public struct ConfigurationFile: Sendable {
    public let path: String
    public let bytes: [UInt8]

    public init(path: String, bytes: [UInt8]) {
        self.path = path
        self.bytes = bytes
    }

    /// `lightsout.yaml` says what holds for the machine; the files of `backups.d` name backups.
    enum Role {
        case main, dropIn
    }
}

/// What is found wrong while one file is read. Excerpts are added at the end, when there is something to show.
struct FileReading {
    /// More problems than these are counted, and not told one by one.
    static let problemLimit = 1000

    let path: String
    /// Whom the problems concern that are found now.
    var scope = ConfigurationProblem.Scope.everything
    private(set) var errorCount = 0
    private var problems: [ConfigurationProblem] = []
    private var untold = 0

    init(_ path: String) { self.path = path }

    /// Message and suggestion are made only where they are told: looking for what was meant takes time.
    mutating func error(
        _ message: @autoclosure () -> String, at position: SourcePosition, suggestion: @autoclosure () -> String? = nil
    ) {
        errorCount += 1
        report(.error, message, at: position, suggestion: suggestion)
    }

    mutating func warning(
        _ message: @autoclosure () -> String, at position: SourcePosition, suggestion: @autoclosure () -> String? = nil
    ) {
        report(.warning, message, at: position, suggestion: suggestion)
    }

    private mutating func report(
        _ severity: ConfigurationProblem.Severity, _ message: () -> String, at position: SourcePosition,
        suggestion: () -> String?
    ) {
        guard problems.count < Self.problemLimit else {
            untold += 1
            return
        }
        problems.append(
            ConfigurationProblem(
                severity, file: path, position: position, message(), suggestion: suggestion(), scope: scope))
    }

    /// The problems in the order of their places, each with the line that it is in.
    func problems(in text: ArraySlice<UInt8>) -> [ConfigurationProblem] {
        guard !problems.isEmpty else { return [] }
        let lines = LineIndex(text)
        var shown = problems.sorted { left, right in
            guard let place = left.position, let other = right.position, place != other else {
                return left.severity < right.severity
            }
            return place < other
        }
        for index in shown.indices {
            guard let position = shown[index].position.map(lines.nearest), let excerpt = lines.excerpt(at: position)
            else { continue }
            shown[index].position = position
            shown[index].excerpt = excerpt
        }
        if untold > 0 {
            shown.append(
                ConfigurationProblem(
                    errorCount > 0 ? .error : .warning, file: path, "\(untold) more problems",
                    suggestion: "mend the first ones, and check again"))
        }
        return shown
    }

    func place(_ position: SourcePosition) -> SourcePlace { SourcePlace(file: path, position: position) }

    /// The entries of a mapping, with the text of their keys. What is no mapping, and keys that are no text, are reported.
    mutating func entries(of node: YAMLNode, in owner: String) -> [(key: String, at: SourcePosition, value: YAMLNode)] {
        guard case .mapping(let entries) = node.content else {
            if !node.isAbsent {
                error(
                    "\(owner) is a mapping, not \(node.kindForPeople)", at: node.position,
                    suggestion: "write \"key: value\" lines below it, indented by two spaces more")
            }
            return []
        }
        var texts: [(key: String, at: SourcePosition, value: YAMLNode)] = []
        texts.reserveCapacity(entries.count)
        for entry in entries {
            switch entry.key.content {
            case .scalar(let key, .plain) where key.hasSameBytes(as: "<<"):
                error(
                    "merge keys (\"<<\") are not read", at: entry.key.position,
                    suggestion: "put what is common to backups under \"defaults\"")
            case .scalar(let key, _):
                texts.append((key, entry.key.position, entry.value))
            case .sequence, .mapping:
                error("a key is a text, not \(entry.key.kindForPeople)", at: entry.key.position)
            }
        }
        return texts
    }
}
