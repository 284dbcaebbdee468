import Glibc
import LightsOutCore

/// `systemd-analyze`, the judge of calendar expressions and timestamps. It needs no running systemd.
enum SystemdAnalyze {
    static let path = "/usr/bin/systemd-analyze"
    static let isInstalled = access(path, X_OK) == 0

    struct Verdict: Equatable {
        var isRefused = false
        /// `nil` where the expression was refused, or given up before anything was shown.
        var normalized: String?
        /// Full seconds since the epoch: it shows no fractions.
        var elapses: [Int64] = []
        /// It stopped with an error: it looks at no more than 1,000 candidates for an elapse, and gives up on some clock
        /// changes.
        var gaveUp = false
    }

    /// What it makes of each of `expressions`. One process judges them all.
    static func calendar(
        _ expressions: [String], iterations: Int, base: Timestamp, zone: String
    ) throws -> [Verdict] {
        let (output, errors) = try run(
            ["calendar", "--iterations=\(iterations)", "--base-time=\(utc(base))", "--"] + expressions, zone: zone)
        var blocks: [[Substring]] = [[]]
        for line in output.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            if line.isEmpty { blocks.append([]) } else { blocks[blocks.count - 1].append(line) }
        }
        guard blocks.count == expressions.count else {
            throw Failure(text: "\(expressions.count) expressions, but \(blocks.count) answers: \(errors.prefix(2000))")
        }
        let refused = quoted(after: "Failed to parse calendar specification '", in: errors)
        let givenUp = quoted(after: "Failed to determine next elapse for '", in: errors)
        return zip(expressions, blocks).map { expression, lines in
            var verdict = Verdict()
            var inLocalZone: [Int64] = []
            var inUTC: [Int64] = []
            for line in lines {
                guard let colon = line.firstIndex(of: ":") else { continue }
                let label = line[..<colon].drop { $0 == " " }
                let value = line[colon...].dropFirst(2)
                if label == "Normalized form" {
                    verdict.normalized = String(value)
                } else if label == "(in UTC)" {
                    inUTC.append(seconds(value))
                } else if label == "Next elapse" || label.hasPrefix("Iter."), value != "never" {
                    inLocalZone.append(value.hasSuffix(" UTC") ? seconds(value) : 0)
                }
            }
            verdict.elapses = inUTC.isEmpty ? inLocalZone : inUTC
            verdict.isRefused = refused.contains(expression[...])
            verdict.gaveUp = givenUp.contains(expression[...])
            return verdict
        }
    }

    /// What it takes `text` for in the zone; microseconds since the epoch, `nil` where it refuses.
    static func timestamp(_ text: String, zone: String) throws -> Int64? {
        let (output, _) = try run(["timestamp", "--", text], zone: zone)
        // "UNIX seconds: @1395716396.123456"
        guard let marker = output.firstRange(of: "UNIX seconds: @") else { return nil }
        let number = output[marker.upperBound...].prefix { $0.isNumber || $0 == "." }
        let parts = number.split(separator: ".")
        let fraction = parts.count > 1 ? String((parts[1] + "000000").prefix(6)) : "0"
        guard let seconds = Int64(parts[0]), let microseconds = Int64(fraction) else { return nil }
        return seconds * 1_000_000 + microseconds
    }

    /// The expressions that it complains about: `…'EXPRESSION': Invalid argument`.
    private static func quoted(after words: String, in errors: String) -> Set<Substring> {
        var found: Set<Substring> = []
        for line in errors.split(separator: "\n") where line.hasPrefix(words) {
            if let end = line.lastIndex(of: "'") { found.insert(line[..<end].dropFirst(words.count)) }
        }
        return found
    }

    struct Failure: Error, CustomStringConvertible {
        let text: String
        var description: String { text }
    }

    /// `Sun 2026-03-29 01:00:00 UTC`, as it prints it, in seconds since the epoch.
    private static func seconds(_ text: Substring) -> Int64 {
        let numbers = text.split { !$0.isNumber }.compactMap { Int($0) }
        var parts = tm()
        parts.tm_year = Int32(numbers[0] - 1900)
        parts.tm_mon = Int32(numbers[1] - 1)
        parts.tm_mday = Int32(numbers[2])
        parts.tm_hour = Int32(numbers[3])
        parts.tm_min = Int32(numbers[4])
        parts.tm_sec = Int32(numbers[5])
        return Int64(timegm(&parts))
    }

    /// A text that it takes as a base time.
    private static func utc(_ time: Timestamp) -> String {
        var seconds = time_t(time.microseconds / 1_000_000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func padded(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let fraction = String(String(1_000_000 + time.microseconds % 1_000_000).dropFirst())
        return
            "\(parts.tm_year + 1900)-\(padded(parts.tm_mon + 1))-\(padded(parts.tm_mday)) \(padded(parts.tm_hour)):\(padded(parts.tm_min)):\(padded(parts.tm_sec)).\(fraction) UTC"
    }

    private static func run(_ arguments: [String], zone: String) throws -> (output: String, errors: String) {
        let output = try Scratch()
        let errors = try Scratch()
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, output.descriptor, 1)
        posix_spawn_file_actions_adddup2(&actions, errors.descriptor, 2)

        let environment = ["TZ=:\(zone)", "LC_ALL=C", "SYSTEMD_COLORS=0"]
        let argv: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { text in strdup(text) } + [nil]
        let envp: [UnsafeMutablePointer<CChar>?] = environment.map { text in strdup(text) } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, path, &actions, nil, argv, envp)
        guard code == 0 else { throw Failure(text: "cannot start \(path): \(String(cString: strerror(code)))") }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        guard status & 0x7f == 0 else { throw Failure(text: "\(path) was killed by signal \(status & 0x7f)") }
        return (output.text(), errors.text())
    }

    /// A file without a name: a process may write as much to it as it likes before it is read.
    private final class Scratch {
        let descriptor: Int32

        init() throws {
            var template = Array("/tmp/lightsout-test-XXXXXX".utf8CString)
            descriptor = mkstemp(&template)
            unlink(template)
            guard descriptor >= 0 else { throw Failure(text: "no scratch file: \(String(cString: strerror(errno)))") }
        }

        deinit { close(descriptor) }

        func text() -> String {
            lseek(descriptor, 0, SEEK_SET)
            var bytes: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            while case let count = read(descriptor, &chunk, chunk.count), count > 0 { bytes += chunk[..<count] }
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}
