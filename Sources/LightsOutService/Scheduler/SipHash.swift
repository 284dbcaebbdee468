/// SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash that is the same on every machine, in every process and
/// in every version, which Swift's own `Hasher` is not.
nonisolated enum SipHash {
    /// The 64-bit hash of `message` under the 128-bit key whose little-endian halves are `key`.
    static func hash(_ message: some Collection<UInt8>, key: (UInt64, UInt64)) -> UInt64 {
        var state = State(key: key)
        var word: UInt64 = 0
        var filled: UInt64 = 0
        for byte in message {
            word |= UInt64(byte) << (8 * filled)
            filled += 1
            if filled == 8 {
                state.absorb(word)
                word = 0
                filled = 0
            }
        }
        state.absorb(word | UInt64(truncatingIfNeeded: message.count) << 56)
        return state.finish()
    }

    private struct State {
        var v0, v1, v2, v3: UInt64

        init(key: (UInt64, UInt64)) {
            v0 = key.0 ^ 0x736f_6d65_7073_6575
            v1 = key.1 ^ 0x646f_7261_6e64_6f6d
            v2 = key.0 ^ 0x6c79_6765_6e65_7261
            v3 = key.1 ^ 0x7465_6462_7974_6573
        }

        mutating func absorb(_ word: UInt64) {
            v3 ^= word
            round()
            round()
            v0 ^= word
        }

        mutating func finish() -> UInt64 {
            v2 ^= 0xff
            for _ in 0..<4 { round() }
            return v0 ^ v1 ^ v2 ^ v3
        }

        private mutating func round() {
            v0 &+= v1
            v1 = v1.rotated(left: 13) ^ v0
            v0 = v0.rotated(left: 32)
            v2 &+= v3
            v3 = v3.rotated(left: 16) ^ v2
            v0 &+= v3
            v3 = v3.rotated(left: 21) ^ v0
            v2 &+= v1
            v1 = v1.rotated(left: 17) ^ v2
            v2 = v2.rotated(left: 32)
        }
    }
}

nonisolated extension UInt64 {
    fileprivate func rotated(left bits: UInt64) -> UInt64 { self << bits | self >> (64 - bits) }
}
