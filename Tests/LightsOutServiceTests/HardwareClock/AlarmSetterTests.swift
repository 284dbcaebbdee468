import Foundation
import Glibc
import LightsOutCore
import Systemd
import Testing

@testable import LightsOutService

@Suite("Setting the hardware clock")
struct AlarmSetterTests {
    /// A machine with clocks of the test's making, for whose backup `server` a daemon has left an order.
    private final class World {
        let tree: SysfsTree
        let directories: Directories
        let now = Int64(Date().timeIntervalSince1970)
        private(set) var journal: [JournalRecord] = []

        init(_ tree: SysfsTree) {
            self.tree = tree
            directories = Directories(environment: ["LIGHTSOUT_RUNTIME_DIR": tree.path + "/run"], environmentIsForeign: false)
        }

        private var setter: AlarmSetter {
            AlarmSetter(directories, clocks: tree.path + "/rtc") { [unowned self] in journal.append($0) }
        }

        func order(in seconds: Int64) throws {
            func time(_ seconds: Int64) -> Timestamp { Timestamp(microseconds: (now + seconds) * 1_000_000) }
            try WakeOrderFile(directory: directories.runtime)
                .leave(WakeOrder(at: time(seconds), due: time(seconds + 60), backups: [server]))
        }

        func arm(_ kind: SleepKind = .hibernate) { setter.arm(for: kind) }
        func disarm() { setter.disarm() }

        /// How far ahead of now, by the clock's own time, its alarm is set; nil where it is not.
        func alarm(of clock: String = "rtc0", shift: Int64 = 0) throws -> Int64? {
            Int64(try tree.read("rtc/\(clock)/wakealarm").trimmingCharacters(in: .newlines)).flatMap {
                $0 == 0 ? nil : $0 - now - shift
            }
        }

        var changes: [String] { journal.compactMap { $0.fields.first { $0.name == "LIGHTSOUT_ALARM" }?.value } }
        var said: String { journal.last?.message ?? "" }
    }

    private func with(_ body: (World) throws -> Void) throws {
        try SysfsTree.with { tree in
            try tree.makeDirectory("rtc")
            try body(World(tree))
        }
    }

    /// The tests' clocks stand still; a second may pass meanwhile.
    private func about(_ seconds: Int64) -> ClosedRange<Int64> { seconds - 2...seconds + 1 }

    @Test(arguments: [0, 7200] as [Int64])
    func `sets it for what is to come, says so, and takes it back`(shift: Int64) throws {
        try with { world in
            try world.tree.clock("rtc/rtc0", wakeup: "enabled", shows: world.now + shift)
            try world.order(in: 9000)
            world.arm()
            #expect(about(9000).contains(try #require(try world.alarm(shift: shift))))
            #expect(world.changes == ["set"])
            #expect(world.said.contains("(rtc0) is set: it wakes the machine from hibernation at"))
            #expect(world.said.contains("for server, due"))
            world.disarm()
            #expect(try world.alarm() == nil)
            #expect(world.changes == ["set"])
        }
    }

    @Test func `sets it anew where it is set already`() throws {
        try with { world in
            try world.tree.clock("rtc/rtc0", wakeup: "enabled")
            try world.order(in: 9000)
            world.arm()
            try world.order(in: 20_000)
            world.arm(.poweroff)
            #expect(about(20_000).contains(try #require(try world.alarm())))
            #expect(world.said.contains("it turns the machine on at"))
        }
    }

    @Test func `does nothing where the daemon has left nothing`() throws {
        try with { world in
            try world.tree.clock("rtc/rtc0", wakeup: "enabled")
            world.arm()
            world.disarm()
            #expect(world.journal.isEmpty)
            #expect(try world.alarm() == nil)
        }
    }

    @Test func `keeps an earlier alarm of another program, also when the machine is back`() throws {
        try with { world in
            try world.tree.clock("rtc/rtc0", wakeup: "enabled", alarm: "\(world.now + 5000)\n")
            try world.order(in: 9000)
            world.arm()
            #expect(try world.alarm() == 5000)
            #expect(world.changes == ["kept"])
            world.disarm()
            #expect(try world.alarm() == 5000)
        }
    }

    @Test func `brings a later alarm of another program back`() throws {
        try with { world in
            try world.tree.clock("rtc/rtc0", wakeup: "enabled", alarm: "\(world.now + 20_000)\n")
            try world.order(in: 9000)
            world.arm()
            #expect(about(9000).contains(try #require(try world.alarm())))
            #expect(world.said.contains("is set again afterwards"))
            // The second half of suspend-then-hibernate, say: nothing new.
            world.arm()
            #expect(world.changes == ["set"])
            world.disarm()
            #expect(try world.alarm() == 20_000)
        }
    }

    @Test func `leaves alone what another program has set meanwhile`() throws {
        try with { world in
            try world.tree.clock("rtc/rtc0", wakeup: "enabled")
            try world.order(in: 9000)
            world.arm()
            try world.tree.write("rtc/rtc0/wakealarm", "\(world.now + 6000)\n")
            world.disarm()
            #expect(try world.alarm() == 6000)
        }
    }

    @Test func `says in a line why it cannot`() throws {
        try with { world in
            try world.order(in: 9000)
            world.arm()
            #expect(world.said.hasSuffix(": it has no hardware clock (RTC)"))
            try world.tree.clock("rtc/rtc0", wakeup: "disabled")
            world.arm()
            #expect(world.said.contains("its hardware clock (rtc0) may not wake it"))
            try world.tree.clock("rtc/rtc0", wakeup: "enabled")
            try world.tree.write("rtc/rtc0/since_epoch", "\n")
            world.arm()
            #expect(world.said.hasSuffix("does not tell its time"))
            try world.tree.write("run/wake", "version=1\nat=1\n")
            world.arm()
            #expect(world.said.contains("/run/wake cannot be used (due is missing)"))
            #expect(world.changes == ["failed", "failed", "failed", "failed"])
            #expect(world.journal.allSatisfy { $0.priority == .warning && !$0.message.contains("\n") })
        }
    }

    @Test(arguments: [
        (EBUSY, "busy: another program uses its alarm"), (EINVAL, "takes no alarm so far ahead"),
        (ERANGE, "takes no alarm so far ahead"), (ENODEV, "cannot be set (No such device)"),
    ])
    func `says what the kernel refuses`(code: Int32, words: String) {
        let why = AlarmAttribute.why(SystemError(code: code, operation: "write"), HardwareClock(name: "rtc0"), at: at(2))
        #expect(why.contains(words))
    }

    @Test func `does not follow a link from the clock's alarm`() throws {
        try with { world in
            try world.tree.clock("rtc/rtc0", wakeup: "enabled", hasAlarm: false)
            try world.tree.write("precious", "mine")
            try FileManager.default.createSymbolicLink(
                atPath: world.tree.path + "/rtc/rtc0/wakealarm", withDestinationPath: world.tree.path + "/precious")
            try world.order(in: 9000)
            world.arm()
            #expect(try world.tree.read("precious") == "mine")
            #expect(world.changes == ["failed"])
        }
    }
}
