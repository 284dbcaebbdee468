import LightsOutCore
import TestSupport
import Testing

/// Text from outside costs time in proportion to its length, whatever it consists of.
@Suite("Foreign text")
struct ForeignTextTests {
    /// Marks in an order that Unicode's normal form does not have, so that Swift's own comparison sorts them.
    private static let marks = String(repeating: "\u{301}\u{316}\u{315}", count: 200_000)
    /// Of the thread's processor time, which other programs' work does not lengthen. Swift's comparison takes many times as much.
    private static let limit = Duration.seconds(4)

    @Test func `is compared by its bytes`() {
        #expect("block".hasSameBytes(as: "block"))
        #expect(!"\u{e9}".hasSameBytes(as: "e\u{301}"))
        #expect("block\u{301}".hasBytes(prefix: "block"))
        #expect("(1)\u{301})".hasBytes(suffix: ")"))
        #expect(!"lock".hasBytes(prefix: "block") && !"lock".hasBytes(suffix: "block"))
        #expect("".hasBytes(prefix: "") && "a".hasBytes(suffix: ""))
        #expect(["a", "b"].containsBytes(of: "b") && !["a", "b"].containsBytes(of: "b\u{301}"))
        #expect(RunResult(word: "success") == .success)
        #expect(RunResult(word: "success\u{301}") == nil && RunResult(word: "") == nil)
    }

    @Test(arguments: ["", "success", "lightsout-backup@", "lightsout"])
    func `of many marks costs no more than its length`(start: String) {
        let (one, other) = (start + Self.marks, start + Self.marks + "x")
        let time = processorTime {
            #expect(!one.hasSameBytes(as: other) && other.hasBytes(prefix: one) && !other.hasBytes(suffix: one))
            #expect(RunResult(word: one) == nil && Trigger(word: one) == nil)
            #expect(BackupName(unit: one + ".service") == nil)
            #expect((try? BackupName(one)) == nil)
            #expect(one.quotedForPeople.utf8.count < 1000)
        }
        #expect(time < Self.limit, "\(time)")
    }

    @Test func `is shown in a table, cut, as JSON and in a record in such a time`() {
        let text = "x" + Self.marks
        let time = processorTime {
            var table = Table([.init("WHO", minimumWidth: 4), .init("WHY", minimumWidth: 4)])
            table.add([.init(text), .init(text)])
            #expect(table.lines(width: 40, colour: true).count == 2)
            #expect(table.lines(width: nil, colour: false).count == 2)
            #expect(text.displayWidth == 1)
            #expect(text.cut(toWidth: 1) == text)
            #expect(!JSONValue.document([[.init("who", .string(text))]]).isEmpty)
        }
        #expect(time < Self.limit, "\(time)")
    }

    @Test(arguments: ["MESSAGE_ID", "LIGHTSOUT_RESULT", "LIGHTSOUT_BACKUP", "LIGHTSOUT_TRIGGER", "LIGHTSOUT_RUN", "_EXE", "_UID", "_SYSTEMD_UNIT", "LIGHTSOUT_REASON"])
    func `in any field of a record is looked at in such a time`(hostile: String) {
        let fields = [
            "MESSAGE_ID": JournalRecord.MessageID.finished, "LIGHTSOUT_RESULT": "success", "LIGHTSOUT_BACKUP": "server",
            "LIGHTSOUT_TRIGGER": "manual", "_UID": "0", "_EXE": "/usr/bin/lightsout",
        ]
        let field: (String) -> String? = { $0 == hostile ? (fields[$0] ?? "") + Self.marks : fields[$0] }
        let time = processorTime {
            for _ in 0..<10 {
                _ = RecordTrust().believes(field)
                _ = HistoryEntry(recorded: Timestamp(microseconds: 1_700_000_000_000_000), field: field)
            }
        }
        #expect(time < Self.limit, "\(time)")
    }
}
