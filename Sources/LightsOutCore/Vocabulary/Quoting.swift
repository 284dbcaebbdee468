extension String {
    /// The text in double quotes, fit for one line of a terminal or journal: control characters, quotes and what cannot be
    /// seen or told from a space escaped, long text cut. Hostile input is shown in no other way.
    public var quotedForPeople: String {
        let limit = 80
        var quoted = "\""
        var shown = 0
        for scalar in unicodeScalars {
            if shown == limit {
                quoted += "…"
                break
            }
            shown += 1
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            default:
                if scalar.isUnprintable || scalar.isForeignSpace {
                    quoted += "\\u{\(String(scalar.value, radix: 16))}"
                } else {
                    quoted.unicodeScalars.append(scalar)
                }
            }
        }
        return quoted + "\""
    }
}

extension String {
    /// The text as it is where that is one printable line of a bearable length, such as a path; else ``quotedForPeople``.
    public var plainOrQuoted: String {
        utf8.count <= 512 && !unicodeScalars.contains(where: \.isUnprintable) ? self : quotedForPeople
    }
}

extension String {
    /// The text as one word of a shell command that a person may paste.
    public var shellWord: String {
        let plain = utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "/._-+:@%,".utf8.contains(byte)
            }
        }
        if plain && !isEmpty { return self }
        if unicodeScalars.contains(where: \.isUnprintable) {
            // bash's and zsh's way, which shows what there is and does the same.
            let bytes = utf8.map { "\\x" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }
            return "$'\(bytes.joined())'"
        }
        return "'" + split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}

extension Unicode.Scalar {
    /// Whether a terminal might act on the scalar instead of showing it: controls, formatting and direction marks,
    /// line and paragraph separators.
    public var isUnprintable: Bool {
        // Nearly all text is ASCII, which needs no look into Unicode's tables.
        if isASCII { return value < 0x20 || value == 0x7f }
        return switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: true
        default: false
        }
    }

    /// Whether the scalar looks like a space and is none, such as the no-break space.
    fileprivate var isForeignSpace: Bool { !isASCII && properties.generalCategory == .spaceSeparator }

    /// The scalar as Unicode names it: `U+00AD`.
    var codePoint: String {
        let digits = String(value, radix: 16, uppercase: true)
        return "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}
