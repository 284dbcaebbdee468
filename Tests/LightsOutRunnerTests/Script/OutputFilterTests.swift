import TestSupport
import Testing

@testable import LightsOutRunner

nonisolated private func lines(_ bytes: [UInt8]) -> [String] {
    String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
}

nonisolated extension OutputFilter {
    fileprivate mutating func take(_ text: String, at seconds: Double = 0) -> [String] {
        var lines = lines(text.utf8.withContiguousStorageIfAvailable { take(UnsafeRawBufferPointer($0), now: UInt64(seconds * 1e6)) } ?? [])
        if lines.last == "" { lines.removeLast() }
        return lines
    }

    fileprivate mutating func end() -> [String] {
        let all = lines(finish())
        return all.last == "" ? all.dropLast() : all
    }
}

private func small() -> OutputFilter {
    var limits = OutputFilter.Limits()
    limits.firstLines = 3
    limits.lastLines = 2
    limits.longestLine = 10
    return OutputFilter(limits)
}

struct `What a script prints` {
    @Test func `passes at once, line by line`() {
        var filter = small()
        #expect(filter.take("a\nb") == ["a"])
        #expect(filter.take("c\n\n") == ["bc", ""])
        #expect(filter.deadline == nil)
    }

    @Test func `is cut in the middle when it is too much, and its last lines come at the end`() {
        var filter = small()
        #expect(filter.take((1...10).map { "\($0)\n" }.joined()) == ["1", "2", "3"])
        #expect(filter.end() == ["lightsout: 5 lines of output left out", "9", "10"])
    }

    @Test func `is whole when it is just enough for the first and the last lines`() {
        var filter = small()
        #expect(filter.take("1\n2\n3\n4\n5\n") == ["1", "2", "3"])
        #expect(filter.end() == ["4", "5"])
    }

    @Test func `says of one line that it is one`() {
        var filter = small()
        _ = filter.take("1\n2\n3\n4\n5\n6\n")
        #expect(filter.end().first == "lightsout: 1 line of output left out")
    }

    @Test func `passes again in the next window, and its last lines come when the first is over`() {
        var filter = small()
        _ = filter.take((1...10).map { "\($0)\n" }.joined())
        #expect(filter.deadline == 30_000_000)
        #expect(lines(filter.tick(now: 30_000_000)).dropLast() == ["lightsout: 5 lines of output left out", "9", "10"])
        #expect(filter.deadline == nil)
        #expect(filter.take("11\n", at: 31) == ["11"])
        #expect(filter.end() == [])
    }

    @Test func `is whole for days when it is slow`() {
        var filter = small()
        for hour in 0..<1000 { #expect(filter.take("\(hour)\n", at: Double(hour) * 3600) == ["\(hour)"]) }
        #expect(filter.end() == [])
    }

    @Test func `keeps the order, also when the window ends in a burst`() {
        var filter = small()
        _ = filter.take("1\n2\n3\n4\n5\n6\n", at: 1)
        #expect(filter.take("7\n8\n", at: 40) == ["lightsout: 1 line of output left out", "5", "6", "7", "8"])
    }

    @Test func `counts a line that is too long as several, and loses none of it`() {
        var filter = small()
        #expect(filter.take("0123456789abcdefghij\nx\n") == ["0123456789", "abcdefghij", "x"])
        #expect(filter.end() == [])
    }

    @Test func `is bounded in memory without any newline`() {
        var filter = OutputFilter()
        let block = String(repeating: "x", count: 64 << 10)
        var passed = 0
        for _ in 0..<2000 { passed += filter.take(block).reduce(0) { $0 + $1.utf8.count } }
        let end = filter.end()
        #expect(passed <= 8 << 20)
        #expect(end.reduce(0) { $0 + $1.utf8.count } < 300 << 10)
        #expect(end.first?.contains("left out") == true)
    }

    @Test func `ends with a newline though the script printed none`() {
        var filter = small()
        #expect(filter.take("half") == [])
        #expect(filter.end() == ["half"])
    }

    @Test(arguments: ["a\r\nb\r\n", "a\r\r\nb\r\n", "\ra\nb\r\n"]) func `may end its lines with CR LF`(text: String) {
        var filter = small()
        #expect(filter.take(text) == ["a", "b"])
        #expect(filter.end() == [])
    }

    @Test func `may end its lines with CR LF for hours`() {
        var filter = small()
        #expect(filter.take("a\r\n") == ["a"])
        #expect(filter.take("b\r\n", at: 6) == ["b"])
        #expect(filter.take("c\r\n", at: 12) == ["c"])
        #expect(filter.take("\r\nd\r\n", at: 40) == ["", "d"])
        #expect(filter.end() == [])
    }

    @Test func `a bar that was shown is not shown again by its newline`() {
        var filter = OutputFilter()
        _ = filter.take("10 %\r50 %\r", at: 1)
        #expect(lines(filter.tick(now: 6_000_000)).dropLast() == ["50 %"])
        #expect(filter.take("\n", at: 7) == [])
        #expect(filter.take("\n", at: 8) == [""])
    }

    @Test func `counts NULs as ends of lines, as journald does`() {
        var filter = small()
        #expect(filter.take("1\02\03\04\05\06\0") == ["1\02\03\0"])
        #expect(filter.end() == ["lightsout: 1 line of output left out", "5\06\0"])
    }

    @Test func `may break CR LF over two writes`() {
        var filter = small()
        #expect(filter.take("a\r") == [])
        #expect(filter.take("\nb\n") == ["a", "b"])
    }

    @Test func `of a progress bar, one line passes every few seconds, and the last one`() {
        var filter = OutputFilter()
        var passed: [String] = []
        for second in 0...20 { passed += filter.take("\r\(second * 5) %", at: Double(second)) }
        passed += filter.take("\n", at: 20.5)
        #expect(passed == ["25 %", "50 %", "75 %", "100 %"])
    }

    @Test func `a progress bar that stops is shown after a few seconds`() {
        var filter = OutputFilter()
        _ = filter.take("10 %\r20 %\r", at: 1)
        #expect(filter.deadline == 6_000_000)
        #expect(lines(filter.tick(now: 6_000_000)).dropLast() == ["20 %"])
        #expect(filter.end() == [])
    }

    @Test func `blanks that clear a progress bar are no line`() {
        var filter = OutputFilter()
        #expect(filter.take("50 %\r     \rdone\n") == ["done"])
    }
}

struct `Any output` {
    /// Whatever is printed, in whatever pieces: the first lines and the last ones are whole, and the rest is counted.
    @Test(arguments: 0..<300) func `is the first lines, a count and the last lines`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let count = Int.random(in: 0...40, using: &generator)
        let printed = (0..<count).map { "\($0)" + String(repeating: "x", count: Int.random(in: 0...6, using: &generator)) }
        var filter = small()
        var got: [String] = []
        var rest = Substring(printed.map { $0 + "\n" }.joined())
        while !rest.isEmpty {
            let part = rest.prefix(Int.random(in: 1...9, using: &generator))
            got += filter.take(String(part))
            rest = rest.dropFirst(part.count)
        }
        got += filter.end()
        guard count > 5 else { return #expect(got == printed) }
        #expect(got == printed.prefix(3) + ["lightsout: \(count - 5) line\(count == 6 ? "" : "s") of output left out"] + printed.suffix(2))
    }
}
