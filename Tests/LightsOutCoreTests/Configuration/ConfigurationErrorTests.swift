import LightsOutCore
import Testing

@Suite("What is wrong with a configuration")
struct ConfigurationErrorTests {
    /// The problems of `text` as the journal shows them, without the file's folder.
    private func complaints(_ text: String, dropIns: [(String, String)] = []) -> [String] {
        readConfiguration(text, dropIns: dropIns).problems.map {
            $0.summary.replacing("/etc/lightsout/backups.d/", with: "").replacing("/etc/lightsout/", with: "")
        }
    }

    @Test(
        "each value that is none is told with its place and what is wanted",
        arguments: [
            ("timeout: 0", #"1:24: "timeout": 0 leaves no time at all; write infinity where no limit is meant"#),
            ("stop_timeout: -5", #"1:29: "stop_timeout": a time span cannot be negative"#),
            ("wake: ", #"1:21: "wake" wants true, false or ac, not nothing; give it a value, or remove the key"#),
            ("wake: True", #"1:21: "wake" wants true, false or ac, not "True"; did you mean true?"#),
            ("script: backup/x", #"1:23: "script" wants an absolute path, not "backup/x"; begin it with /"#),
            ("script: ~/x", #"1:23: "script" wants an absolute path, not "~/x"; ~ is not expanded: write the folder out"#),
            ("user: '1000'", #"1:21: "user" wants the name of a user, not "1000"; write the user's name, not the number"#),
            ("user: 'a:b'", #"1:21: "user" wants the name of a user, not "a:b""#),
            (#"args: ["a\0b"]"#, #"1:22: "args": no argument can hold a NUL; remove "\0""#),
            ("args: x", #"1:21: "args" wants a list, not "x"; write it in brackets: [ … ]"#),
            (#"description: "a\nb""#, #"1:28: "description": the text has more than one line; shorten it to one line"#),
            ("description: 'soft\u{ad}hyphen'", #"1:33: "description": the text has the unprintable character U+00AD; remove it"#),
            (#"description: "\e[2J""#, #"1:28: "description": the text has the unprintable character U+001B; remove it"#),
            ("inhibit: []", #"1:24: "inhibit" wants at least one item; remove the key to have what holds without it"#),
            ("after: sleep", #"1:22: "after" wants nothing, return, suspend, hibernate or poweroff, not "sleep""#),
            ("battery: Abort", #"1:24: "battery" wants run, wait or abort, not "Abort"; did you mean "abort"?"#),
            ("retry: 3", #"1:22: "retry" wants a mapping, not "3"; write it as {attempts: 2, delay: 10min}"#),
            ("retry: {attempts: -1}", #"1:33: "attempts" wants a number from 0 to 1000, not "-1""#),
            ("retry: {attempt: 1}", #"1:23: "attempt" is no key of "retry"; did you mean "attempts"?"#),
            ("exit_codes: {256: failed}", #"1:28: "exit_codes" wants a number from 0 to 255, not "256""#),
            ("exit_codes: {1: warning}", #"1:31: the exit status 1 wants success, failed, aborted, warnings or undefined, not "warning"; did you mean "warnings"?"#),
            ("exit_codes: {1: failed, 01: failed}", #"1:39: the exit status 1 is named twice, first at lightsout.yaml:1:28; remove one of the two"#),
            ("exit_codes: rsnyc", #"1:27: "exit_codes" wants borg, restic, rsync or a mapping such as {24: warnings}, not "rsnyc"; did you mean "rsync"?"#),
            ("requires_mounts: [/a, /a]", #"1:37: "requires_mounts" has "/a" twice; remove one of the two"#),
            ("schedule: Mon..Fry 02:30", #"1:30: "schedule": "Mon..Fry 02:30" is no calendar expression: "Fry" is no weekday; did you mean "Fri"?"#),
            ("schedule: 'Mon..Fry 02:30'", #"1:31: "schedule": "Mon..Fry 02:30" is no calendar expression: "Fry" is no weekday; did you mean "Fri"?"#),
            (#"schedule: "\u004don..Fry 02:30""#, #"1:25: "schedule": "Mon..Fry 02:30" is no calendar expression: "Fry" is no weekday; did you mean "Fri"?"#),
            ("exit_codes: [borg]", #"1:27: "exit_codes" wants borg, restic, rsync or a mapping such as {24: warnings}, not a list"#),
            ("exit_codes: {1: warn}", #"1:31: the exit status 1 wants success, failed, aborted, warnings or undefined, not "warn"; did you mean "warnings"?"#),
            ("args: [Host: x]", #"1:22: "args" wants a text, not a mapping ("key: value"); put text that holds ": " in quotes"#),
            ("args: [~]", #"1:22: "args" wants a text, not nothing; put the text in quotes, or remove it"#),
            ("user: ~", #"1:21: "user" wants the name of a user, not nothing; give it a value, or remove the key"#),
            ("description: null", #"1:28: "description" wants one line of text, not nothing; give it a value, or remove the key"#),
            ("requires_mounts: [/a, /a/]", #"1:37: "requires_mounts" has "/a" and "/a/", which are the same; remove one of the two"#),
            ("schedule: [daily, '*-*-*']", #"1:33: "schedule" has "daily" and "*-*-*", which are the same; remove one of the two"#),
            ("? [a] : b", #"1:17: a key is a text, not a list"#),
        ])
    func value(entry: String, complaint: String) {
        #expect(complaints("backups: {a: {\(entry)}}") == ["lightsout.yaml:" + complaint])
    }

    @Test("a block of one line is that line", arguments: ["|", ">", "|-"])
    func block(style: String) {
        #expect(complaints("backups:\n  a:\n    description: \(style)\n      Nightly copy\n    wake: \(style)\n      true\n    schedule: \(style)\n      daily\n") == [])
        #expect(
            complaints("backups: {a: {description: \"one\\ntwo\"}}")
                == [#"lightsout.yaml:1:28: "description": the text has more than one line; shorten it to one line"#])
    }

    @Test(
        "the caret stands below the place, however wide the characters before it are",
        arguments: [("\u{1f44d}\u{1f44d}", 4), ("日本語", 6), ("e\u{301}e\u{301}", 2), ("abc", 3)])
    func caret(text: String, width: Int) throws {
        let line = "backups: {a: {description: '\(text)', wak: true}}"
        let problem = try #require(
            ConfigurationReader.read(main: ConfigurationFile(path: "lightsout.yaml", bytes: Array(line.utf8))).problems.first)
        #expect(problem.position == SourcePosition(line: 1, column: 32 + text.unicodeScalars.count))
        let indentation = problem.rendered.split(separator: "\n")[2].prefix { $0 == " " }.count - 4
        #expect(indentation == 31 + width)
    }

    @Test(
        "what is no YAML is told in words that help",
        arguments: [
            ("backups:\n\ta:\n", "2:1: a value cannot begin with this character; indent with spaces, never with tabs; put a value that begins with @, % or ` in quotes"),
            ("backups:\n  a:\n    schedule: *:0/15\n", #"3:15: a value that begins with * means something else in YAML; put it in quotes, as in "*-*-* 02:30""#),
            ("backups:\n  a:\n    schedule: *-01\n", ##"3:15: no anchor "&-01" stands before this alias; where the text itself begins with *, put it in quotes: "*-01…""##),
            ("backups:\n  a: b: c\n", #"2:7: a second ":" where a value was expected; put the value in quotes, or put the key on a line of its own with the indentation of its neighbours; or the line before lacks its ":""#),
            ("backups:\n  a:\n    catch_up: true\n    wake\n    timeout: 5\n", #"4:5: a key without ":" and a value; write "key: value", with a space after the colon"#),
            ("backups:\n  a: {args: [\"--x=\\.cache\"]}\n", #"2:19: a \ in text in double quotes begins an escape, and this is none; write \\ for a backslash, or put the text in single quotes"#),
            ("backups: [a\n", #"2:1: the list that begins with [ is not closed (begun at 1:10); write "]" after its last item, and "," between two"#),
            ("backups: \"a\n", "2:1: the file ends inside a text in quotes (begun at 1:10); close the quotes"),
            ("backups:\n---\nbackups:\n", #"2:1: a second document begins here; a configuration file holds one; remove the line "---", or put the rest into a file of its own below backups.d"#),
            ("backups: !!map {}\n", #"1:10: the tag "tag:yaml.org,2002:map" is not read here; remove it: each key knows its type"#),
            ("backups:\n  a:\n    args: [!!x[]]\n", #"3:12: a value that begins with ! means something else in YAML; put it in quotes, as in "*-*-* 02:30""#),
            ("%x\n", "1:1: a value that begins with % means something else in YAML; put it in quotes, or remove the line"),
            ("%TAG ! tag:x:\n---\na: b", "1:1: tags are not read here; remove the line"),
            ("[]", #"1:1: the configuration is a mapping, not a list; write "key: value" lines below it, indented by two spaces more"#),
            ("backups:\n  a:\n    <<: {wake: no}\n", #"3:5: merge keys ("<<") are not read; put what is common to backups under "defaults""#),
        ])
    func syntax(text: String, complaint: String) {
        #expect(complaints(text) == ["lightsout.yaml:" + complaint])
    }

    @Test("a key that is said twice is told with both places")
    func duplicateKey() {
        #expect(
            complaints("backups:\n  a:\n    wake: no\n    timeout: 1h\n    wake: no\n") == [
                #"lightsout.yaml:5:5: "wake" is said twice, first at lightsout.yaml:3:5; remove one of the two"#
            ])
    }

    @Test("a backup that two files name is told with both places")
    func duplicateName() {
        #expect(
            complaints("backups:\n  a:\n", dropIns: [("x.yaml", "backups:\n  b:\n  a:\n")]) == [
                #"x.yaml:3:3: the backup "a" is named twice, first at lightsout.yaml:2:3; give one of the two another name, or remove it"#
            ])
    }

    @Test("what holds for the machine is not said in backups.d")
    func globalInDropIn() {
        #expect(
            complaints("", dropIns: [("x.yaml", "max_parallel: 2")]) == [
                #"x.yaml:1:1: "max_parallel" is said in lightsout.yaml only; move it there: it holds for the whole machine"#
            ])
    }

    @Test("a file that is no YAML does not hide the mistakes in the others")
    func everyFile() {
        #expect(
            complaints("backups: [", dropIns: [("x.yaml", "backup:"), ("y.yaml", "backups: {a: {wak: no}}")]) == [
                #"lightsout.yaml:1:11: a value was expected here; close what was begun with "]" or "}", or put the value in quotes"#,
                #"x.yaml:1:1: "backup" is no key of the configuration; did you mean "backups"?"#,
                #"y.yaml:1:15: "wak" is no key of a backup; did you mean "wake"?"#,
            ])
    }

    @Test(
        "an unknown key is answered with the key that was probably meant",
        arguments: [
            ("shedule", "schedule"), ("randomdelay", "random_delay"), ("catch-up", "catch_up"), ("Wake", "wake"),
            ("timout", "timeout"), ("exit_code", "exit_codes"), ("arsg", "args"), ("requires-mount", "requires_mounts"),
        ])
    func nearest(typed: String, meant: String) {
        let problems = readConfiguration("backups: {a: {\(typed): x}}").problems
        #expect(problems.map(\.suggestion) == ["did you mean \"\(meant)\"?"])
    }

    @Test("an unknown key that resembles none is answered with those that there are")
    func known() {
        #expect(
            readConfiguration("colour: red").problems.map(\.suggestion)
                == ["known are: max_parallel, wake_lead, wake_grace, wake_wait, sleep_gap, after_delay, after_refused, defaults, backups"])
    }

    @Test(
        "a word that stands for true or false elsewhere is answered with ours",
        arguments: [("YES", "yes"), ("y", "yes"), ("yess", "yes"), ("of", "off"), ("N", "no"), ("False", "false")])
    func booleans(typed: String, meant: String) {
        let problems = readConfiguration("backups: {a: {requires_network: \(typed)}}").problems
        #expect(problems.map(\.suggestion) == ["did you mean \(meant)?"])
    }

    @Test(
        "a part of a name is answered with the whole one, where it is the only one",
        arguments: [
            ("inhibit: [lid-switch]", "did you mean \"handle-lid-switch\"?"), ("stale: 3d", "did you mean \"stale_after\"?"),
            ("exit_codes: {1: abort}", "did you mean \"aborted\"?"), ("x: 1", nil), ("inhibit: [key]", nil),
        ])
    func part(entry: String, suggestion: String?) {
        let given = readConfiguration("backups: {a: {\(entry)}}").problems.map(\.suggestion)
        #expect(given == [suggestion] || suggestion == nil && given.allSatisfy { $0?.hasPrefix("did you mean") != true })
    }

    @Test("a mistake in one backup does not stand in the way of another one's run")
    func lookUpPastOthers() throws {
        let reading = readConfiguration("defaults: {timeout: 1h}\nbackups: {a: {wak: yes}, b: , 'c d': }")
        #expect(reading.configuration == nil)
        guard case .named(let b) = reading.lookUp(try BackupName("b")) else { Issue.record("b is not found"); return }
        #expect(b.timeout == .hours(1))
        guard case .unnamed(let e) = reading.lookUp(try BackupName("e")) else { Issue.record("e is not unnamed"); return }
        #expect(e.timeout == .hours(1))
    }

    @Test("a mistake in a backup, or one that may concern it, stands in the way of its run")
    func lookUpRefused() throws {
        func isRefused(_ text: String, dropIns: [(String, String)] = []) throws -> Bool {
            if case .refused = readConfiguration(text, dropIns: dropIns).lookUp(try BackupName("a")) { return true }
            return false
        }
        #expect(try isRefused("backups: {a: {wak: yes}}"))
        #expect(try isRefused("backups: {a: , a: }"))
        #expect(try isRefused("defaults: {timeot: 1h}\nbackups: {a: }"))
        #expect(try isRefused("backups: {a: }", dropIns: [("x.yaml", "backups: {a: }")]))
        #expect(try isRefused("backups: {a: }", dropIns: [("x.yaml", "backups: {")]))
    }

    @Test("the newline of a text in quotes is meant")
    func quotedNewline() {
        #expect(
            complaints("backups: {a: {description: \"one\\n\"}}")
                == [#"lightsout.yaml:1:28: "description": the text has more than one line; shorten it to one line"#])
    }

    @Test("past a thousand problems of a file the rest is counted")
    func manyProblems() {
        let problems = readConfiguration((0..<3000).map { "k\($0): 1\n" }.joined()).problems
        #expect(problems.count == 1001)
        #expect(problems.last?.summary == "/etc/lightsout/lightsout.yaml: 2000 more problems; mend the first ones, and check again")
    }

    @Test("of a long line the part around the place is shown, and nothing that moves a cursor")
    func excerpt() {
        let long = SourceExcerpt(line: String(repeating: "x", count: 500) + "HERE" + String(repeating: "y", count: 500), column: 501)
        #expect(long.text == "…" + String(repeating: "x", count: 60) + "HERE" + String(repeating: "y", count: 36) + "…")
        #expect(long.caretOffset == 61)
        let hostile = SourceExcerpt(line: "a\t\u{1b}[2J\u{202e}b", column: 3)
        #expect(hostile.text == "a \u{fffd}[2J\u{fffd}b")
        #expect(hostile.caretOffset == 2)
    }
}
