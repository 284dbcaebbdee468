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
        expected.wakePolicy = .always
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
                /etc/lightsout/lightsout.yaml:5:11: "wake" wants true, false or ac, not "maybe"
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

    @Test(
        "an empty file, and one with comments only, configure nothing",
        arguments: ["", "\n\n", "# nothing\n", "---\n", "~", "backups:", "defaults: {}\nbackups: ~"])
    func nothing(text: String) {
        let reading = readConfiguration(text)
        #expect(reading.problems == [])
        #expect(reading.configuration?.backups == [:])
        #expect(reading.configuration?.global == GlobalSettings())
    }

    @Test("a scalar is the text that it is, whatever YAML would make of it")
    func scalarsAreText() throws {
        let backup = try readBackup("on", """
            backups:
              on:
                description: 0x1F
                args: [no, 010, 1.50, "~", 'null', 22:30, 1_000, "", 'it''s']
                schedule: 22:30
            """)
        #expect(backup.description == "0x1F")
        #expect(backup.args == ["no", "010", "1.50", "~", "null", "22:30", "1_000", "", "it's"])
        #expect(backup.schedule == [try CalendarExpression("22:30")])
    }

    @Test("yes, on and true are true where a Boolean is asked for; no, off and false are false")
    func booleans() throws {
        for (text, value) in [("yes", true), ("on", true), ("true", true), ("no", false), ("off", false), ("false", false)] {
            let backup = try readBackup("a", "backups: {a: {requires_network: \(text)}}")
            #expect(backup.requiresNetwork == value)
        }
    }

    @Test("the script is the convention's where none is said")
    func script() throws {
        #expect(try readBackup("a", "backups: {a: }").script == "/etc/lightsout/backup/a_backup")
        #expect(try readBackup("a", "backups: {a: {script: /opt/x}}").script == "/opt/x")
    }

    @Test("a schedule is one expression or a list")
    func schedules() throws {
        #expect(try readBackup("a", "backups: {a: {schedule: daily}}").schedule.count == 1)
        #expect(try readBackup("a", "backups: {a: {schedule: [daily, Sat 04:00]}}").schedule.count == 2)
        #expect(try readBackup("a", "backups: {a: {schedule: []}}").schedule == [])
    }

    @Test("defaults hold for each backup that does not say otherwise, wherever in the file they are")
    func defaults() throws {
        let configuration = try #require(readConfiguration("""
            backups:
              a: {}
              b: {timeout: 1h, exit_codes: {9: success}}
            defaults: {timeout: 5min, exit_codes: rsync}
            """).configuration)
        let a = try #require(configuration.backups[BackupName("a")])
        let b = try #require(configuration.backups[BackupName("b")])
        #expect(a.timeout == .minutes(5))
        #expect(b.timeout == .hours(1))
        #expect(a.exitCodes == ExitCodes(.rsync))
        #expect(b.exitCodes == ExitCodes([9: .success]))
    }

    @Test("defaults of a file of backups.d hold for that file's backups, on top of the main file's")
    func dropInDefaults() throws {
        let configuration = try #require(readConfiguration(
            "defaults: {timeout: 5min, stop_timeout: 1min}\nbackups: {a: }",
            dropIns: [("1.yaml", "defaults: {timeout: 1h}\nbackups: {b: }"), ("2.yaml", "backups: {c: }")]).configuration)
        func timeouts(_ name: String) throws -> [TimeSpan] {
            let backup = try #require(configuration.backups[BackupName(name)])
            return [backup.timeout, backup.stopTimeout]
        }
        #expect(try timeouts("a") == [.minutes(5), .minutes(1)])
        #expect(try timeouts("b") == [.hours(1), .minutes(1)])
        #expect(try timeouts("c") == [.minutes(5), .minutes(1)])
        #expect(
            configuration.files == [
                "/etc/lightsout/lightsout.yaml", "/etc/lightsout/backups.d/1.yaml", "/etc/lightsout/backups.d/2.yaml",
            ])
    }

    @Test("anchors and aliases are read as what they stand for")
    func aliases() throws {
        let backup = try readBackup("b", """
            backups:
              a: &common
                timeout: 1h
                args: &args [x, y]
              b: *common
              c: {args: *args}
            """)
        #expect(backup.timeout == .hours(1))
        #expect(backup.args == ["x", "y"])
    }

    @Test("text in blocks, quotes and flow style is read")
    func styles() throws {
        let backup = try readBackup("a", """
            %YAML 1.2
            ---
            "backups":
              'a': {
                description: "tab\\u00e9",
                "args": [
                  'a b',
                  "c\\nd"
                ]
              }
            ...
            """)
        #expect(backup.description == "tab\u{e9}")
        #expect(backup.args == ["a b", "c\nd"])
    }

    @Test(
        "a mount point is named as the kernel does, however its path is written",
        arguments: [
            ("/mnt/usb", "/mnt/usb"), ("/mnt/usb/", "/mnt/usb"), ("/mnt//usb//", "/mnt/usb"), ("/./mnt/./usb", "/mnt/usb"),
            ("/", "/"), ("//", "/"),
        ])
    func mountPoints(path: String, kernels: String) throws {
        #expect(try readBackup("a", "backups: {a: {requires_mounts: [\(path)]}}").requiresMounts == [kernels])
    }

    @Test("the keys of the machine are read")
    func global() throws {
        let configuration = try #require(readConfiguration("""
            max_parallel: 4
            wake_lead: 90s
            wake_grace: 0
            sleep_gap: 1h
            after_delay: 30s
            """).configuration)
        #expect(configuration.global.maxParallel == 4)
        #expect(configuration.global.wakeLead == .seconds(90))
        #expect(configuration.global.wakeGrace == .zero)
        #expect(configuration.global.sleepGap == .hours(1))
        #expect(configuration.global.afterDelay == .seconds(30))
    }

    @Test("a backup may have the machine's times for itself, by its own words or by the defaults")
    func ownTimes() throws {
        let configuration = try #require(readConfiguration("""
            wake_lead: 5min
            defaults:
              sleep_gap: 1h
              after_delay: 1min
            backups:
              server:
                wake_lead: 90s
                wake_grace: 0
                after_delay: 30s
              client:
            """).configuration)
        let server = try #require(configuration.backups[BackupName("server")])
        #expect(server.wakeLead == .seconds(90))
        #expect(server.wakeGrace == .zero)
        #expect(server.sleepGap == .hours(1))
        #expect(server.afterDelay == .seconds(30))
        let client = try #require(configuration.backups[BackupName("client")])
        #expect(client.wakeLead == nil)
        #expect(client.afterDelay == .minutes(1))
        #expect(configuration.global.wakeLead == .minutes(5))
    }
}
