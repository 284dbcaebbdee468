import LightsOutCore
import TestSupport
import Testing

/// Files that nobody writes who means well, and that must cost no more than an error or a reading.
@Suite("Hostile configuration files", .timeLimit(.minutes(1)))
struct HostileConfigurationTests {
    private func read(_ bytes: [UInt8]) -> ConfigurationReading {
        ConfigurationReader.read(main: ConfigurationFile(path: "l.yaml", bytes: bytes))
    }

    private func complaints(_ bytes: [UInt8]) -> [String] { read(bytes).problems.map(\.summary) }
    private func complaints(_ text: String) -> [String] { complaints(Array(text.utf8)) }

    @Test(
        "nesting is refused at its 33rd level, however deep it goes",
        arguments: ["[", "{a: ", "- ", "? ", "[{a: "])
    func deepNesting(opening: String) {
        #expect(
            complaints(String(repeating: opening, count: 100_000)).map { $0.suffix(30) }
                == [": nested deeper than 32 levels"])
    }

    @Test("indentation a thousand levels deep is refused")
    func deepIndentation() {
        let text = (0..<1000).map { String(repeating: " ", count: $0) + "a:\n" }.joined()
        #expect(complaints(text) == ["l.yaml:32:32: nested deeper than 32 levels"])
    }

    private static let tooMuch =
        "more values than any configuration has, each alias counted as all that it stands for; put what is common to backups under \"defaults\", and keep the file small"

    @Test("aliases of aliases are weighed as what they stand for, before that is built")
    func billionLaughs() {
        var text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
        for level in 1..<30 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ",")
            text += "a\(level): &a\(level) [\(aliases)]\n"
        }
        #expect(complaints(text) == ["l.yaml:7:10: " + Self.tooMuch])
    }

    @Test("one long list under many names is refused")
    func wideAliases() {
        let list = Array(repeating: "x", count: 10_000).joined(separator: ",")
        let text = "defaults: {args: &a [\(list)]}\nbackups:\n" + (0..<1000).map { "  b\($0): {args: *a}\n" }.joined()
        #expect(complaints(text).map { $0.hasSuffix(Self.tooMuch) } == [true])
    }

    @Test("an anchor that holds itself is refused")
    func selfReference() {
        #expect(complaints("backups: &a {x: *a}").map { $0.prefix(49) } == ["l.yaml:1:17: no anchor \"&a\" stands before this al"])
    }

    @Test("a million values are refused")
    func manyValues() {
        #expect(complaints("backups: [" + String(repeating: "a,", count: 3_000_000)).map { $0.hasSuffix(Self.tooMuch) } == [true])
    }

    @Test("a hundred thousand %TAG lines are refused at the first")
    func tagDirectives() {
        let text = (0..<100_000).map { "%TAG !a\($0)! tag:x:\n" }.joined() + "--- a"
        #expect(complaints("# c\n" + text) == ["l.yaml:2:1: tags are not read here; remove the line"])
    }

    @Test(
        "bytes that are no text are told with their place",
        arguments: [
            ([0x61, 0x3a, 0x20, 0xff], "1:4: the byte 0xff is no UTF-8; save the file as UTF-8"),
            (Array("é: \n ü".utf8.dropLast()), "2:2: the byte 0xc3 is no UTF-8; save the file as UTF-8"),
            ([0xc0, 0x80], "1:1: the byte 0xc0 is no UTF-8; save the file as UTF-8"),
            ([0xed, 0xa0, 0x80], "1:1: the byte 0xed is no UTF-8; save the file as UTF-8"),
            (Array("a: b\0\n".utf8), "1:5: a NUL byte: the file is damaged, or no text; restore it from a copy"),
            (Array("# é\u{7}\n".utf8), "1:4: the unprintable character U+0007; remove it"),
            (Array("a: \u{9b}\n".utf8), "1:4: the unprintable character U+009B; remove it"),
            (Array("a: \u{2028}\n".utf8), "1:4: the line separator U+2028, which editors show as no line end; end the line with a newline instead"),
            (Array("a: \u{85}\n".utf8), "1:4: the line separator U+0085, which editors show as no line end; end the line with a newline instead"),
            (Array("a: \u{fffe}\n".utf8), "1:4: the unprintable character U+FFFE; remove it"),
            (Array("a: \u{feff}\n".utf8), "1:4: the unprintable character U+FEFF; remove it"),
            ([0xff, 0xfe, 0x61, 0], "1:1: the file is UTF-16, which is not read; save it as UTF-8"),
            ([0xfe, 0xff, 0, 0x61], "1:1: the file is UTF-16, which is not read; save it as UTF-8"),
        ] as [([UInt8], String)])
    func noText(bytes: [UInt8], complaint: String) {
        #expect(complaints(bytes) == ["l.yaml:" + complaint])
    }

    @Test("a byte order mark is passed over, and counts for no column")
    func byteOrderMark() {
        #expect(complaints("\u{feff}backups:\r\n  a:\r\n") == [])
        #expect(complaints("\u{feff}backup:").map { $0.prefix(11) } == ["l.yaml:1:1:"])
    }

    @Test("lines end in LF, CR LF or CR, and are counted as editors count them", arguments: ["\n", "\r\n", "\r"])
    func lineEnds(end: String) throws {
        let reading = read(Array(["backups:", "  a:", "    wake: no", "    wak: no"].joined(separator: end).utf8))
        let problem = try #require(reading.problems.first)
        #expect(reading.problems.count == 1)
        #expect(problem.position == SourcePosition(line: 4, column: 5))
        #expect(problem.excerpt?.text == "    wak: no")
    }

    @Test("columns count characters, not bytes")
    func columns() {
        #expect(complaints("backups: {a: {description: \"äöü€🦊\", x: 1}}").map { $0.prefix(12) } == ["l.yaml:1:37:"])
    }

    @Test("a name that is a path, a command or an escape sequence is refused, and shown harmlessly")
    func names() {
        for name in ["../etc", "a/b", "", ".", "-rf", "a;b", "é", String(repeating: "x", count: 65), "\u{1b}[2J"] {
            let quoted = "\"" + name.unicodeScalars.map { $0.value < 0x20 ? "\\e" : String($0) }.joined() + "\""
            let problems = read(Array("backups: {\(quoted): {}}".utf8)).problems
            #expect(problems.map { $0.message.hasSuffix("the first a letter or digit") } == [true], "\(name)")
            #expect(problems.allSatisfy { !$0.rendered.unicodeScalars.contains("\u{1b}") })
        }
    }

    @Test("a valid file with bytes changed at random is read, or told wrong within its lines; never worse")
    func mutations() {
        var random = SeededGenerator(seed: SeededGenerator.seed)
        let original = Array(ConfigurationReaderTests.example.utf8)
        let spice = Array("[]{}:,*&!|>'\"%@`#?-~ \n\t\r\0\u{e9}\u{2028}<<".utf8) + [0x80, 0xff]
        for round in 0..<3000 {
            var bytes = original
            for _ in 0...Int.random(in: 0..<4, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                let length = min(Int.random(in: 0..<20, using: &random), bytes.count - place)
                switch Int.random(in: 0..<5, using: &random) {
                case 0: bytes[place] = spice.randomElement(using: &random) ?? 0
                case 1: bytes.insert(spice.randomElement(using: &random) ?? 0, at: place)
                case 2: bytes.removeSubrange(place..<(place + length))
                case 3: bytes.insert(contentsOf: bytes[place..<(place + length)], at: Int.random(in: 0..<bytes.count, using: &random))
                default: bytes.removeSubrange(max(1, place)...)
                }
            }
            let reading = read(bytes)
            #expect((reading.configuration != nil) != reading.hasErrors, "round \(round)")
            let lines = bytes.split(omittingEmptySubsequences: false) { $0 == 0x0a || $0 == 0x0d }.count
            for problem in reading.problems {
                let position = problem.position ?? SourcePosition(line: 0, column: 0)
                #expect((1...lines).contains(position.line) && position.column >= 1, "round \(round): \(problem.summary)")
                #expect(problem.excerpt != nil, "round \(round): \(problem.summary)")
            }
        }
    }
}
