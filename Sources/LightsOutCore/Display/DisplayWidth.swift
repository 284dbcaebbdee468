// How much room text takes on a terminal, which gives wide characters two columns (Unicode Standard Annex #11).

extension String {
    /// The columns that the text takes.
    public var displayWidth: Int {
        // Nearly all text is ASCII, which needs no look into Unicode's tables.
        utf8.allSatisfy { $0 < 0x80 } ? utf8.count : reduce(0) { $0 + $1.displayWidth }
    }

    /// The text cut to `width` columns, with `…` for what is left out.
    public func cut(toWidth width: Int) -> String {
        guard displayWidth > width else { return self }
        guard width > 0 else { return "" }
        var room = width - 1
        var kept = ""
        for character in self {
            guard character.displayWidth <= room else { break }
            room -= character.displayWidth
            kept.append(character)
        }
        return kept + "…"
    }

    /// The text with nothing in it that a terminal might act on instead of showing it.
    public var escapedForTerminal: String {
        guard unicodeScalars.contains(where: \.isUnprintable) else { return self }
        var escaped = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "\n": escaped += "\\n"
            case "\t": escaped += "\\t"
            default:
                if scalar.isUnprintable {
                    escaped += "\\u{\(String(scalar.value, radix: 16))}"
                } else {
                    escaped.unicodeScalars.append(scalar)
                }
            }
        }
        return escaped
    }
}

extension Character {
    /// The columns that the character takes: those of its base, for what combines with it adds none.
    var displayWidth: Int {
        var width = 0
        for scalar in unicodeScalars {
            // Asks for the picture of a character that is also a text sign.
            if scalar == "\u{fe0f}", width == 1 { return 2 }
            if width == 0 { width = scalar.displayWidth }
        }
        return width
    }
}

extension Unicode.Scalar {
    fileprivate var displayWidth: Int {
        if value < 0x300 { return isUnprintable ? 0 : 1 }
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .control, .format: return 0
        default: return Self.wide.contains { $0.contains(value) } || properties.isEmojiPresentation ? 2 : 1
        }
    }

    /// The wide and full-width blocks of UAX #11 but for pictures, which Unicode marks by a property.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115f, 0x2329...0x232a, 0x2e80...0x303e, 0x3041...0x33ff, 0x3400...0x4dbf, 0x4e00...0x9fff,
        0xa000...0xa4cf, 0xa960...0xa97f, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f, 0xff01...0xff60,
        0xffe0...0xffe6, 0x16fe0...0x18aff, 0x1b000...0x1b2ff, 0x20000...0x3fffd,
    ]
}
