import Foundation
import Testing

@testable import LightsOutService

@Suite("The unit that sets the hardware clock")
struct AlarmUnitTests {
    private func obstacle(to kind: SleepKind = .hibernate, _ arrange: (SysfsTree) throws -> Void) throws -> String? {
        var found: String?
        try SysfsTree.with { tree in
            for folder in ["etc", "lib", "rtc"] { try tree.makeDirectory(folder) }
            try arrange(tree)
            found = AlarmUnit.obstacle(to: kind, in: ["\(tree.path)/etc", "\(tree.path)/lib"], clocks: "\(tree.path)/rtc")
        }
        return found
    }

    private nonisolated static let unit = "lightsout-wakealarm@.service"

    @Test func `is to be installed`() throws {
        try #expect(obstacle { try $0.clock("rtc/rtc0", wakeup: "enabled") }?.hasSuffix("is not installed") == true)
    }

    @Test(arguments: [unit, "lightsout-wakealarm@hibernate.service"])
    func `can be masked, as a whole and for one kind of sleep`(masked: String) throws {
        for kind in [SleepKind.hibernate, .hybridSleep] {
            let why = try obstacle(to: kind) { tree in
                try tree.clock("rtc/rtc0", wakeup: "enabled")
                try tree.write("lib/\(Self.unit)", "[Unit]\n")
                try FileManager.default.createSymbolicLink(atPath: "\(tree.path)/etc/\(masked)", withDestinationPath: "/dev/null")
            }
            #expect(why?.hasSuffix("is masked") == (masked == Self.unit || kind == .hibernate ? true : nil))
        }
    }

    @Test func `needs a clock`() throws {
        try #expect(obstacle { try $0.write("lib/\(Self.unit)", "[Unit]\n") } == "it has no hardware clock (RTC)")
        let why = try obstacle { tree in
            try tree.write("lib/\(Self.unit)", "[Unit]\n")
            try tree.clock("rtc/rtc0", wakeup: "enabled")
        }
        #expect(why == nil)
    }
}
