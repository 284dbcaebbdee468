import Glibc
import LightsOutCore
import Systemd

/// One process as /proc shows it (proc(5)), for people. All of it is written by others.
public nonisolated struct ProcessSight: Hashable, Sendable {
    public var pid: Int32
    /// The command's name, which a process chooses itself.
    public var name: String
    /// In the kernel's ticks since boot.
    public var start: UInt64
    /// Whether a thread of it is in uninterruptible sleep.
    public var isStuck: Bool
    /// What that thread waits for: a function of the kernel, a system call; nil if the kernel does not tell.
    public var waitsFor: String?

    /// The process `pid`; nil if it is gone, or has ended and only waits to be reaped.
    /// - Parameter root: where /proc is.
    public init?(_ pid: Int32, root: String = "/proc") {
        let folder = "\(root)/\(pid)"
        guard let stat = ProcessStat(at: "\(folder)/stat") else { return nil }
        self.pid = pid
        name = Descriptor.firstLine(of: "\(folder)/comm") ?? "?"
        start = stat.start
        isStuck = false
        let threads = DirectoryEntries.names(in: "\(folder)/task").prefix(Self.threadLimit)
        var isAlive = stat.state != "Z" && stat.state != "X"
        if isAlive, stat.state == "D" { markStuck(folder) }
        // The first thread may have ended before the others.
        for thread in threads where !isStuck {
            guard let state = ProcessStat(at: "\(folder)/task/\(thread)/stat")?.state else { continue }
            if state != "Z" && state != "X" { isAlive = true }
            if state == "D" { markStuck("\(folder)/task/\(thread)") }
        }
        guard isAlive else { return nil }
    }

    /// A process with ten thousand threads is looked at no longer than one with a few.
    private static let threadLimit = 256

    private mutating func markStuck(_ folder: String) {
        isStuck = true
        let function = Descriptor.firstLine(of: "\(folder)/wchan").flatMap { $0.isEmpty || $0 == "0" ? nil : $0 }
        let call = Descriptor.firstLine(of: "\(folder)/syscall")?.split(separator: " ").first.flatMap { Int($0) }
        waitsFor = [
            function.map { "in \(String($0.prefix(64)).plainOrQuoted)" }, call.map { "system call \($0)" },
        ].compactMap { $0 }.joined(separator: ", ")
        if waitsFor?.isEmpty == true { waitsFor = nil }
    }
}

extension [ProcessSight] {
    /// The processes by name and pid, the first few of them: `"gpg-agent" (pid 12), "ssh" (pid 14) and 3 more`.
    nonisolated var forPeople: String { list { "\($0.quotedName) (pid \($0.pid))" } }

    /// The same, with what each waits for.
    nonisolated var stuckForPeople: String {
        list { "\($0.quotedName) (pid \($0.pid)\($0.waitsFor.map { ", waiting \($0)" } ?? ""))" }
    }

    private nonisolated func list(_ text: (ProcessSight) -> String) -> String {
        let shown = prefix(5).map(text).joined(separator: ", ")
        return count > 5 ? "\(shown) and \(count - 5) more" : shown
    }
}

extension ProcessSight {
    fileprivate nonisolated var quotedName: String { String(name.prefix(32)).quotedForPeople }
}
