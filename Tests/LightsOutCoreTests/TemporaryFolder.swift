import Foundation
import Glibc

/// A folder that is gone with the test.
final class TemporaryFolder: Sendable {
    let path: String

    struct Failure: Error { let errno: Int32 }

    init() throws {
        var template = Array("/tmp/lightsout-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(errno: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func makeFolder(_ name: String) throws {
        guard mkdir(path + "/" + name, 0o755) == 0 || errno == EEXIST else { throw Failure(errno: errno) }
    }

    /// Writes a file, and makes the folder that it is in.
    func write(_ name: String, _ text: String, mode: mode_t = 0o644) throws {
        if let slash = name.lastIndex(of: "/") { try makeFolder(String(name[..<slash])) }
        guard let file = fopen(path + "/" + name, "w") else { throw Failure(errno: errno) }
        defer { fclose(file) }
        fputs(text, file)
        // The mask of the process that runs the tests has no say.
        fchmod(fileno(file), mode)
    }
}
