import Glibc
import Systemd

/// The processes that descend from this one, as /proc tells (proc(5)): what stands in for a cgroup outside of systemd.
///
/// The runner is a child subreaper, so whatever leaves its parent becomes the runner's child and stays in the tree.
nonisolated enum ProcessTree {
    /// Every living descendant of `root`.
    static func descendants(of root: pid_t) -> [pid_t] {
        var children: [pid_t: [pid_t]] = [:]
        for name in DirectoryEntries.names(in: "/proc") {
            guard let pid = pid_t(name), let parent = parent(of: pid) else { continue }
            children[parent, default: []].append(pid)
        }
        var found: [pid_t] = []
        var waiting = [root]
        while let next = waiting.popLast() {
            let below = children[next] ?? []
            found += below
            waiting += below
        }
        return found
    }

    /// The processes whose environment at exec(3) held `assignment`, such as `LIGHTSOUT_RUN=…`; only root sees others'.
    static func withEnvironment(_ assignment: String) -> [pid_t] {
        let wanted = Array(assignment.utf8)
        return DirectoryEntries.names(in: "/proc").compactMap { pid_t($0) }.filter { pid in
            guard let file = try? Descriptor.open("/proc/\(pid)/environ", O_RDONLY),
                let bytes = try? file.readAll(limit: 1 << 20)
            else { return false }
            return bytes.split(separator: 0).contains { $0.elementsEqual(wanted) }
        }
    }

    /// The fourth field of /proc/PID/stat; the second, the command's name, is in parentheses and may hold any.
    private static func parent(of pid: pid_t) -> pid_t? {
        guard let file = try? Descriptor.open("/proc/\(pid)/stat", O_RDONLY), let bytes = try? file.readAll(limit: 4096),
            let end = bytes.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = bytes[bytes.index(after: end)...].split(separator: UInt8(ascii: " "))
        // A zombie has ended; it is only waited for.
        guard fields.count > 1, !fields[0].elementsEqual("Z".utf8) else { return nil }
        return pid_t(String(decoding: fields[1], as: UTF8.self))
    }
}
