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
struct LineIndex {
    private let bytes: ArraySlice<UInt8>
    private let starts: [Int]

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
    }

    /// The position, or the text's end where it lies past that: libyaml finds the end on a line of its own.
    func nearest(_ position: SourcePosition) -> SourcePosition {
        min(position, self.position(ofByte: bytes.endIndex))
    }

    func position(ofByte offset: Int) -> SourcePosition {
        var low = 0
        var high = starts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= offset { low = middle } else { high = middle }
        }
        // A character is counted at its first byte.
        let column = bytes[starts[low]..<offset].count { $0 & 0xc0 != 0x80 } + 1
        return SourcePosition(line: low + 1, column: column)
    }

    /// The text of line `number`, counted from 1, without its end. Invalid bytes show as U+FFFD.
    func line(_ number: Int) -> String? {
        guard number >= 1, number <= starts.count else { return nil }
        let end = number < starts.count ? starts[number] : bytes.endIndex
        let line = bytes[starts[number - 1]..<end]
        let text = line.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        return String(decoding: text, as: UTF8.self)
    }
}
