/// The bytes of one file as text that a YAML parser may read: valid UTF-8, nothing in it but what can be seen, and lines
/// that end where every editor ends them.
struct SourceText {
    /// Without the byte order mark, if there was one.
    let bytes: ArraySlice<UInt8>

    /// - Throws: ``YAMLSyntaxError`` at the first byte that no configuration file holds.
    init(checking file: [UInt8]) throws(YAMLSyntaxError) {
        if file.starts(with: [0xff, 0xfe]) || file.starts(with: [0xfe, 0xff]) {
            throw YAMLSyntaxError(
                at: SourcePosition(line: 1, column: 1), "the file is UTF-16, which is not read",
                suggestion: "save it as UTF-8")
        }
        bytes = Self.withoutByteOrderMark(file)
        if let (offset, fault) = Self.firstFault(in: bytes) {
            throw YAMLSyntaxError(
                at: LineIndex(bytes).position(ofByte: offset), fault.message, suggestion: fault.suggestion)
        }
    }

    /// What counts for lines and columns.
    static func withoutByteOrderMark(_ file: [UInt8]) -> ArraySlice<UInt8> {
        file.starts(with: [0xef, 0xbb, 0xbf]) ? file.dropFirst(3) : file[...]
    }

    private static func firstFault(in bytes: ArraySlice<UInt8>) -> (offset: Int, fault: Fault)? {
        let firstInvalid: Int?
        do throws(UTF8.ValidationError) {
            _ = try UTF8Span(validating: bytes.span)
            firstInvalid = nil
        } catch {
            firstInvalid = bytes.startIndex + error.byteOffsets.lowerBound
        }
        // A fault before the invalid byte comes first; all up to it is valid, so looking ahead stays within a scalar.
        if let found = bytes[..<(firstInvalid ?? bytes.endIndex)].firstFault { return found }
        return firstInvalid.map { ($0, .invalidUTF8(bytes[$0])) }
    }

    enum Fault {
        case invalidUTF8(UInt8)
        case nul
        case control(Unicode.Scalar)
        case foreignLineEnd(Unicode.Scalar)
        case tagDirective

        var message: String {
            switch self {
            case .invalidUTF8(let byte): "the byte 0x\(String(byte, radix: 16)) is no UTF-8"
            case .nul: "a NUL byte: the file is damaged, or no text"
            case .control(let scalar): "the unprintable character \(scalar.codePoint)"
            case .foreignLineEnd(let scalar):
                "the line separator \(scalar.codePoint), which editors show as no line end"
            case .tagDirective: "tags are not read here"
            }
        }

        var suggestion: String {
            switch self {
            case .invalidUTF8: "save the file as UTF-8"
            case .nul: "restore it from a copy"
            case .control: "remove it"
            case .foreignLineEnd: "end the line with a newline instead"
            case .tagDirective: "remove the line"
            }
        }
    }
}

extension ArraySlice<UInt8> {
    /// The first scalar of this valid UTF-8 that YAML forbids or that ends a line for YAML 1.1 but for no editor; or a
    /// `%TAG` line, each of which libyaml compares with all before it.
    fileprivate var firstFault: (offset: Int, fault: SourceText.Fault)? {
        withUnsafeBufferPointer { bytes in
            for index in bytes.indices {
                let byte = bytes[index]
                if byte >= 0x20, byte < 0x7f {
                    guard byte == UInt8(ascii: "%"), index == 0 || bytes[index - 1] == 0x0a || bytes[index - 1] == 0x0d,
                        bytes[index...].starts(with: "%TAG".utf8)
                    else { continue }
                    return (startIndex + index, .tagDirective)
                }
                let fault: SourceText.Fault
                switch byte {
                case 0x09, 0x0a, 0x0d: continue
                case 0: fault = .nul
                case 1..<0x20, 0x7f: fault = .control(Unicode.Scalar(byte))
                case 0xc2 where bytes[index + 1] < 0xa0:
                    fault = bytes[index + 1] == 0x85 ? .foreignLineEnd("\u{85}") : .control(Unicode.Scalar(bytes[index + 1]))
                case 0xe2 where bytes[index + 1] == 0x80 && (bytes[index + 2] == 0xa8 || bytes[index + 2] == 0xa9):
                    fault = .foreignLineEnd(bytes[index + 2] == 0xa8 ? "\u{2028}" : "\u{2029}")
                case 0xef where bytes[index + 1] == 0xbb && bytes[index + 2] == 0xbf: fault = .control("\u{feff}")
                case 0xef where bytes[index + 1] == 0xbf && bytes[index + 2] >= 0xbe:
                    fault = .control(bytes[index + 2] == 0xbe ? "\u{fffe}" : "\u{ffff}")
                default: continue
                }
                return (startIndex + index, fault)
            }
            return nil
        }
    }
}

