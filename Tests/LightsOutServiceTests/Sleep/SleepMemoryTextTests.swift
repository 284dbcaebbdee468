import LightsOutCore
import Testing

@testable import LightsOutService

struct `The memory of sleep on the disk` {
    private static var full: SleepMemory {
        SleepMemory(
            boot: "0123456789abcdef", request: .init(
                kind: .suspendThenHibernate, by: "anna of\nthe \"office\" 100%",
                asker: .init(uid: 1500, pid: 77, start: .max, hasGivenPassword: true)),
            refused: .init(kind: .suspend, at: at(2, 10), sessions: [anna, UserSession(id: "9", user: "bob", isIdle: false)]),
            asleep: .init(
                kind: .hybridSleep, began: .hours(3), alarm: .minutes(9), backups: [server, client], due: at(2, 30), isOurs: true,
                sessions: [anna, UserSession(id: "c2", user: "ä/b c", remoteHost: "fe80::1%eth0", isIdle: false, idleMark: .max)]),
            woken: .init(
                kind: .hibernate, pending: [server], ended: [client], patience: at(2, 40),
                sessions: [UserSession(id: "7", user: "", remoteHost: "", isIdle: false)]))
    }

    @Test func `is read as it was written`() throws {
        var parts = [Self.full, SleepMemory(boot: "boot")]
        for keep in 0..<4 {
            var memory = Self.full
            if keep != 0 { memory.request = nil }
            if keep != 1 { memory.asleep = nil }
            if keep != 2 { memory.woken = nil }
            if keep != 3 { memory.refused = nil }
            parts.append(memory)
        }
        var nobody = Self.full
        nobody.asleep?.sessions = []
        nobody.asleep?.backups = []
        nobody.asleep?.alarm = nil
        nobody.asleep?.due = nil
        nobody.woken?.pending = []
        parts.append(nobody)
        for memory in parts { #expect(try SleepMemory(text: memory.text) == memory) }
    }

    @Test func `is never believed when it was cut off or changed`() {
        let text = Self.full.text
        for length in 0..<text.utf8.count - 1 {
            let part = String(decoding: text.utf8.prefix(length), as: UTF8.self)
            // Whole lines that are missing at the end leave a shorter memory, which is one.
            guard !part.hasSuffix("\n") else { continue }
            #expect(throws: DamagedState.self) { try SleepMemory(text: part) }
        }
        for (from, to) in [
            ("asleep=hybrid-sleep", "asleep=nap"), ("asleep_ours=1", "asleep_ours=2"), ("idle/10", "idle/x"),
            ("version=1", "version=2"), ("refused=suspend", "refused=sleep"), ("refused_at=", "refused_at=x"), ("boot=", "boat="), ("woken_pending=server", "woken_pending=../x"),
            ("%20of", "%2"), ("%20of", "%ff"),
        ] {
            let changed = text.replacing(from, with: to)
            #expect(changed != text, "\(from)")
            #expect(throws: DamagedState.self, "\(to)") { try SleepMemory(text: changed) }
        }
    }
}
