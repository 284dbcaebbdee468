/// The classes of bytes that the texts of this folder are made of. Nothing depends on a locale.
extension UInt8 {
    var isDigit: Bool { self &- UInt8(ascii: "0") < 10 }
    var isLetter: Bool { (self | 0x20) &- UInt8(ascii: "a") < 26 }
    var isSign: Bool { self == UInt8(ascii: "+") || self == UInt8(ascii: "-") }
    var lowercased: UInt8 { self &- UInt8(ascii: "A") < 26 ? self | 0x20 : self }
}

extension String {
    /// Appends `value`, at least zero, with zeros before it until it is `width` digits long.
    mutating func append(_ value: Int, width: Int) {
        let digits = String(value)
        for _ in digits.utf8.count..<max(width, digits.utf8.count) { append("0") }
        append(digits)
    }
}
