import LightsOutCore
import TestSupport
import Testing

/// A configuration costs time in proportion to its length, however much is wrong with it, and wherever in a line.
@Suite("Costly configuration files", .timeLimit(.minutes(2)))
struct CostlyConfigurationTests {
    /// Many times what it takes, and a fraction of what anything takes that grows with the square.
    private static let limit = Duration.seconds(4)

    private func read(_ text: String, calendar: CalendarContext? = nil) -> ConfigurationReading {
        ConfigurationReader.read(main: ConfigurationFile(path: "l.yaml", bytes: Array(text.utf8)), calendar: calendar)
    }

    private static let calendar = CalendarContext(now: Timestamp(microseconds: 1_790_000_000_000_000), localZone: .utc)

    /// Everything that may be wrong with a backup, each in its own way of finding out.
    @Test(arguments: [
        "{wake: maybe}", "{wak: true}", "{a-key-that-nobody-has-ever-heard-of-and-that-is-sixty-letters-long: 1}", "{schedule: Mon 25:00}",
        "{schedule: Xyz/Abc 02:30}", "{schedule: 02:30 Europe/Berlinn}", "{timeout: 3 parsecs}", "{wake: true, wake: true}",
        "{user: 12}", "{inhibit: [sleep, sleep]}", "{exit_codes: {1: good}}", "{retry: 3}", "{script: \"\\u202e\"}", "[]",
        "{schedule: daily, stale_after: 1h}", "{after: return}", "{script: ~}", "{args: [{a: b}]}",
    ])
    func `of five thousand faulty backups on one line are told in proportion to their number`(fault: String) {
        let text = "backups: {" + (0..<5_000).map { "b\($0): \(fault)" }.joined(separator: ", ") + "}"
        let time = processorTime {
            let problems = read(text, calendar: Self.calendar).problems
            #expect(problems.count == 1001)
            #expect(problems.dropLast().allSatisfy { $0.excerpt != nil && $0.position?.line == 1 })
        }
        #expect(time < Self.limit, "\(time)")
    }

    @Test func `twenty thousand names that are none are told in such a time`() {
        let text = "backups: {" + (0..<20_000).map { "b.\($0): {}" }.joined(separator: ", ") + "}"
        let time = processorTime { #expect(read(text).problems.count == 1001) }
        #expect(time < Self.limit, "\(time)")
    }

    @Test func `the places of values on one line are found in such a time`() throws {
        let count = 5_000
        let text = "backups: {" + (0..<count).map { "b\($0): {script: /b\($0)}" }.joined(separator: ", ") + "}"
        let reading = read(text)
        #expect(reading.problems.isEmpty)
        let sources = ConfigurationSources(reading.files)
        var last: SourceExcerpt?
        let time = try processorTime {
            for number in 0..<count {
                let name = try BackupName("b\(number)")
                let place = try #require(sources.place(of: "script", for: name))
                last = sources.excerpt(at: place)
                #expect(sources.place(of: "user", for: name) == nil)
            }
        }
        #expect(time < Self.limit, "\(time)")
        #expect(last?.text.hasSuffix("{script: /b4999}}") == true)
    }

    @Test func `a long schedule of the defaults is looked at once for all backups that are stale after a time`() {
        let schedule = (0..<200).map { "2027-01-01 00:\($0 / 60):\($0 % 60)" }.map { "\"\($0)\"" }.joined(separator: ", ")
        let text =
            "defaults: {schedule: [\(schedule)]}\nbackups: {"
            + (0..<5_000).map { "b\($0): {stale_after: 1d}" }.joined(separator: ", ") + "}"
        let time = processorTime { #expect(read(text, calendar: Self.calendar).problems.isEmpty) }
        #expect(time < Self.limit, "\(time)")
    }

    @Test func `a key that the defaults say very often is found at once for all backups`() throws {
        let text =
            "defaults: {" + (0..<20_000).map { "k\($0): 1" }.joined(separator: ", ") + "}\nbackups: {"
            + (0..<5_000).map { "b\($0): {user: root}" }.joined(separator: ", ") + "}"
        let sources = ConfigurationSources(read(text).files)
        let time = try processorTime {
            for number in 0..<5_000 {
                let name = try BackupName("b\(number)")
                #expect(sources.place(of: "script", for: name) == nil)
            }
        }
        #expect(time < Self.limit, "\(time)")
    }

    /// Marks in an order that Unicode's normal form does not have, which Swift's own comparison and hash sort.
    private static let marks = String(repeating: "\u{301}\u{316}\u{315}", count: 30_000)

    @Test(arguments: [
        "MARKS: 1", "backups: {bMARKS: {}}", "backups: {b: {kMARKS: 1}}", "backups: {b: {wake: yesMARKS}}",
        "backups: {b: {wake: ~MARKS}}", "backups: {b: {after: returnMARKS}}", "backups: {b: {schedule: MonMARKS}}",
        "backups: {b: {exit_codes: borgMARKS}}", "backups: {b: {exit_codes: {1: warningsMARKS}}}",
        "backups: {b: {timeout: 5minMARKS}}", "backups: {b: {user: uMARKS}}", "backups: {b: {script: /MARKS}}",
        "backups: {b: {requires_mounts: [/aMARKS, /aMARKS]}}", "backups: {b: {description: |\n   aMARKS\n  }}", "<<MARKS: 1",
        "backups: {b: {inhibit: [sleepMARKS]}}", "backups: {b: {wake: *aMARKS}}", "backups: {b: {retry: {attemptsMARKS: 1}}}",
    ])
    func `text of many marks anywhere is refused in such a time`(text: String) {
        let hostile = text.split(separator: "MARKS", omittingEmptySubsequences: false).joined(separator: Self.marks)
        let time = processorTime { #expect(!read(hostile, calendar: Self.calendar).problems.isEmpty) }
        #expect(time < Self.limit, "\(time)")
    }
}
