/// Decides which lines of a script's output the journal gets: bytes in, bytes out.
///
/// The unit has no rate limit in journald, since records of results would be dropped with the output that meets it. So the
/// limit is here, and it is fair: in each ``Limits/window`` the first lines pass whole and at once, the last ones pass
/// when the window is over or the script ends, and between them one line says how many are left out.
///
/// A carriage return ends a line as a newline does. Lines that overwrite each other on a terminal (a progress bar) pass
/// once in ``Limits/progressInterval``, and the last of them always.
nonisolated struct OutputFilter {
    struct Limits: Sendable {
        /// Microseconds.
        var window: UInt64 = 30_000_000
        /// What passes at once in a window.
        var firstLines = 10_000
        var firstBytes = 8 << 20
        /// What is kept of the end of a window.
        var lastLines = 1000
        var lastBytes = 64 << 10
        /// journald cuts a line here (LineMax= of journald.conf(5)); a longer one counts as several.
        var longestLine = 48 << 10
        /// Microseconds.
        var progressInterval: UInt64 = 5_000_000
    }

    private let limits: Limits
    /// The line that is not complete yet.
    private var line: [UInt8] = []
    /// Whether `line` continues one that was too long.
    private var continues = false
    /// Whether the text before the cursor has passed already, since a carriage return ended it: a newline ends the same line.
    private var isShown = false
    /// The last line that a carriage return ended, where it has not passed.
    private var progress: [UInt8]?
    /// When a line of progress passed last.
    private var progressAt: UInt64?

    private var windowStart: UInt64?
    private var passedLines = 0
    private var passedBytes = 0
    private var kept = LineRing()
    private var leftOut = 0

    init(_ limits: Limits = Limits()) { self.limits = limits }

    /// Takes what the script printed.
    /// - Parameter now: a clock that does not go back, microseconds.
    /// - Returns: what the journal gets of it: whole lines.
    mutating func take(_ bytes: UnsafeRawBufferPointer, now: UInt64) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(min(bytes.count + line.count + 1, max(0, limits.firstBytes - passedBytes)))
        openWindow(now, &output)
        var rest = bytes[...]
        while let end = rest.firstIndex(where: { $0 == Self.newline || $0 == Self.carriageReturn || $0 == Self.nul }) {
            add(rest[rest.startIndex..<end], now, &output)
            switch rest[end] {
            case Self.carriageReturn: returnCarriage(now, &output)
            case Self.nul: endLine(by: Self.nul, &output)
            default: endLine(&output)
            }
            rest = rest[(end + 1)...]
        }
        add(rest, now, &output)
        return output
    }

    /// When ``tick(now:)`` has something to give; nil for never.
    var deadline: UInt64? {
        let window = leftOut > 0 || !kept.isEmpty ? windowStart.map { $0 + limits.window } : nil
        let progress = self.progress == nil ? nil : progressAt.map { $0 + limits.progressInterval }
        return [window, progress].compactMap { $0 }.min()
    }

    /// The deadline has come.
    mutating func tick(now: UInt64) -> [UInt8] {
        var output: [UInt8] = []
        openWindow(now, &output)
        if let progress, let progressAt, now >= progressAt + limits.progressInterval { showProgress(progress, now, &output) }
        return output
    }

    /// Nothing more comes: what is held back, and a newline if the last line has none.
    mutating func finish() -> [UInt8] {
        var output: [UInt8] = []
        if !line.isEmpty || continues || progress != nil {
            isShown = false
            endLine(&output)
        }
        closeWindow(&output)
        return output
    }

    // MARK: Lines

    private static let newline = UInt8(ascii: "\n")
    /// journald ends a line here too.
    private static let nul: UInt8 = 0
    private static let carriageReturn = UInt8(ascii: "\r")

    private mutating func add(_ bytes: Slice<UnsafeRawBufferPointer>, _ now: UInt64, _ output: inout [UInt8]) {
        var rest = bytes
        while line.count + rest.count > limits.longestLine {
            let part = rest.prefix(limits.longestLine - line.count)
            line.append(contentsOf: part)
            rest = rest.dropFirst(part.count)
            pass(line, &output)
            line.removeAll(keepingCapacity: true)
            continues = true
        }
        line.append(contentsOf: rest)
    }

    private mutating func endLine(by end: UInt8 = newline, _ output: inout [UInt8]) {
        // `\r\n` ends one line; what a line overwrites is gone.
        if line.isEmpty, let progress {
            pass(progress, endingIn: end, &output)
        } else if !line.isEmpty || !(continues || isShown) {
            pass(line, endingIn: end, &output)
        }
        isShown = false
        progress = nil
        continues = false
        line.removeAll(keepingCapacity: true)
    }

    private mutating func returnCarriage(_ now: UInt64, _ output: inout [UInt8]) {
        defer {
            line.removeAll(keepingCapacity: true)
            continues = false
        }
        guard line.contains(where: { $0 != UInt8(ascii: " ") }) else { return }
        isShown = false
        if let progressAt, now < progressAt + limits.progressInterval {
            progress = line
        } else if progressAt == nil {
            // It may be the `\r` of `\r\n`, or the only line: it passes with the next newline, the next line or the end.
            progress = line
            progressAt = now
        } else {
            showProgress(line, now, &output)
        }
    }

    private mutating func showProgress(_ text: [UInt8], _ now: UInt64, _ output: inout [UInt8]) {
        pass(text, &output)
        progress = nil
        progressAt = now
        isShown = true
    }

    // MARK: Windows

    private mutating func openWindow(_ now: UInt64, _ output: inout [UInt8]) {
        if let windowStart, now < windowStart + limits.window { return }
        closeWindow(&output)
        windowStart = now
    }

    private mutating func closeWindow(_ output: inout [UInt8]) {
        if leftOut > 0 {
            output += Array("lightsout: \(leftOut) line\(leftOut == 1 ? "" : "s") of output left out\n".utf8)
        }
        if !kept.isEmpty { output += kept.drain() }
        leftOut = 0
        passedLines = 0
        passedBytes = 0
    }

    private mutating func pass(_ text: [UInt8], endingIn end: UInt8 = newline, _ output: inout [UInt8]) {
        if passedLines < limits.firstLines, passedBytes + text.count <= limits.firstBytes, kept.isEmpty {
            passedLines += 1
            passedBytes += text.count
            output += text
            output.append(end)
            return
        }
        leftOut += kept.add(text, endingIn: end, lines: limits.lastLines, bytes: limits.lastBytes)
    }
}

/// The last lines of many, bounded in number and bytes: one buffer, in which each line ends with a newline or a NUL.
nonisolated private struct LineRing {
    private var buffer: [UInt8] = []
    /// Where the oldest line begins.
    private var start = 0
    private var count = 0

    var isEmpty: Bool { count == 0 }

    /// Adds a line, and drops the oldest ones that find no room with it.
    /// - Returns: how many were dropped.
    mutating func add(_ line: [UInt8], endingIn end: UInt8, lines limit: Int, bytes byteLimit: Int) -> Int {
        if buffer.count + line.count >= 2 * byteLimit {
            buffer.removeSubrange(..<start)
            start = 0
        }
        buffer += line
        buffer.append(end)
        count += 1
        var dropped = 0
        while count > 1, count > limit || buffer.count - start > byteLimit {
            while buffer[start] != 0 && buffer[start] != UInt8(ascii: "\n") { start += 1 }
            start += 1
            count -= 1
            dropped += 1
        }
        return dropped
    }

    /// Takes all lines out, oldest first.
    mutating func drain() -> ArraySlice<UInt8> {
        defer { self = LineRing() }
        return buffer[start...]
    }
}
