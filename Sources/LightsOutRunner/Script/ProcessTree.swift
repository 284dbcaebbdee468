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
}
