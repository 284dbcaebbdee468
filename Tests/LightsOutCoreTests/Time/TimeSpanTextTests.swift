import Foundation
import LightsOutCore
import TestSupport
import Testing

@Suite("Time spans as text")
struct TimeSpanTextTests {
    @Test(
        "a span is the sum of its terms",
        arguments: [
            ("90", 90_000_000), ("0", 0), ("1.5h", 5_400_000_000), ("1h 30min", 5_400_000_000), ("1h30", 3_630_000_000),
            ("2 weeks", 1_209_600_000_000), ("55s500ms", 55_500_000), ("300ms20s 5day", 432_020_300_000),
            ("1y 12month", 63_115_200_000_000), ("1 .5h", 1_801_000_000), ("+5", 5_000_000), ("\u{b}5min\u{c} 5s", 305_000_000), (" 5\tmin ", 300_000_000),
            ("5\u{b5}s", 5), ("5\u{3bc}s", 5), ("0.0000001s", 0), ("9223372036854775807us", .max >> 1),
        ] as [(String, UInt64)])
    func value(text: String, microseconds: UInt64) throws {
        #expect(try TimeSpan(parsing: text).microseconds == microseconds)
    }

    @Test("infinity is a span, alone", arguments: ["infinity", " infinity "])
    func infinity(text: String) throws {
        #expect(try TimeSpan(parsing: text).isInfinite)
    }

    @Test(
        "other text is refused with the reason",
        arguments: [
            ("", .empty), ("  ", .empty), ("-5", .negative), ("1 -1", .negative), ("infinity 5", .unexpected("5")),
            ("5mon", .unexpected("on")), ("5.", .unexpected("5.")), ("1. 5h", .unexpected("1. 5h")),
            ("5+6", .unexpected("+6")), ("+.5", .unexpected("+.5")), ("1e3", .unexpected("e3")),
            ("5\u{b}min", .unexpected("\u{b}min")), ("5min\u{c}", .unexpected("\u{c}")), ("\u{b}.5", .unexpected("\u{b}.5")),
            ("\u{b}infinity", .unexpected("\u{b}infinity")), ("five", .unexpected("five")), ("1.5.5", .unexpected(".5")),
            ("9223372036854775808us", .tooLong), ("584543y", .tooLong), ("99999999999999999999s", .tooLong),
            ("292271y 292271y 1000y", .tooLong),
        ] as [(String, TimeSpanError)])
    func refused(text: String, reason: TimeSpanError) {
        #expect(throws: reason) { try TimeSpan(parsing: text) }
    }

    @Test(
        "a span is shown in systemd's words",
        arguments: [
            (0, "0"), (1, "1us"), (1500, "1.500ms"), (1_000_000, "1s"), (61_500_000, "1min 1.500000s"),
            (5_400_000_000, "1h 30min"), (2_629_800_000_000, "1month"), (.max, "infinity"),
            (.max >> 1, "292271y 1w 1d 10h 54.775807s"),
        ] as [(UInt64, String)])
    func shown(microseconds: UInt64, text: String) {
        #expect(TimeSpan(microseconds: microseconds).description == text)
    }

    @Test("reading what is shown gives the span again")
    func fixedPoint() throws {
        var random = SeededGenerator(seed: SeededGenerator.seed)
        for _ in 0..<10_000 {
            let span = TimeSpan(microseconds: random.next() >> UInt64.random(in: 1..<64, using: &random))
            #expect(try TimeSpan(parsing: span.description) == span)
        }
    }

    @Test(
        "500 generated texts are read as systemd-analyze reads them",
        .enabled(if: SystemdTimeSpans.isInstalled, "systemd-analyze is not installed"))
    func asSystemd() throws {
        var random = SeededGenerator(seed: SeededGenerator.seed)
        let texts = (0..<500).map { _ in Self.generate(using: &random) }
        for (text, theirs) in zip(texts, try SystemdTimeSpans.read(texts)) {
            let ours = try? TimeSpan(parsing: text)
            #expect(ours?.microseconds == theirs?.microseconds, "\(text.debugDescription)")
            #expect(ours?.description == theirs?.shown, "\(text.debugDescription)")
        }
    }

    /// A text near the edge of the language: mostly terms, now and then a piece that breaks one.
    private static func generate(using random: inout SeededGenerator) -> String {
        let units = [
            "seconds", "second", "sec", "s", "minutes", "minute", "min", "months", "month", "M", "msec", "ms", "m", "hours",
            "hour", "hr", "h", "days", "day", "d", "weeks", "week", "w", "years", "year", "y", "usec", "us", "\u{b5}s", "",
            "", "mon", "S", "secs", "e3",
        ]
        let numbers = ["0", "1", "5", "30", "584542", "9223372036854775807", "18446744073709551616", "+2", "-1", "", "007"]
        let pieces = ["", "", "", "", " ", "\t", "\u{b}", ".5", ".25", ".", "infinity", "1.999999999", ".0000001"]
        var text = ""
        for _ in 0...Int.random(in: 0..<3, using: &random) {
            for part in [numbers, pieces, units, ["", " ", "  ", "\u{c}"]] { text += part.randomElement(using: &random) ?? "" }
        }
        return text
    }
}

/// `systemd-analyze timespan`, the oracle.
enum SystemdTimeSpans {
    static let program = "/usr/bin/systemd-analyze"
    static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: program) }

    struct Reading {
        var microseconds: UInt64
        var shown: String
    }

    /// What systemd reads in each text; nil where it refuses it. One process reads up to the first refused text, so the
    /// texts go through in as many processes as there are refusals.
    static func read(_ texts: [String]) throws -> [Reading?] {
        var readings: [Reading?] = []
        while readings.count < texts.count {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: program)
            process.arguments = ["timespan", "--"] + texts[readings.count...]
            process.environment = ["LC_ALL": "C.UTF-8"]
            let output = Pipe()
            process.standardOutput = output
            process.standardError = FileHandle.nullDevice
            try process.run()
            let bytes = output.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            for block in String(decoding: bytes, as: UTF8.self).components(separatedBy: "Original: ").dropFirst() {
                // The original may hold anything but these two labels, which stand on lines of their own.
                guard let count = block.range(of: "s: "), let shown = block.range(of: "Human: ") else { continue }
                let digits = block[count.upperBound...].prefix { $0.isNumber }
                guard let microseconds = UInt64(digits) else { continue }
                let text = block[shown.upperBound...].prefix { $0 != "\n" }
                readings.append(Reading(microseconds: microseconds, shown: String(text)))
            }
            if process.terminationStatus != 0, readings.count < texts.count { readings.append(nil) }
        }
        return readings
    }
}
