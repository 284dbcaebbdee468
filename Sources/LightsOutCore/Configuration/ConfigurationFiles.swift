/// All files of one configuration, as they were at one time.
public struct ConfigurationFiles: Sendable {
    /// `lightsout.yaml`; nil where there is none.
    public let main: ConfigurationFile?
    /// The files of `backups.d`, in their order.
    public let dropIns: [ConfigurationFile]

    public init(main: ConfigurationFile?, dropIns: [ConfigurationFile] = []) {
        self.main = main
        self.dropIns = dropIns
    }
}

// MARK: - In one file

extension ConfigurationFiles {
    private static let header = "lightsout configuration 1"

    /// All files in one: how many there are, then for each a line that counts the bytes of its path and content, and
    /// these. One file is replaced by a new one in one step, and a reader sees no mixture of two configurations.
    public var bundle: [UInt8] {
        let files = (main.map { [("main", $0)] } ?? []) + dropIns.map { ("drop-in", $0) }
        var bytes = Array("\(Self.header)\n\(files.count)\n".utf8)
        for (role, file) in files {
            bytes += "\(role) \(file.path.utf8.count) \(file.bytes.count)\n".utf8
            bytes += file.path.utf8
            bytes += file.bytes
        }
        return bytes
    }

    /// Reads what ``bundle`` wrote; nil for anything else.
    public init?(bundle: [UInt8]) {
        var rest = bundle[...]
        func line() -> Substring? {
            guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
            defer { rest = rest[(end + 1)...] }
            return String(validating: rest[..<end], as: UTF8.self)?[...]
        }
        guard line() == Self.header[...], let count = line().flatMap({ Int($0) }) else { return nil }
        var main: ConfigurationFile?
        var dropIns: [ConfigurationFile] = []
        while !rest.isEmpty {
            guard let words = line()?.split(separator: " "), words.count == 3, let pathLength = Int(words[1]),
                let length = Int(words[2]), pathLength >= 0, length >= 0, pathLength <= rest.count,
                length <= rest.count - pathLength,
                let path = String(validating: rest.prefix(pathLength), as: UTF8.self)
            else { return nil }
            let file = ConfigurationFile(path: path, bytes: Array(rest.dropFirst(pathLength).prefix(length)))
            rest = rest.dropFirst(pathLength + length)
            switch words[0] {
            case "main" where main == nil && dropIns.isEmpty: main = file
            case "drop-in": dropIns.append(file)
            default: return nil
            }
        }
        guard (main == nil ? 0 : 1) + dropIns.count == count else { return nil }
        self.init(main: main, dropIns: dropIns)
    }
}
