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
            guard let pid = pid_t(name), let stat = ProcessStat(of: pid) else { continue }
            // A zombie has ended; it is only waited for.
            if stat.state != "Z" { children[stat.parent, default: []].append(pid) }
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
}
