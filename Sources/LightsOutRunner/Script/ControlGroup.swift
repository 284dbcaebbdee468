import Glibc
import LightsOutCore
import Systemd

/// The cgroup that the script and whatever it starts live in: a child of the unit's own, which systemd delegated
/// (`Delegate=yes`). It names all of them at every instant, so they can be signalled and killed as one; the runner
/// stays outside of it.
final class ControlGroup {
    /// Below the file system of cgroups(7), version 2.
    let path: String
    /// Open for the child to enter by.
    let procs: Descriptor

    /// Makes the script's cgroup in the cgroup of `unit`, if this process runs in that unit.
    /// - Returns: nil where there is none to be had: outside systemd, without delegation, or with cgroups version 1.
    static func delegated(to unit: String) -> ControlGroup? {
        guard Identity.unit() == unit, let own = Identity.cgroup(), let root = mountPoint else { return nil }
        guard let path = make(in: "\(root)\(own == "/" ? "" : own)") else { return nil }
        guard let procs = try? Descriptor.open("\(path)/cgroup.procs", O_WRONLY) else { return nil }
        return ControlGroup(path: path, procs: procs)
    }

    /// Makes a cgroup that holds no process. One that SIGKILL could not end may still be in that of an earlier run.
    private static func make(in parent: String) -> String? {
        for name in ["script"] + (2...9).map({ "script-\($0)" }) {
            let path = "\(parent)/\(name)"
            if mkdir(path, 0o755) == 0 { return path }
            guard errno == EEXIST else { return nil }
            remove(path)
            if mkdir(path, 0o755) == 0 { return path }
        }
        return nil
    }

    private init(path: String, procs: consuming Descriptor) {
        self.path = path
        self.procs = procs
    }

    /// Every process in it and below.
    var processes: [pid_t] { Self.processes(in: path) }

    /// Kills every process in it and below with SIGKILL, at once and without exception (`cgroup.kill`).
    func killAll() {
        if let file = try? Descriptor.open("\(path)/cgroup.kill", O_WRONLY), (try? file.writeAll("1".utf8)) != nil {
            return
        }
        // Linux before 5.14: until nobody is left who could have forked meanwhile.
        for _ in 0..<100 {
            let processes = Self.processes(in: path)
            if processes.isEmpty { return }
            for pid in processes { kill(pid, SIGKILL) }
        }
    }

    /// Whether a process lives in it or below (`cgroup.events`); a cgroup that is gone holds none.
    var isPopulated: Bool {
        guard let file = try? Descriptor.open(eventsPath, O_RDONLY), let bytes = try? file.readAll(limit: 4096) else {
            return false
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").contains("populated 1")
    }

    /// Changes when ``isPopulated`` does.
    var eventsPath: String { "\(path)/cgroup.events" }

    /// Removes it, and what the script made below it, once it is empty.
    func remove() { Self.remove(path) }

    private static func remove(_ path: String) {
        for child in children(of: path) { remove(child) }
        rmdir(path)
    }

    private static func processes(in path: String) -> [pid_t] {
        var processes: [pid_t] = []
        if let file = try? Descriptor.open("\(path)/cgroup.procs", O_RDONLY), let bytes = try? file.readAll(limit: 1 << 24) {
            // A 0 is a process of another pid namespace.
            processes = String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { pid_t($0) }.filter { $0 > 0 }
        }
        for child in children(of: path) { processes += Self.processes(in: child) }
        return processes
    }

    private static func children(of path: String) -> [String] {
        DirectoryEntries.names(in: path) { $0 == UInt8(DT_DIR) }.map { "\(path)/\($0)" }
    }

    /// Where cgroups version 2 is mounted, alone or beside version 1: only its root has `cgroup.controllers`.
    private static var mountPoint: String? {
        ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].first { access("\($0)/cgroup.controllers", F_OK) == 0 }
    }
}
