import Glibc
import Synchronization

/// The time zones that are installed on the machine, read by name and kept.
///
/// A name becomes a path below the database's directory and nothing else: it holds letters, digits, `_`, `+`, `-` and
/// single slashes between them, as systemd requires too, and hence no `..`.
public final class ZoneDatabase: Sendable {
    /// The database of the system, in `/usr/share/zoneinfo`. The environment does not move it.
    public static let system = ZoneDatabase(directory: "/usr/share/zoneinfo")

    public let directory: String

    private struct Kept {
        var zones: [String: Result<ZoneRules, ZoneError>] = [:]
        var names: [String]?
    }

    /// The one lock of this module: calendar expressions are plain values that any thread may read from text, and a
    /// file is read once for all of them. It is never held while another is waited for.
    private let kept = Mutex(Kept())

    public init(directory: String) { self.directory = directory }

    /// The rules of the zone `name`, such as `Europe/Berlin`. `UTC` needs no file.
    /// - Throws: ``ZoneError``; its text is fit for people.
    public func zone(named name: String) throws(ZoneError) -> ZoneRules {
        if name == "UTC" { return .utc }
        guard Self.isValidName(name) else { throw .invalidName(name) }
        if let known = kept.withLock({ $0.zones[name] }) { return try known.get() }
        let result: Result<ZoneRules, ZoneError>
        do throws(ZoneError) {
            result = .success(try Self.read(path: directory + "/" + name, name: name))
        } catch {
            result = .failure(error)
        }
        kept.withLock { kept in
            // Only what exists is kept: text from outside must not make this grow.
            if case .failure(.unknown) = result { return }
            kept.zones[name] = result
        }
        return try result.get()
    }

    /// Forgets all zones, so that they are read anew: they may have been updated.
    public func reload() { kept.withLock { $0 = Kept() } }

    /// The name of a zone that is spelt nearly like `name`.
    ///
    /// An abbreviation is but a letter away from those of other parts of the world (`EDT` from `EET`): where `name` looks
    /// like one, it is another zone's name only by the case of its letters.
    public func suggestion(for name: String) -> String? {
        let names = kept.withLock { kept in
            if let names = kept.names { return names }
            let names = Self.names(in: directory)
            kept.names = names
            return names
        }
        guard let near = Spelling.closest(to: name, among: names) else { return nil }
        return Self.looksLikeAbbreviation(name) && near.lowercased() != name.lowercased() ? nil : near
    }

    /// Whether `name` is written like `CEST`: a few letters, all large or all small.
    static func looksLikeAbbreviation(_ name: String) -> Bool {
        name.utf8.count <= 5 && name.utf8.allSatisfy(\.isLetter) && (name == name.uppercased() || name == name.lowercased())
    }

    /// Whether `name` has the form of a zone's name. Such a zone need not exist.
    static func isValidName(_ name: some StringProtocol) -> Bool {
        guard !name.isEmpty, name.utf8.count <= 255 else { return false }
        var previous = UInt8(ascii: "/")
        for byte in name.utf8 {
            guard byte.isLetter || byte.isDigit || byte.isSign || byte == UInt8(ascii: "_")
                || (byte == UInt8(ascii: "/") && previous != byte)
            else { return false }
            previous = byte
        }
        return previous != UInt8(ascii: "/")
    }

    /// Reads the rules in the TZif file at `path`, whatever its place.
    static func read(path: String, name: String) throws(ZoneError) -> ZoneRules {
        let bytes: [UInt8]
        switch fileContents(path: path) {
        case .success(let contents): bytes = contents
        case .failure(.system(ENOENT)), .failure(.system(ENOTDIR)), .failure(.notAFile): throw .unknown(name)
        case .failure(.system(let code)): throw .unreadable(path: path, errno: code)
        case .failure(.tooLong): throw .damaged(path: path, what: "is larger than any zone is")
        }
        // The directory holds tables beside the zones; to ask for one is to ask for a zone that does not exist.
        guard bytes.starts(with: "TZif".utf8) else { throw .unknown(name) }
        do throws(TimeZoneFile.Damage) {
            let file = try TimeZoneFile(bytes)
            return ZoneRules(name: name, changes: file.changes, initial: file.initial, tail: file.tail)
        } catch {
            throw .damaged(path: path, what: error.what)
        }
    }

    private enum ReadFailure: Error {
        case system(Int32)
        case notAFile
        case tooLong
    }

    /// Zones take a few KiB; the cap keeps a strange file from filling the memory.
    private static let maximumLength = 1 << 20

    private static func fileContents(path: String) -> Result<[UInt8], ReadFailure> {
        // Not blocking: the path may turn out to be a FIFO.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { return .failure(.system(errno)) }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { return .failure(.system(errno)) }
        guard status.st_mode & S_IFMT == S_IFREG else { return .failure(.notAFile) }
        guard status.st_size <= maximumLength else { return .failure(.tooLong) }

        var contents: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count < 0 {
                if errno == EINTR { continue }
                return .failure(.system(errno))
            }
            if count == 0 { return .success(contents) }
            contents += chunk[..<count]
            guard contents.count <= maximumLength else { return .failure(.tooLong) }
        }
    }

    /// The names below `directory`, for suggestions. `posix/` and `right/` repeat all others and are left out.
    private static func names(in directory: String, prefix: String = "", depth: Int = 0) -> [String] {
        guard depth < 3, let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard isValidName(name), name != "posix", name != "right" else { continue }
            if entry.pointee.d_type == UInt8(DT_DIR) {
                names += self.names(in: directory + "/" + name, prefix: prefix + name + "/", depth: depth + 1)
            } else {
                names.append(prefix + name)
            }
        }
        return names
    }
}

/// A time zone that cannot be had.
public enum ZoneError: Error, Hashable, Sendable, CustomStringConvertible {
    case invalidName(String)
    case unknown(String)
    case unreadable(path: String, errno: Int32)
    case damaged(path: String, what: String)

    public var description: String {
        switch self {
        case .invalidName(let name):
            "\(name.quotedForPeople) is no name of a time zone; one is like \"Europe/Berlin\" or \"UTC\""
        case .unknown(let name):
            """
            there is no time zone \(name.quotedForPeople) on this machine; "timedatectl list-timezones" shows which there are
            """
        case .unreadable(let path, let code):
            "the time zone file \(path.quotedForPeople) cannot be read: \(String(cString: strerror(code)))"
        case .damaged(let path, let what):
            "the time zone file \(path.quotedForPeople) \(what)"
        }
    }
}
