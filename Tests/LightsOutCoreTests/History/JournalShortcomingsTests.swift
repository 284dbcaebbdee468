import Testing

@testable import LightsOutCore

/// journald's configuration, and what of it keeps results of backups from being found again.
struct `What the journal keeps` {
    private func problems(
        _ files: (path: String, text: String)..., change: (inout JournalShortcomings.Facts) -> Void = { _ in }
    ) -> [ConfigurationProblem] {
        var facts = JournalShortcomings.Facts(hasPersistentDirectory: true)
        change(&facts)
        let settings = JournaldSettings(files.map { JournaldSettings.File(path: $0.path, text: $0.text) })
        return JournalShortcomings(settings, facts).problems
    }

    private func problem(_ line: String, change: (inout JournalShortcomings.Facts) -> Void = { _ in }) -> String? {
        problems(("/etc/systemd/journald.conf", "[Journal]\n\(line)\n"), change: change).first?.summary
    }

    @Test func `is all where nothing is set and there is a place on disk`() {
        #expect(problems().isEmpty)
    }

    @Test func `is lost at a reboot without a place on disk, unless one is made`() {
        #expect(problems { $0.hasPersistentDirectory = false }.first?.message.contains("no directory /var/log/journal") == true)
        #expect(problem("Storage=persistent") { $0.hasPersistentDirectory = false } == nil)
    }

    @Test func `is lost where it is kept in memory, or nowhere`() {
        #expect(problem("Storage=volatile")?.contains("a reboot loses all results") == true)
        #expect(problem("Storage=none")?.contains("no result of a backup is recorded") == true)
    }

    @Test func `is told with the file and line, and with what to set there`() {
        #expect(
            problem("# a comment\nStorage = volatile")
                == "/etc/systemd/journald.conf:3:1: warning: journald keeps its records in memory only (Storage=volatile), so a reboot loses all results of backups; set Storage=persistent there; then: systemctl restart systemd-journald")
    }

    @Test func `is set in a file of the administrator's that wins over a package's`() {
        let package = "/usr/lib/systemd/journald.conf.d/40-volatile.conf"
        let found = problems((package, "[Journal]\nStorage=volatile"))
        #expect(found.first?.file == package)
        #expect(found.first?.suggestion?.contains("/etc/systemd/journald.conf.d/99-lightsout.conf") == true)
        let late = problems(("/usr/lib/systemd/journald.conf.d/zz.conf", "[Journal]\nStorage=volatile"))
        #expect(late.first?.suggestion?.contains("/etc/systemd/journald.conf.d/zz.conf") == true)
    }

    @Test func `goes by the last value, and by the default after an empty one`() {
        #expect(problems(("/a", "[Journal]\nStorage=volatile"), ("/b", "[Journal]\nStorage=persistent")).isEmpty)
        #expect(problems(("/a", "[Journal]\nStorage=volatile"), ("/b", "[Journal]\nStorage=")).isEmpty)
    }

    @Test func `goes by its own section, and not by comments and other sections`() {
        #expect(problem("#Storage=none\n;Storage=none\n[Other]\nStorage=none") == nil)
        #expect(problem("Sto\\\nrage=none") == nil)
        #expect(problem("Storage=\\\n# between\nnone")?.contains("Storage=none") == true)
        #expect(problem("Storage=none\r")?.contains("Storage=none") == true)
    }

    @Test(arguments: ["notice", "err", "emerg", "0", "5"]) func `lacks successes where info is not stored`(level: String) {
        #expect(problem("MaxLevelStore=\(level)")?.contains("successful backups leave no record") == true)
    }

    @Test(arguments: ["info", "debug", "6", "7", "nonsense"]) func `has successes where info is stored`(level: String) {
        #expect(problem("MaxLevelStore=\(level)") == nil)
    }

    @Test func `goes by the kernel's command line before the files`() {
        #expect(problem("MaxLevelStore=debug") { $0.kernelMaxLevel = "warning" }?.contains("/proc/cmdline") == true)
        #expect(problem("MaxLevelStore=err") { $0.kernelMaxLevel = "info" } == nil)
    }

    @Test(arguments: [("1week", true), ("89day", true), ("90day", false), ("1year", false), ("0", false), ("infinity", false)])
    func `reaches back as long as records are not deleted`(span: String, isShort: Bool) {
        #expect((problem("MaxRetentionSec=\(span)") != nil) == isShort)
    }

    @Test(arguments: [("16M", true), ("89M", true), ("90M", false), ("4G", false), ("1048576", true), ("8K", true), ("1T", false)])
    func `reaches back no further than its size allows`(size: String, isShort: Bool) {
        #expect((problem("SystemMaxUse=\(size)") != nil) == isShort)
    }

    @Test func `is measured by what this machine writes, once it has for a day`() {
        func busy(_ span: TimeSpan) -> (inout JournalShortcomings.Facts) -> Void {
            { $0.journal = (bytes: 400 << 20, reach: span) }
        }
        let found = problem("SystemMaxUse=1G", change: busy(.days(10)))
        #expect(found?.contains("holds about 25 days") == true)
        #expect(found?.contains("SystemMaxUse=3600M") == true)
        #expect(problem("SystemMaxUse=1G", change: busy(.hours(2))) == nil)
        #expect(problem("SystemMaxUse=4G", change: busy(.days(10))) == nil)
    }

    @Test func `takes the defaults by the size of the file system, and what has to stay free`() {
        #expect(problems { $0.fileSystemSize = 500 << 20; $0.fileSystemFree = 400 << 20 }.count == 1)
        #expect(problems { $0.fileSystemSize = 100 << 30; $0.fileSystemFree = 50 << 30 }.isEmpty)
        let full = problems { $0.fileSystemSize = 100 << 30; $0.fileSystemFree = 1 << 20 }
        #expect(full.first?.message.contains("keeps at most 0K") == true)
    }

    @Test func `counts the files too`() {
        #expect(problem("SystemMaxFiles=2\nSystemMaxFileSize=8M")?.contains("keeps at most 16M") == true)
    }

    @Test(arguments: ["", "X", "-1", "1Q", "99999999999999999999", "12MBB", "\u{301}G"])
    func `survives sizes that are none`(text: String) {
        #expect(problem("SystemMaxUse=\(text)") == nil)
    }
}
