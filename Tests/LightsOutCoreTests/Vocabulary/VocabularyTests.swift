import Testing

import LightsOutCore

struct `A backup's name` {
    @Test(arguments: ["server", "a", "0", "A-b_C", String(repeating: "x", count: 64)])
    func `is what fits into paths, units and bus paths`(text: String) throws {
        #expect(try BackupName(text).text == text)
    }

    @Test(arguments: [
        "", "-a", "_a", "a/b", "..", ".", "a.b", "a b", "a\n", "\n", "a\0", "é", "a@b", "a%i", "ａ", "a\u{301}", "💾",
        String(repeating: "x", count: 65), String(repeating: "x", count: 4000),
    ])
    func `is nothing else, and the refusal is one short line`(text: String) {
        #expect {
            try BackupName(text)
        } throws: { error in
            let line = "\(error)"
            return !line.contains("\n") && !line.contains("\0") && line.utf8.count < 500
        }
    }

    @Test func `is found in the name of its unit`() throws {
        let name = try BackupName("a-b")
        #expect(name.unit == "lightsout-backup@a-b.service")
        #expect(BackupName(unit: name.unit) == name)
        for other in ["lightsout-backup@.service", "lightsout-backup@a/b.service", "lightsoutd.service", "lightsout-backup@a.timer", "x-lightsout-backup@a.service", ""] {
            #expect(BackupName(unit: other) == nil, "\(other)")
        }
    }
}

struct `An outcome` {
    @Test(arguments: [
        (Int32(0), RunResult.success), (1, .failed), (2, .aborted), (3, .warnings), (4, .undefined), (5, .failed), (78, .failed),
        (127, .failed), (255, .failed),
    ])
    func `is what the script's exit status means`(status: Int32, result: RunResult) {
        let outcome = Outcome(.exited(status), exitCodes: ExitCodes())
        #expect(outcome.result == result)
        #expect(outcome.exitStatus == status)
        #expect(outcome.signal == nil)
        #expect(outcome.reason == (status == 0 ? nil : "the script exited with status \(status)"))
    }

    @Test func `is what the configuration says of the exit status`() {
        let codes = ExitCodes([24: .warnings, 0: .undefined])
        #expect(Outcome(.exited(24), exitCodes: codes).result == .warnings)
        #expect(Outcome(.exited(0), exitCodes: codes).result == .undefined)
        #expect(Outcome(.exited(0), exitCodes: codes).reason == "the script exited with status 0")
        #expect(Outcome(.exited(3), exitCodes: codes).result == .warnings)
    }

    @Test func `of a script that a signal ended is aborted, whatever the configuration says`() {
        let outcome = Outcome(.killed(signal: 15), exitCodes: ExitCodes([15: .success, 143: .success]))
        #expect(outcome == Outcome(.aborted, signal: 15, reason: "the script was ended by SIGTERM"))
        #expect(Outcome(.killed(signal: 40), exitCodes: ExitCodes()).reason == "the script was ended by signal 40")
    }

    @Test func `held to be no better than something stays as it is where it is worse`() {
        let success = Outcome(.success, exitStatus: 0)
        let blemished = success.atBest(.warnings, because: "no lock")
        #expect(blemished == Outcome(.warnings, exitStatus: 0, reason: "no lock"))
        let failed = Outcome(.failed, exitStatus: 1, reason: "disk")
        #expect(failed.atBest(.warnings, because: "no lock") == failed)
        #expect(blemished.atBest(.warnings, because: "another") == blemished)
    }
}

struct `A result` {
    @Test(arguments: [
        (RunResult.success, Int32(0), Int32?(0), Int32(6)), (.failed, 1, 1, 3), (.aborted, 2, 2, 3), (.warnings, 3, 3, 5),
        (.undefined, 4, nil, 4), (.missed, 1, 4, 4), (.wrongConfig, 78, 5, 3), (.unknown, 1, 255, 4),
    ])
    func `has the exit status, report code and priority that are documented`(
        result: RunResult, status: Int32, code: Int32?, priority: Int32
    ) {
        #expect(result.exitStatus == status)
        #expect(result.reportCode == code)
        #expect(result.priority.rawValue == priority)
        if let code { #expect(RunResult(reportCode: code) == result) }
    }

    @Test(arguments: [Int32(-1), 6, 77, 78, 254, 256])
    func `is reported by no other code`(code: Int32) {
        #expect(RunResult(reportCode: code) == nil)
    }

    @Test func `and another have one that is worse, whichever comes first`() {
        for one in RunResult.allCases {
            for other in RunResult.allCases {
                #expect(one.worse(than: other) == other.worse(than: one))
                #expect([one, other].contains(one.worse(than: other)))
            }
            #expect(one.worse(than: .success) == one)
        }
    }
}

struct `Text for people` {
    @Test(arguments: [
        ("plain", #""plain""#), ("a\"b\\", #""a\"b\\""#), ("a\nb\tc", #""a\nb\tc""#), ("\u{1b}[2J", #""\u{1b}[2J""#),
        ("\0", #""\u{0}""#), ("é💾", #""é💾""#), ("\u{202e}abc", #""\u{202e}abc""#), ("\u{2028}", #""\u{2028}""#), ("", #""""#),
        ("a\u{a0}b\u{3000}", #""a\u{a0}b\u{3000}""#),
    ])
    func `in quotes is one line that no terminal acts on`(text: String, quoted: String) {
        #expect(text.quotedForPeople == quoted)
    }

    @Test func `in quotes is short`() {
        let quoted = String(repeating: "é", count: 4000).quotedForPeople
        #expect(quoted.unicodeScalars.count == 83)
        #expect(quoted.hasSuffix("…\""))
    }

    @Test func `is quoted only where it has to be`() {
        #expect("/mnt/a b".plainOrQuoted == "/mnt/a b")
        #expect("/mnt/a\nb".plainOrQuoted == #""/mnt/a\nb""#)
        #expect(String(repeating: "x", count: 513).plainOrQuoted.hasPrefix("\"x"))
    }

    @Test(arguments: [
        ("/etc/a-b_c.yaml", "/etc/a-b_c.yaml"), ("", "''"), ("/a b", "'/a b'"), ("it's $HOME", #"'it'\''s $HOME'"#), ("a\nb", #"$'\x61\x0a\x62'"#),
    ])
    func `is one word of a command that a person may paste`(text: String, word: String) {
        #expect(text.shellWord == word)
    }
}

struct `A run's id` {
    @Test func `is 32 hexadecimal digits, and read from them in either case`() {
        let id = RunIdentifier(high: 0xab, low: 1)
        #expect(id.description == "00000000000000ab0000000000000001")
        #expect(RunIdentifier(id.description) == id)
        #expect(RunIdentifier("00000000000000AB0000000000000001") == id)
    }

    @Test(arguments: ["", "0", String(repeating: "g", count: 32), String(repeating: "0", count: 33), "+" + String(repeating: "0", count: 31), "-000000000000000-000000000000000", "é" + String(repeating: "0", count: 30)])
    func `is read from nothing else`(text: String) {
        #expect(RunIdentifier(text) == nil)
    }

    @Test func `drawn at random has the form of a version 4 UUID and does not come twice`() {
        let ids = (0..<1000).map { _ in RunIdentifier.random() }
        #expect(Set(ids).count == ids.count)
        for id in ids {
            #expect(id.high >> 12 & 0xf == 4)
            #expect(id.low >> 62 == 2)
        }
    }
}
