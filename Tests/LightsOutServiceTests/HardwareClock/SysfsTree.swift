import Foundation

/// A made-up `/sys/class/rtc`.
nonisolated struct SysfsTree {
    let path: String

    static func with(_ body: (SysfsTree) throws -> Void) throws {
        let path = NSTemporaryDirectory() + "/rtc.\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try body(SysfsTree(path: path))
    }

    func clock(
        _ name: String, wakeup: String?, hasAlarm: Bool = true, shows: Int64 = Int64(Date().timeIntervalSince1970),
        alarm: String = ""
    ) throws {
        try makeDirectory("\(name)/device/power")
        try write("\(name)/since_epoch", "\(shows)\n")
        if hasAlarm { try write("\(name)/wakealarm", alarm) }
        if let wakeup { try write("\(name)/device/power/wakeup", "\(wakeup)\n") }
    }

    func makeDirectory(_ name: String) throws {
        try FileManager.default.createDirectory(atPath: "\(path)/\(name)", withIntermediateDirectories: true)
    }

    func write(_ name: String, _ text: String) throws { try Data(text.utf8).write(to: URL(filePath: "\(path)/\(name)")) }

    func read(_ name: String) throws -> String { try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8) }
}
