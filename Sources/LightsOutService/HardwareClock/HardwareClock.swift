import Glibc
import LightsOutCore
import Systemd

/// A hardware clock (RTC) of the machine, as the kernel shows it in `/sys/class/rtc`.
nonisolated public struct HardwareClock: Hashable, Sendable {
    /// Where the kernel shows them.
    public static let directory = "/sys/class/rtc"

    /// `rtc0`
    var name: String
    /// It has an alarm (`wakealarm`): the kernel shows none of a clock that cannot wake the machine.
    var hasAlarm: Bool
    /// Its alarm may wake the machine (`device/power/wakeup`).
    var mayWake: Bool
    /// The kernel sets this one for CLOCK_REALTIME_ALARM (it has an `alarmtimer` below it).
    var isKernelsChoice: Bool

    /// Why no clock can wake the machine, to complete "it cannot be woken: …".
    enum Obstacle: Error, Hashable {
        case noClock
        case noAlarm([String])
        case mayNotWake(String)
    }

    /// The clock whose alarm wakes the machine: the one that the kernel has chosen itself, and where it does not say so
    /// the first that it would choose.
    static func choose(from clocks: [HardwareClock]) throws(Obstacle) -> HardwareClock {
        guard !clocks.isEmpty else { throw .noClock }
        let able = clocks.filter(\.hasAlarm)
        guard let first = able.first else { throw .noAlarm(clocks.map(\.name)) }
        let willing = able.filter(\.mayWake)
        guard let choice = willing.first(where: \.isKernelsChoice) ?? willing.first else { throw .mayNotWake(first.name) }
        return choice
    }

    /// The machine's clocks, in the order of their numbers.
    static func all(in directory: String = HardwareClock.directory) -> [HardwareClock] {
        DirectoryEntries.names(in: directory)
            .compactMap { name -> (name: String, number: Int)? in
                guard name.hasPrefix("rtc"), let number = Int(name.dropFirst(3)), number >= 0 else { return nil }
                return (name, number)
            }
            .sorted { $0.number < $1.number }
            .map { HardwareClock($0.name, in: directory) }
    }

    private init(_ name: String, in directory: String) {
        let path = "\(directory)/\(name)"
        self.init(
            name: name, hasAlarm: access("\(path)/wakealarm", F_OK) == 0,
            // A device that cannot wake the machine says nothing there.
            mayWake: Descriptor.firstLine(of: "\(path)/device/power/wakeup").map { $0 == "enabled" } ?? true,
            isKernelsChoice: DirectoryEntries.names(in: path).contains { $0.hasPrefix("alarmtimer") })
    }

    init(name: String, hasAlarm: Bool = true, mayWake: Bool = true, isKernelsChoice: Bool = false) {
        self.name = name
        self.hasAlarm = hasAlarm
        self.mayWake = mayWake
        self.isKernelsChoice = isKernelsChoice
    }
}

nonisolated extension HardwareClock.Obstacle: CustomStringConvertible {
    var description: String {
        switch self {
        case .noClock: "it has no hardware clock (RTC)"
        case .noAlarm(let names): "its hardware clock (\(names.joined(separator: ", "))) has no alarm"
        case .mayNotWake(let name):
            "its hardware clock (\(name)) may not wake it. Permit it with: echo enabled >\(HardwareClock.directory)/\(name)/device/power/wakeup"
        }
    }
}
