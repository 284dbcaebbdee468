import Testing

@testable import Systemd

/// Records as journald takes them.
@Suite struct JournalDatagramTests {
    private func text(_ fields: [(String, String)], limit: Int) -> String {
        String(decoding: JournalDatagram(fields.map { (name: $0.0, value: $0.1) }).bytes(limit), as: UTF8.self)
    }

    @Test func `short values are as they are`() {
        #expect(text([("MESSAGE", "a=b"), ("PRIORITY", "6")], limit: 100) == "MESSAGE=a=b\nPRIORITY=6\n")
    }

    @Test func `a value of several lines has its length before it`() {
        let bytes = JournalDatagram([(name: "MESSAGE", value: "a\nb")]).bytes()
        #expect(bytes == Array("MESSAGE\n".utf8) + [3, 0, 0, 0, 0, 0, 0, 0] + Array("a\nb\n".utf8))
    }

    @Test(arguments: 4...16) func `a long value is cut between characters`(limit: Int) {
        for text in ["abcdefghijklmnopqrstuvwxyz", "äöüäöüäöüäöü", "€€€€€€€€€€", "😀😀😀😀😀😀", "a😀b€cäd😀e€fäg"] {
            let bytes = JournalDatagram([(name: "M", value: text)]).bytes(limit)
            let value = bytes.dropFirst(2).dropLast()
            #expect(value.count <= limit)
            let cut = String(validating: value, as: UTF8.self)
            #expect(cut?.hasSuffix("…") == true && text.hasPrefix(cut?.dropLast() ?? "?"), "\(text) at \(limit): \(cut ?? "no text")")
        }
    }

    @Test func `a record is never larger than a socket takes`() {
        let long = String(repeating: "x", count: 1 << 20)
        let bytes = JournalDatagram([(name: "MESSAGE", value: long), (name: "LIGHTSOUT_REASON", value: long)]).bytes()
        #expect(bytes.count < 128 * 1024)
    }
}
