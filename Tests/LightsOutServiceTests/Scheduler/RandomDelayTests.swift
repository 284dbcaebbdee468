import LightsOutCore
import Testing

@testable import LightsOutService

struct `The random delay` {
    @Test func `the hash is SipHash-2-4, by its authors' test vectors`() {
        let key: (UInt64, UInt64) = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908)
        let expected: [Int: UInt64] = [
            0: 0x726f_db47_dd0e_0e31, 1: 0x74f8_39c5_93dc_67fd, 7: 0xab02_00f5_8b01_d137,
            8: 0x93f5_f579_9a93_2462, 15: 0xa129_ca61_49be_45e5,
        ]
        for (length, hash) in expected {
            #expect(SipHash.hash((0..<length).map { UInt8($0) }, key: key) == hash)
        }
    }

    @Test func `it is the same every time, and another for another machine or backup`() {
        let delay = { (backup: BackupName, machine: UInt64) in
            RandomDelay.delay(of: backup, machine: (machine, 7), upTo: .hours(12))
        }
        #expect(delay(server, 1) == delay(server, 1))
        #expect(delay(server, 1) != delay(client, 1))
        #expect(delay(server, 1) != delay(server, 2))
    }

    @Test func `it spreads evenly from zero to the span, in whole seconds`() {
        let span = TimeSpan.minutes(15)
        let delays = (0..<9010).map { RandomDelay.delay(of: name("b\($0)"), machine: (1, 2), upTo: span) }
        #expect(delays.allSatisfy { $0 <= span && $0.microseconds % 1_000_000 == 0 })
        // 901 choices, 10 draws each on average.
        #expect(Set(delays).count > 890)
        #expect(delays.min() == .zero || delays.min() == .seconds(1))
        let early = delays.filter { $0 < .seconds(450) }.count
        #expect((4200...4800).contains(early))
    }

    @Test func `no span is no delay, and the longest span overflows nothing`() {
        #expect(RandomDelay.delay(of: server, machine: (1, 2), upTo: .zero) == .zero)
        #expect(RandomDelay.delay(of: server, machine: (1, 2), upTo: .infinity) == .zero)
        let longest = TimeSpan(microseconds: .max - 1)
        #expect(RandomDelay.delay(of: server, machine: (1, 2), upTo: longest) <= longest)
    }
}
