import Glibc
import Systemd

/// A directory that nobody else can change, as the check of scripts wants it all the way up (so not in /tmp), with what
/// a test puts into it; gone with its owner.
final class TrustedDirectory {
    let path: String

    /// Whether there can be one: the tests give files to other accounts.
    nonisolated static let isAvailable = geteuid() == 0

    init() throws(SystemError) {
        var template = Array("/run/lightsout-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError(code: errno, operation: "make a directory in /run") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        chmod(path, 0o755)
    }

    isolated deinit { Self.remove(path) }

    private static func remove(_ path: String) {
        for name in DirectoryEntries.names(in: path) {
            if unlink("\(path)/\(name)") < 0 { remove("\(path)/\(name)") }
        }
        rmdir(path)
    }

    /// Makes a file; its path is the result.
    @discardableResult
    func file(_ name: String, _ text: String = "#!/bin/sh\n", mode: mode_t = 0o700) throws(SystemError) -> String {
        let place = "\(path)/\(name)"
        let file = try Descriptor.open(place, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        try file.writeAll(text.utf8)
        chmod(place, mode)
        return place
    }

    @discardableResult
    func directory(_ name: String, mode: mode_t = 0o755) -> String {
        let place = "\(path)/\(name)"
        mkdir(place, 0o700)
        chmod(place, mode)
        return place
    }

    func link(_ name: String, to target: String) -> String {
        let place = "\(path)/\(name)"
        symlink(target, place)
        return place
    }
}
