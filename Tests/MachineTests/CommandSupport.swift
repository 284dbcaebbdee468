import Foundation
import LightsOutCore
import Testing

extension Completed {
    /// The one line that an error is, without the program's name; the test fails where it is none, or more.
    func complaint(at location: SourceLocation = #_sourceLocation) -> String {
        let lines = stderr.split(separator: "\n", omittingEmptySubsequences: false)
        let prefix = "lightsout: "
        #expect(lines.count == 2 && lines[1].isEmpty && lines[0].hasPrefix(prefix), "\(self)", sourceLocation: location)
        return String((lines.first ?? "").dropFirst(prefix.count))
    }

    /// The list of objects that `--json` prints.
    func json(at location: SourceLocation = #_sourceLocation) throws -> [[String: Any]] {
        let list = try JSONSerialization.jsonObject(with: Data(stdout.utf8)) as? [[String: Any]]
        return try #require(list, "\(self)", sourceLocation: location)
    }

    /// The keys of the first object, in the order in which they are printed.
    var keysOfFirstObject: [String] {
        let first = stdout.split(separator: "\n").first { $0.hasPrefix("  {") } ?? ""
        return first.matches(of: #/(?:^  .|, )"([a-z_]+)": /#).map { String($0.1) }
    }
}

extension Machine {
    /// Runs a line of shell with a terminal of so many columns; what is written to it comes back as it is.
    func onTerminal(_ line: String, columns: Int = 100, as user: String = "root", within seconds: Int = 30) throws -> Completed {
        try run("export TERM=xterm; script -qec 'stty cols \(columns); \(line)' /dev/null </dev/null", as: user, within: seconds)
    }

    /// Runs `body` where the daemon cannot be started.
    func withoutDaemon<Result>(_ body: () throws -> Result) throws -> Result {
        try sh("systemctl mask --now lightsoutd 2>/dev/null")
        defer { _ = try? run("systemctl unmask lightsoutd") }
        return try body()
    }
}

/// How the fields of times look in JSON (RFC 3339).
func isTime(_ value: Any?) -> Bool {
    (value as? String)?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d/) != nil
}
