import CLinux
import Glibc

/// One record as journald takes it in a datagram (systemd.io/JOURNAL_NATIVE_PROTOCOL).
public nonisolated struct JournalDatagram: Sendable {
    private let fields: [(name: String, value: String)]

    /// Longer values are cut. Of the fields of a record that may be long there are two or three; a socket's buffer has about
    /// 200 KiB, and the journal's readers take 64 KiB of a field.
    private static let longestValue = 48 * 1024
    /// The same where the socket takes less.
    private static let shortValue = 1024

    public init(_ fields: [(name: String, value: String)]) { self.fields = fields }

    /// Hands it over and does not wait.
    /// - Throws: ``SystemError``; EAGAIN while journald does not read.
    func send(to socket: borrowing Descriptor) throws(SystemError) {
        let number = socket.number
        for limit in [Self.longestValue, Self.shortValue] {
            let bytes = bytes(limit)
            do throws(SystemError) {
                return _ = try retryingInterrupts(Journal.operation) {
                    Glibc.send(number, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
                }
            } catch {
                guard error.code == EMSGSIZE || error.code == ENOBUFS, limit != Self.shortValue else { throw error }
            }
        }
    }

    /// - Parameter limit: the longest value, in bytes.
    func bytes(_ limit: Int = longestValue) -> [UInt8] {
        var bytes: [UInt8] = []
        for field in fields {
            bytes += field.name.utf8
            let value = Self.cut(field.value, limit)
            if value.contains(UInt8(ascii: "\n")) {
                bytes.append(UInt8(ascii: "\n"))
                withUnsafeBytes(of: UInt64(value.count).littleEndian) { bytes += $0 }
            } else {
                bytes.append(UInt8(ascii: "="))
            }
            bytes += value
            bytes.append(UInt8(ascii: "\n"))
        }
        return bytes
    }

    /// At most `limit` bytes of the text, and no half of a character.
    private static func cut(_ text: String, _ limit: Int) -> [UInt8] {
        guard text.utf8.count > limit else { return Array(text.utf8) }
        let mark = Array("…".utf8)
        var kept = Array(text.utf8.prefix(limit - mark.count))
        // A byte of the form 10xxxxxx goes on with a character.
        if text.utf8.dropFirst(kept.count).first.map({ $0 & 0xC0 == 0x80 }) == true {
            while let last = kept.popLast(), last & 0xC0 == 0x80 {}
        }
        return kept + mark
    }
}
