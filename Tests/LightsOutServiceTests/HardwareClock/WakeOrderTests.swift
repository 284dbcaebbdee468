import LightsOutCore
import Testing

@testable import LightsOutService

@Suite("What the daemon leaves for the hardware clock")
nonisolated struct WakeOrderTests {
    private func order(_ names: String...) throws -> WakeOrder {
        WakeOrder(
            at: Timestamp(microseconds: 1_796_002_140_900_000), due: Timestamp(microseconds: 1_796_002_200_900_000),
            backups: Set(try names.map { try BackupName($0) }))
    }

    @Test func `is in whole seconds, and read as it was written`() throws {
        let order = try order("server", "photos")
        #expect(order.text.split(separator: "\n").dropFirst() == ["version=1", "at=1796002140", "due=1796002200", "backups=photos server"])
        #expect(try WakeOrder(text: order.text) == order)
    }

    @Test(
        arguments: [
            "", "\n", "at=5", "version=1\n", "version=2\nat=5\ndue=6\nbackups=server\n",
            "version=1\nat=five\ndue=6\nbackups=server\n", "version=1\nat=-5\ndue=6\nbackups=server\n",
            "version=1\nat=5\ndue=4\nbackups=server\n", "version=1\nat=5\ndue=6\nbackups=\n",
            "version=1\nat=5\ndue=6\nbackups=../server\n", "version=1\nat=5\ndue=6\nbackups=server\nmore=1\n",
            "version=1\nat=5\nat=6\ndue=6\nbackups=server\n", "version=1\nat=5\ndue=6\nbackups=server",
            "version=1\nat=99999999999999\ndue=99999999999999\nbackups=server\n",
            "version=1\nat=9223372036854775807\ndue=9223372036854775807\nbackups=server\n",
            "version=1\nat=99999999999999999999\ndue=6\nbackups=server\n",
            "version=1\nat=5\ndue=6\nbackups=a\u{1b}[2J\n", "version=1\nat= 5\ndue=6\nbackups=server\n",
        ])
    func `is not believed where it is not of that form`(text: String) {
        #expect(throws: DamagedState.self) { try WakeOrder(text: text) }
    }
}
