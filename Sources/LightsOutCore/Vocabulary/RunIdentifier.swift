/// The 128-bit id of one run: the unit's invocation id where there is one (sd_id128_get_invocation(3)), so that
/// `journalctl _SYSTEMD_INVOCATION_ID=` and `LIGHTSOUT_RUN=` name the same thing; drawn at random elsewhere.
public struct RunIdentifier: Hashable, Sendable, CustomStringConvertible {
    public let high: UInt64
    public let low: UInt64

    /// A new id, drawn at random in the form of a version 4 UUID, as sd_id128_randomize(3) does.
    public static func random() -> RunIdentifier {
        var generator = SystemRandomNumberGenerator()
        return RunIdentifier(
            high: generator.next() & 0xffff_ffff_ffff_0fff | 0x4000,
            low: generator.next() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000)
    }

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads 32 hexadecimal digits, as in `$INVOCATION_ID`.
    public init?(_ text: some StringProtocol) {
        let digits = text.utf8
        guard digits.count == 32, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let high = UInt64(text.prefix(16), radix: 16), let low = UInt64(text.suffix(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }

    /// 32 lower-case hexadecimal digits.
    public var description: String { Self.hexadecimal(high) + Self.hexadecimal(low) }

    private static func hexadecimal(_ half: UInt64) -> String {
        let digits = String(half, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
