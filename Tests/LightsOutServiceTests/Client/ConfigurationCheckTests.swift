import Glibc
import LightsOutCore
import Systemd
import Testing

@testable import LightsOutService

/// What `lightsout check` finds, and where it points.
struct ConfigurationCheckTests {
    private static let calendar = CalendarContext(now: Timestamp(microseconds: 0), localZone: .utc)

    /// What is found in a configuration of these lines: `line:column: severity: message`.
    private func problems(_ text: String) throws -> [String] { try findings(text).problems.map(\.place) }

    private func findings(_ text: String) throws -> ConfigurationCheck.Findings {
        let folder = try Folder()
        try folder.write(text, to: "lightsout.yaml")
        return ConfigurationCheck(folder.directories, calendar: Self.calendar).installed()
    }

    @Test func `a mistake in what is said of one backup does not hide those of others`() throws {
        let findings = try findings("backups: {a: {timeout: x}, b: {script: /nonexistent/b}, c: {user: nosuch}}")
        #expect(
            findings.problems.map(\.place) == [
                #"1:24: error: "timeout": "x" is no time span: write numbers with the units us, ms, s, min, h, d, w, month or y, as in 1h 30min"#,
                "1:40: error: b would not run: /nonexistent does not exist",
                #"1:67: error: there is no user "nosuch" for c"#,
            ])
        #expect(findings.summary == "3 backups, 3 errors.")
    }

    @Test func `a mistake for the whole machine does not hide those of scripts`() throws {
        #expect(try problems("max_parallel: x\nbackups: {b: {script: /nonexistent/b}}").count == 2)
    }

    @Test func `of a script whose user may be in the faulty part nothing is told`() throws {
        let text = "defaults: {usr: backup}\nbackups: {b: {script: /nonexistent/b}, c: {script: /nonexistent/c, user: root}}"
        #expect(try problems(text).filter { $0.hasPrefix("2:") } == ["2:52: error: c would not run: /nonexistent does not exist"])
    }

    @Test func `a user in the defaults who does not exist is told once`() throws {
        #expect(
            try problems("defaults: {user: nosuch}\nbackups: {a: , b: , c: {user: nosuch}}") == [
                #"1:18: error: there is no user "nosuch" for a and 1 other backup"#,
                #"2:31: error: there is no user "nosuch" for c"#,
            ])
    }

    @Test func `what is wrong with a script is shown with its line`() throws {
        let problem = try #require(try findings("backups:\n  b:\n    script: /nonexistent/b\n").problems.first)
        #expect(problem.excerpt == SourceExcerpt(line: "    script: /nonexistent/b", column: 13))
    }

    @Test func `scripts that cannot be seen are not passed over in silence`() throws {
        let folder = try Folder()
        try folder.write("", to: "backup")
        let found = ConfigurationCheck(folder.directories, calendar: Self.calendar).installed()
        #expect(
            found.problems.map(\.summary) == [
                "\(folder.path)/backup: warning: cannot be listed: Not a directory. Scripts in it that are backups by their name are not seen; put a directory in its place"
            ])
    }
}

extension ConfigurationProblem {
    fileprivate var place: String { "\(line ?? 0):\(column ?? 0): \(severity.rawValue): \(message)" }
}

/// A folder that goes with its owner.
private final class Folder {
    let path: String
    private var contents: [String] = []

    init() throws(SystemError) {
        var template = Array("/tmp/lightsout-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError(code: errno, operation: "make a directory in /tmp") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        chmod(path, 0o755)
    }

    isolated deinit {
        for name in contents { remove("\(path)/\(name)") }
        remove(path)
    }

    func write(_ text: String, to name: String) throws(SystemError) {
        contents.append(name)
        let file = try Descriptor.open("\(path)/\(name)", O_WRONLY | O_CREAT, mode: 0o644)
        try file.writeAll(text.utf8)
    }

    var directories: Directories {
        var directories = Directories()
        directories.configuration = path
        return directories
    }
}
