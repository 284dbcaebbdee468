/// The digits behind a decimal point, as microseconds.
enum DecimalFraction {
    /// Reads all digits from `position` on and rounds them to six.
    /// - Returns: 0 to 1,000,000; `nil` where there is no digit.
    static func microseconds(_ bytes: ArraySlice<UInt8>, _ position: inout Int) -> Int? {
        let start = position
        var value = 0
        while position < bytes.endIndex, bytes[position].isDigit {
            let digit = Int(bytes[position] - UInt8(ascii: "0"))
            switch position - start {
            case 0..<6: value = value * 10 + digit
            case 6: value += digit >= 5 ? 1 : 0
            default: break
            }
            position += 1
        }
        guard position > start else { return nil }
        for _ in min(6, position - start)..<6 { value *= 10 }
        return value
    }
}
