import LightsOutCore
import Testing

/// Reads `text` as `/etc/lightsout/lightsout.yaml`.
func readConfiguration(_ text: String, dropIns: [(String, String)] = []) -> ConfigurationReading {
    ConfigurationReader.read(
        main: ConfigurationFile(path: "/etc/lightsout/lightsout.yaml", bytes: Array(text.utf8)),
        dropIns: dropIns.map { ConfigurationFile(path: "/etc/lightsout/backups.d/\($0.0)", bytes: Array($0.1.utf8)) })
}

/// The backup `name` of the configuration in `text`, which has to be right.
func readBackup(_ name: String, _ text: String) throws -> BackupConfiguration {
    let reading = readConfiguration(text)
    #expect(reading.problems.map(\.rendered) == [])
    return try #require(reading.configuration?.backups[BackupName(name)])
}

@Suite("Reading the configuration")
struct ConfigurationReaderTests {
    /// The example of the design, whole.
    static let example = """
        defaults:                    # any backup key below
          inhibit: [sleep, handle-lid-switch]
        max_parallel: 0              # 0 = no limit
        backups:
          server:
            description: Nightly copy of /srv to the USB disk
            script: /etc/lightsout/backup/server_backup   # the default for the name `server`
            args: []                 # passed as argv, never through a shell
            schedule: Mon..Fri 02:30 # one calendar expression or a list
            random_delay: 15min
            catch_up: true
            wake: true
            after: return
            inhibit: [sleep, handle-lid-switch, shutdown]
            unprotected: run
            battery: run
            lock_on_battery: false
            timeout: 6h
            stop_timeout: 90s
            retry: {attempts: 2, delay: 10min}
            user: root
            exit_codes: {24: warnings, 23: warnings}
            requires_mounts: [/mnt/usb]
            requires_network: false
            stale_after: 3d
        """

    @Test("the example of the design is read, every key of it")
    func example() throws {
        let backup = try readBackup("server", Self.example)
        var expected = BackupSettings()
        expected.description = "Nightly copy of /srv to the USB disk"
        expected.script = "/etc/lightsout/backup/server_backup"
        expected.schedule = [try CalendarExpression("Mon..Fri 02:30")]
        expected.randomDelay = .minutes(15)
        expected.wake = true
        expected.after = .return
        expected.inhibit = [.sleep, .lidSwitch, .shutdown]
        expected.lockOnBattery = false
        expected.timeout = .hours(6)
        expected.retry.attempts = 2
        expected.user = "root"
        expected.exitCodes = ExitCodes([23: .warnings, 24: .warnings])
        expected.requiresMounts = ["/mnt/usb"]
        expected.staleAfter = .days(3)
        #expect(backup.settings == expected)
        #expect(backup.place?.description == "/etc/lightsout/lightsout.yaml:5:3")
    }

    @Test("mistakes are all told at once, each with its place, its line and what would be right")
    func allAtOnce() {
        let reading = readConfiguration("""
            max_paralel: 2
            backups:
              server:
                shedule: Mon 02:30
                wake: maybe
                timeout: 6 parsecs
                inhibit: [slep, sleep, sleep]
              server: {}
              bad name:
            """)
        #expect(
            reading.problems.map(\.rendered).joined(separator: "\n") == """
                /etc/lightsout/lightsout.yaml:1:1: "max_paralel" is no key of the configuration
                    max_paralel: 2
                    ^
                    did you mean "max_parallel"?
                /etc/lightsout/lightsout.yaml:4:5: "shedule" is no key of a backup
                        shedule: Mon 02:30
                        ^
                    did you mean "schedule"?
                /etc/lightsout/lightsout.yaml:5:11: "wake" wants true or false, not "maybe"
                        wake: maybe
                              ^
                /etc/lightsout/lightsout.yaml:6:14: "timeout": "parsecs" is no time span: write numbers with the units us, ms, s, min, h, d, w, month or y, as in 1h 30min
                        timeout: 6 parsecs
                                 ^
                /etc/lightsout/lightsout.yaml:7:15: "inhibit" wants sleep, shutdown, idle, handle-power-key, handle-suspend-key, handle-hibernate-key, handle-lid-switch or handle-reboot-key, not "slep"
                        inhibit: [slep, sleep, sleep]
                                  ^
                    did you mean "sleep"?
                /etc/lightsout/lightsout.yaml:7:28: "inhibit" has "sleep" twice
                        inhibit: [slep, sleep, sleep]
                                               ^
                    remove one of the two
                /etc/lightsout/lightsout.yaml:8:3: the backup "server" is named twice, first at /etc/lightsout/lightsout.yaml:3:3
                      server: {}
                      ^
                    give one of the two another name, or remove it
                /etc/lightsout/lightsout.yaml:9:3: "bad name" is no name of a backup: 1 to 64 letters, digits, "_" and "-", the first a letter or digit
                      bad name:
                      ^
                """)
        #expect(reading.configuration == nil)
    }
}
