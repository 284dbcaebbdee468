/// What journald.conf(5) and its drop-ins say of `[Journal]`: for each key the value that counts, and where it is.
public struct JournaldSettings: Hashable, Sendable {
    /// One assignment.
    public struct Setting: Hashable, Sendable {
        public let value: String
        public let file: String
        /// Counted from 1.
        public let line: Int
    }

    /// A file of the configuration, as it was read.
    public struct File: Hashable, Sendable {
        public let path: String
        public let text: String

        public init(path: String, text: String) {
            self.path = path
            self.text = text
        }
    }

    /// The main file, which is the place of a value that nobody has set.
    public static let mainFile = "/etc/systemd/journald.conf"

    private var settings: [String: Setting] = [:]

    /// - Parameter files: in the order in which they count: the main file, then the drop-ins by name. A later value
    ///   replaces an earlier one, and an empty one brings back the default.
    public init(_ files: [File]) {
        for file in files { read(file) }
    }

    /// The value of `key`; nil for the default.
    public subscript(key: String) -> Setting? { settings[key] }

    private mutating func read(_ file: File) {
        var isJournal = false
        var pending = ""
        for (index, rawLine) in file.text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            let line = Self.trim(Substring(rawLine))
            // A comment between the parts of a continued line does not end it (systemd.syntax(7)).
            if line.utf8.first == UInt8(ascii: "#") || line.utf8.first == UInt8(ascii: ";") { continue }
            if line.utf8.last == UInt8(ascii: "\\") {
                pending += line.dropLast() + " "
                continue
            }
            let whole = Self.trim(Substring(pending + line))
            pending = ""
            if whole.utf8.first == UInt8(ascii: "[") {
                isJournal = whole.utf8.elementsEqual("[Journal]".utf8)
            } else if isJournal, let sign = whole.utf8.firstIndex(of: UInt8(ascii: "=")) {
                let key = String(Self.trim(whole[..<sign]))
                let value = String(Self.trim(whole[whole.utf8.index(after: sign)...]))
                settings[key] = value.isEmpty ? nil : Setting(value: value, file: file.path, line: index + 1)
            }
        }
    }

    private static func trim(_ text: Substring) -> Substring {
        func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r") }
        let bytes = text.utf8
        guard let first = bytes.firstIndex(where: { !isSpace($0) }), let last = bytes.lastIndex(where: { !isSpace($0) }) else {
            return ""
        }
        return text[first...last]
    }
}

extension JournaldSettings {
    /// A size as journald.conf(5) has it: bytes, with one of the suffixes K, M, G, T, P, E to the base of 1024.
    /// - Returns: nil for what is no size.
    static func bytes(_ text: String) -> UInt64? {
        let digits = text.utf8.prefix { $0.isDigit }
        guard let number = UInt64(String(Substring(digits))) else { return nil }
        let suffix = text.utf8.dropFirst(digits.count).filter { $0 != UInt8(ascii: " ") }
        let power: Int
        switch suffix.first {
        case nil: power = 0
        case let letter?:
            guard suffix.count == 1 || suffix.count == 2 && suffix.last == UInt8(ascii: "B"),
                let place = Array("BKMGTPE".utf8).firstIndex(of: letter)
            else { return nil }
            power = place
        }
        let (product, overflow) = number.multipliedReportingOverflow(by: 1 << (UInt64(power) * 10))
        return overflow ? .max : product
    }

    /// A syslog level by its name or number, 0 for emerg to 7 for debug.
    /// - Returns: nil for what is no level.
    static func level(_ text: String) -> Int? {
        let names = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]
        return names.firstIndex(of: text) ?? Int(text).flatMap { (0...7).contains($0) ? $0 : nil }
    }
}
