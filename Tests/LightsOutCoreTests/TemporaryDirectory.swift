import Foundation
import Glibc

/// A directory that is gone with its owner, with all that is in it.
final class TemporaryDirectory: Sendable {
    let path: String

    struct Failure: Error {
        let errno: Int32
    }

    init() throws {
        var template = Array("/tmp/lightsout-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(errno: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func makeDirectory(_ name: String) throws {
        guard mkdir(path + "/" + name, 0o755) == 0 || errno == EEXIST else { throw Failure(errno: errno) }
    }

    /// Writes a file, and makes the directory that it is in.
    func write(_ text: String, to name: String, mode: mode_t = 0o644) throws {
        if let slash = name.lastIndex(of: "/") { try makeDirectory(String(name[..<slash])) }
        guard let file = fopen(path + "/" + name, "w") else { throw Failure(errno: errno) }
        defer { fclose(file) }
        fputs(text, file)
        // The mask of the process that runs the tests has no say.
        fchmod(fileno(file), mode)
    }
}