/// Where the lines of a text begin: after LF, CR LF or a lone CR. Built once, when there is something to show.
///
/// A place is found in constant time, however long its line is: all of a file may be one line, and every place in it wrong.
struct LineIndex {
    private let bytes: ArraySlice<UInt8>
    private let starts: [Int]
    /// How many characters begin before each ``stride``th byte.
    private let charactersBefore: [Int]
    private static let stride = 1024

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        starts = bytes.withUnsafeBufferPointer { text in
            var starts = [bytes.startIndex]
            for (index, byte) in text.enumerated() where byte <= UInt8(ascii: "\r") {
                let isEnd =
                    byte == UInt8(ascii: "\n")
                    || byte == UInt8(ascii: "\r") && (index + 1 == text.count || text[index + 1] != UInt8(ascii: "\n"))
                if isEnd { starts.append(bytes.startIndex + index + 1) }
            }
            return starts
        }
        charactersBefore = bytes.withUnsafeBufferPointer { text in
            var counts: [Int] = []
            var count = 0
            for (index, byte) in text.enumerated() {
                if index % Self.stride == 0 { counts.append(count) }
                if byte.beginsCharacter { count += 1 }
            }
            return counts
        }
    }

    /// The position, or the text's end where it lies past that: libyaml finds the end on a line of its own.
    func nearest(_ position: SourcePosition) -> SourcePosition {
        min(position, self.position(ofByte: bytes.endIndex))
    }

    /// How many characters of the text begin before the byte.
    private func characters(before offset: Int) -> Int {
        let block = min((offset - bytes.startIndex) / Self.stride, charactersBefore.count - 1)
        guard block >= 0 else { return 0 }
        return charactersBefore[block] + bytes[(bytes.startIndex + block * Self.stride)..<offset].count(where: \.beginsCharacter)
    }

    /// Where the character begins that has `count` others before it in the text.
    private func byte(ofCharacter count: Int) -> Int {
        var low = 0
        var high = charactersBefore.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if charactersBefore[middle] <= count { low = middle } else { high = middle }
        }
        guard low < charactersBefore.count else { return bytes.endIndex }
        var left = count - charactersBefore[low]
        for index in (bytes.startIndex + low * Self.stride)..<bytes.endIndex where bytes[index].beginsCharacter {
            if left == 0 { return index }
            left -= 1
        }
        return bytes.endIndex
    }

    func position(ofByte offset: Int) -> SourcePosition {
        var low = 0
        var high = starts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= offset { low = middle } else { high = middle }
        }
        return SourcePosition(line: low + 1, column: characters(before: offset) - characters(before: starts[low]) + 1)
    }

    /// What is shown of the line at `position`, which may lie past its end; nil where there is no such line. Invalid bytes
    /// show as U+FFFD.
    func excerpt(at position: SourcePosition) -> SourceExcerpt? {
        guard position.line >= 1, position.line <= starts.count else { return nil }
        let start = starts[position.line - 1]
        var end = position.line < starts.count ? starts[position.line] : bytes.endIndex
        while end > start, bytes[end - 1] == UInt8(ascii: "\n") || bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        let before = characters(before: start)
        let window = SourceExcerpt.Window(column: position.column, ofLineOf: characters(before: end) - before)
        let first = min(byte(ofCharacter: before + window.skipped), end)
        let last = min(end, first + SourceExcerpt.Window.mostBytes)
        return SourceExcerpt(window, showing: String(decoding: bytes[first..<last], as: UTF8.self).unicodeScalars)
    }
}

extension UInt8 {
    /// Whether a character of UTF-8 begins with the byte: each is counted there.
    fileprivate var beginsCharacter: Bool { self & 0xc0 != 0x80 }
}
