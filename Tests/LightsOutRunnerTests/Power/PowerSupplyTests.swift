import Foundation
import LightsOutCore
import Testing

@testable import LightsOutRunner

/// Power supplies as the kernel lists them: a folder each, a file for each attribute.
nonisolated struct `Power supplies` {
    struct Machine: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// The path below /sys/class/power_supply, and what the file there says.
        let files: [String: String]
        let isOnAC: Bool

        init(_ name: String, _ files: [String: String], isOnAC: Bool) {
            testDescription = name
            self.files = files
            self.isOnAC = isOnAC
        }
    }

    private static let discharging = ["BAT0/type": "Battery", "BAT0/status": "Discharging", "BAT0/present": "1"]
    private static let charging = ["BAT0/type": "Battery", "BAT0/status": "Charging", "BAT0/present": "1"]
    private static func mains(_ online: String) -> [String: String] { ["AC/type": "Mains", "AC/online": online] }
    private static func port(_ roles: String..., type: String = "USB", online: String = "1") -> [String: String] {
        var files = ["usb/type": type, "usb/online": online]
        for (number, role) in roles.enumerated() { files["usb/device/typec/port\(number)/power_role"] = role }
        return files
    }
    private static func all(_ parts: [String: String]...) -> [String: String] {
        parts.reduce(into: [:]) { $0.merge($1) { $1 } }
    }

    static let machines: [Machine] = [
        .init("a desktop without any supply", [:], isOnAC: true),
        .init("a desktop with an idle USB port", port(online: "0"), isOnAC: true),
        .init("a laptop on mains", all(mains("1"), charging), isOnAC: true),
        .init("a laptop on battery", all(mains("0"), discharging), isOnAC: false),
        .init("mains that are too weak for the load", all(mains("1"), discharging), isOnAC: true),
        .init("a full battery without a supply that is online", all(mains("0"), ["BAT0/type": "Battery", "BAT0/status": "Full"]), isOnAC: true),
        .init("a charge limit on mains", all(mains("1"), ["BAT0/type": "Battery", "BAT0/status": "Not charging"]), isOnAC: true),
        .init("a port that feeds a phone, and says nothing of its role", all(mains("0"), port(), discharging), isOnAC: false),
        .init("a port that feeds a phone as a source", all(mains("0"), port("[source] sink"), discharging), isOnAC: false),
        .init("a port that feeds a phone, without a mains supply", all(port("[source] sink"), discharging), isOnAC: false),
        .init("a port that says it is a sink, while mains are offline", all(mains("0"), port("source [sink]"), discharging), isOnAC: false),
        .init("a weak charger on a machine with USB ports only", all(port("source [sink]"), discharging), isOnAC: true),
        .init("a phone on one port while another port is free", all(port("[source] sink", "source [sink]"), discharging), isOnAC: false),
        .init("a port of an old kernel", all(port("sink"), discharging), isOnAC: true),
        .init("a charger on USB that charges", all(mains("0"), port("source [sink]"), charging), isOnAC: true),
        .init("a charger with a voltage that can be set", all(port("source [sink]", online: "2"), discharging), isOnAC: true),
        .init("a word of an old kernel for USB", all(port("[sink]", type: "USB_PD"), discharging), isOnAC: true),
        .init("a port that is offline", all(port("source [sink]", online: "0"), discharging), isOnAC: false),
        .init("a mouse whose battery discharges", ["mouse/type": "Battery", "mouse/status": "Discharging", "mouse/scope": "Device"], isOnAC: true),
        .init("a tablet's charger does not feed the machine",
              all(discharging, ["pen/type": "Mains", "pen/online": "1", "pen/scope": "Device"]), isOnAC: false),
        .init("a battery bay that is empty", all(["BAT1/type": "Battery", "BAT1/status": "Discharging", "BAT1/present": "0"]), isOnAC: true),
        .init("one of two batteries discharges", all(mains("0"), discharging, ["BAT1/type": "Battery", "BAT1/status": "Full"]), isOnAC: false),
        .init("a UPS that discharges", all(mains("1"), ["ups/type": "UPS", "ups/status": "Discharging"]), isOnAC: false),
        .init("a UPS that is charged", ["ups/type": "UPS", "ups/status": "Full"], isOnAC: true),
        .init("a supply of an unknown kind", all(discharging, ["x/type": "Fusion", "x/online": "1"]), isOnAC: false),
        .init("a supply that says nothing", all(discharging, ["x/uevent": ""]), isOnAC: false),
    ]

    @Test(arguments: machines) func `tell mains power from battery power`(machine: Machine) throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "power-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        for (path, text) in machine.files {
            let file = directory.appending(path: path)
            try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data("\(text)\n".utf8).write(to: file)
        }
        #expect(PowerSupplies.isOnAC(in: directory.path) == machine.isOnAC)
    }
}

struct `Waking on battery power` {
    @Test func `is for backups that would run there`() {
        #expect(PowerPolicy.Rule().wakesOnBattery)
        #expect(!PowerPolicy.Rule(wakesOnACOnly: true).wakesOnBattery)
        #expect(!PowerPolicy.Rule(battery: .wait).wakesOnBattery)
        #expect(!PowerPolicy.Rule(battery: .abort).wakesOnBattery)
    }

    @Test func `ends with the first sign that AC power is gone, and begins with the first that it is back`() {
        var power = PowerPolicy(rules: [:], isOnAC: true)
        #expect(!power.seesBattery)
        _ = power.powerChanged(isOnAC: false, now: Timestamp(microseconds: 0))
        #expect(power.seesBattery)
        _ = power.powerChanged(isOnAC: true, now: Timestamp(microseconds: 1))
        #expect(!power.seesBattery)
    }
}
