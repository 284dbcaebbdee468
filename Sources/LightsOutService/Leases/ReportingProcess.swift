import CLinux
import Glibc
import LightsOutCore
import Systemd

/// The process that a reported backup is bound to, held by a pidfd: its number may be used again, the pidfd means it alone.
nonisolated struct ReportingProcess: ~Copyable {
    /// Why a descriptor is not taken for one.
    enum Refusal: Error, Equatable {
        case notAPidfd
        case gone
        case anothers(pid: Int32, uid: UInt32)

        var busError: BusError {
            switch self {
            case .notAPidfd:
                BusError(
                    name: BusError.invalidArguments,
                    message: "the descriptor is no pidfd. Pass one of pidfd_open(2), of the process that makes the backup")
            case .gone:
                BusError(
                    name: BusError.invalidArguments,
                    message: "the process that makes the backup has ended already. Report from a process that lives as long as the backup")
            case .anothers(let pid, let uid):
                BusError(
                    name: BusError.accessDenied,
                    message: "process \(pid) is of the user with id \(uid), and not yours to report for. Report from a process of your own")
            }
        }
    }

    let descriptor: Descriptor
    let pid: Int32
    /// When it began, in the kernel's ticks since boot.
    let start: UInt64

    /// Takes a descriptor that came from outside.
    /// - Parameter uid: whose process it must be; root may name any.
    init(_ descriptor: consuming Descriptor, of uid: UInt32) throws(Refusal) {
        guard let pid = Self.pid(behind: descriptor) else { throw .notAPidfd }
        guard pid > 0, let owner = Self.owner(of: pid), let start = ProcessStat(of: pid)?.start else { throw .gone }
        // It lived after its owner was read: so the number was its own then.
        guard Self.isAlive(descriptor) else { throw .gone }
        guard uid == 0 || owner == uid else { throw .anothers(pid: pid, uid: owner) }
        self.descriptor = descriptor
        self.pid = pid
        self.start = start
    }

    /// Finds the process again that an earlier daemon followed.
    /// - Parameter stored: its pidfd, where the service manager has kept it.
    /// - Returns: nil where it has ended.
    init?(again pid: Int32, start: UInt64, stored: consuming Descriptor?) {
        let descriptor: Descriptor
        if let stored = consume stored {
            descriptor = stored
        } else {
            let number = lo_pidfd_open(pid)
            guard number >= 0 else { return nil }
            descriptor = Descriptor(owning: number)
        }
        guard Self.pid(behind: descriptor) == pid, ProcessStat(of: pid)?.start == start, Self.isAlive(descriptor) else { return nil }
        self.descriptor = descriptor
        self.pid = pid
        self.start = start
    }

    // MARK: What the kernel says

    /// The pid that a pidfd stands for; nil for another descriptor, −1 where the process is gone.
    private static func pid(behind descriptor: borrowing Descriptor) -> Int32? {
        guard let text = text(of: "/proc/self/fdinfo/\(descriptor.number)") else { return nil }
        return field("Pid:", in: text).flatMap { Int32($0) }
    }

    /// The real user of a process: who started it.
    static func owner(of pid: Int32) -> UInt32? {
        text(of: "/proc/\(pid)/status").flatMap { field("Uid:", in: $0) }.flatMap { UInt32($0) }
    }

    /// A pidfd can be read from when its process has ended.
    private static func isAlive(_ descriptor: borrowing Descriptor) -> Bool {
        var events = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
        return poll(&events, 1, 0) == 0
    }

    private static func text(of path: String) -> String? {
        guard let file = try? Descriptor.open(path, O_RDONLY), let bytes = try? file.readAll(limit: 64 * 1024) else {
            return nil
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The first word of the line that begins with `name`.
    private static func field(_ name: String, in text: String) -> Substring? {
        let line = text.split(separator: "\n").first { $0.hasPrefix(name) }
        return line?.dropFirst(name.count).split(whereSeparator: \.isWhitespace).first
    }
}
