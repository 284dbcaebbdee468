import LightsOutCore
import Testing

@Suite("What a configuration says that is probably not meant")
struct ConfigurationWarningTests {
    private func warnings(_ text: String, calendar: CalendarContext? = nil) -> [String] {
        let reading = ConfigurationReader.read(
            main: ConfigurationFile(path: "l.yaml", bytes: Array(text.utf8)), calendar: calendar)
        #expect(reading.configuration != nil, "a warning is no error")
        return reading.problems.map { "\($0.position?.column ?? 0): \($0.message)" }
    }

    @Test(
        "a key without effect is told",
        arguments: [
            ("wake: true", #"15: "wake" does nothing without a schedule"#),
            ("random_delay: 5min", #"15: "random_delay" does nothing without a schedule"#),
            ("catch_up: false", #"15: "catch_up" does nothing without a schedule"#),
            ("after: return", #"15: "after: return" does nothing where the machine is not woken for the backup"#),
            ("lock_on_battery: false, battery: abort", #"15: "lock_on_battery" does nothing where the backup does not run on battery power"#),
            ("retry: {delay: 5min}", "23: a delay without attempts does nothing"),
            ("timeout: 30s", "15: the script may take 1min 30s to end after a timeout of 30s"),
        ])
    func withoutEffect(entry: String, warning: String) {
        #expect(warnings("backups: {a: {\(entry)}}") == [warning])
    }

    @Test("defaults may say what matters to some backups only")
    func defaultsAreNotQuestioned() {
        #expect(warnings("defaults: {wake: true, after: return, random_delay: 5min}\nbackups: {a: , b: {wake: false}}") == [])
    }

    /// 2026-11-23 18:00 UTC, a Monday.
    private let calendar = CalendarContext(now: Timestamp(microseconds: 1_795_456_800_000_000), localZone: .utc)

    @Test("a schedule that never elapses again is told, where the time is known")
    func neverElapses() {
        let text = "backups: {a: {schedule: [2020-01-01, daily]}}"
        #expect(warnings(text, calendar: calendar) == [#"15: "2020-01-01 00:00:00" never elapses again"#])
        #expect(warnings(text) == [])
    }

    @Test("a schedule of the defaults that never elapses again is told once")
    func defaultsNeverElapse() {
        #expect(
            warnings("defaults: {schedule: 2020-01-01}\nbackups: {a: , b: {wake: true}}", calendar: calendar)
                == [#"12: "2020-01-01 00:00:00" never elapses again"#])
    }

    @Test(
        "what goes with a faulty key is not questioned",
        arguments: ["backups: {a: {schedule: Foo, wake: true, random_delay: 5min}}", "defaults: {schedule: Foo}\nbackups: {a: {wake: true}}"])
    func faultyKey(text: String) {
        let reading = ConfigurationReader.read(main: ConfigurationFile(path: "l.yaml", bytes: Array(text.utf8)))
        #expect(reading.problems.map(\.severity) == [.error])
    }

    @Test("a backup that is stale before it is due again is told")
    func staleBeforeDue() {
        #expect(
            warnings("backups: {a: {schedule: Mon..Fri 02:30, stale_after: 2d}}", calendar: calendar)
                == [#"41: up to 3d pass between two elapses, longer than the 2d of "stale_after""#])
        #expect(warnings("backups: {a: {schedule: Mon..Fri 02:30, stale_after: 3d}}", calendar: calendar) == [])
    }
}
