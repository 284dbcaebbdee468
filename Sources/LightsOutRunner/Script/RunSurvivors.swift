import Glibc
public import LightsOutCore
import Systemd

/// The processes of a run that outlived its runner.
///
/// What counts is what the runner wrote down: the script's pid, its start and its user (``RunNotes/Script``). From these
/// follow the members of the script's session and their descendants. A process that has left both is found by its
/// environment, which is believed only of a process of the script's own user that is younger than the script: anybody can copy
/// an environment. In the backup's unit, everything in the unit belongs to the run.
public struct RunSurvivors {
    public let processes: [ProcessSight]
    /// Whether the service manager ends them, since they are in the backup's unit.
    public let areInUnit: Bool

    public var isEmpty: Bool { processes.isEmpty }
    public var pids: [Int32] { processes.map(\.pid) }

    public init(of state: RunState, _ backup: BackupName) {
        guard case .running(let boot, _) = state.phase, state.reporter == nil, boot == (try? Identity.boot()) else {
            (processes, areInUnit) = ([], false)
            return
        }
        let table = ProcessTable()
        var found: Set<Int32> = []
        if let script = state.notes.script { found.formUnion(table.family(of: script)) }
        found.formUnion(table.withEnvironment("LIGHTSOUT_RUN=\(state.run)", of: state.notes.script))
        var inUnit: Set<Int32> = []
        if Identity.unit() != backup.unit {
            inUnit = Set(table.pids.filter { Identity.unit(of: $0) == backup.unit })
        }
        areInUnit = !inUnit.isEmpty
        processes = found.union(inUnit).subtracting([getpid()]).sorted().compactMap { ProcessSight($0) }
    }
}

/// All processes at one instant, as /proc shows them.
private struct ProcessTable {
    private let stats: [Int32: ProcessStat]

    init() {
        var stats: [Int32: ProcessStat] = [:]
        for name in DirectoryEntries.names(in: "/proc") {
            // A zombie has ended; it is only waited for.
            guard let pid = Int32(name), let stat = ProcessStat(of: pid), stat.state != "Z" else { continue }
            stats[pid] = stat
        }
        self.stats = stats
    }

    var pids: [Int32] { Array(stats.keys) }

    /// The members of the script's session, and all that descend from them.
    func family(of script: RunNotes.Script) -> Set<Int32> {
        // Its number belongs to another process now, so its session has ended: the kernel does not use such a number again.
        if let stat = stats[script.pid], stat.start != script.start { return [] }
        var family = Set(stats.filter { $0.value.session == script.pid && $0.value.start >= script.start }.keys)
        var isGrowing = true
        while isGrowing {
            let children = stats.filter { family.contains($0.value.parent) && !family.contains($0.key) }.keys
            family.formUnion(children)
            isGrowing = !children.isEmpty
        }
        return family
    }

    /// The processes whose environment at exec(3) held `assignment`, of the script's user and younger than the script.
    func withEnvironment(_ assignment: String, of script: RunNotes.Script?) -> Set<Int32> {
        let user = script?.uid ?? geteuid()
        let since = script?.start ?? 0
        let wanted = Array(assignment.utf8)
        return Set(
            stats.filter { $0.value.start >= since }.keys.filter { pid in
                guard let file = try? Descriptor.open("/proc/\(pid)/environ", O_RDONLY),
                    let bytes = try? file.readAll(limit: 1 << 20), ProcessSight.user(of: pid) == user
                else { return false }
                return bytes.split(separator: 0).contains { $0.elementsEqual(wanted) }
            })
    }
}

extension ProcessSight {
    /// The real user of a process: who started it.
    nonisolated static func user(of pid: Int32) -> UInt32? {
        guard let file = try? Descriptor.open("/proc/\(pid)/status", O_RDONLY), let bytes = try? file.readAll(limit: 64 * 1024)
        else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        let words = lines.first { $0.utf8.starts(with: "Uid:".utf8) }?.split(whereSeparator: \.isWhitespace)
        return words.flatMap { $0.count > 1 ? UInt32($0[1]) : nil }
    }
}
