import Glibc
import LightsOutCore
import Systemd

/// Moves processes out of a backup's unit into a scope of their own (systemd.scope(5)), so that they outlive the unit.
///
/// Until systemd has moved them they are in the unit, and a stop of the unit ends them.
enum LeftoverScope {
    /// A process may fork while its list is taken; what is found after so many rounds forks without end.
    private static let rounds = 8

    /// Moves the processes that `list` gives until it gives none.
    /// - Throws: ``BusError`` where some are still in the unit.
    static func adopt(of backup: BackupName, run: RunIdentifier, _ list: () -> [Int32]) throws(BusError) {
        let bus: Bus
        do throws(SystemError) { bus = try Bus.system() } catch { throw BusError(error) }
        defer { bus.close() }
        for round in 1...rounds {
            let processes = list()
            guard !processes.isEmpty else { return }
            let unit = "lightsout-leftovers-\(run)-\(round).scope"
            do throws(BusError) { try start(unit, of: backup, processes, on: bus) } catch {
                // One that ended since it was listed fails the whole request.
                guard round < rounds else { throw error }
                usleep(50_000)
                continue
            }
            try awaitMove(of: processes, list)
        }
        throw BusError(name: BusError.timeout, message: "new processes appeared again and again")
    }

    private static func start(
        _ unit: String, of backup: BackupName, _ processes: [Int32], on bus: Bus
    ) throws(BusError) {
        _ = try bus.call(.systemd1, "StartTransientUnit", timeout: 5_000_000) { (message) throws(BusError) in
            try message.append(unit)
            try message.append("fail")
            try message.container("a", "(sv)") { (message) throws(BusError) in
                try property("Description", "s", message) { (message) throws(BusError) in
                    try message.append("Processes that backup \(backup) left behind")
                }
                try property("CollectMode", "s", message) { (message) throws(BusError) in
                    try message.append("inactive-or-failed")
                }
                try property("PIDs", "au", message) { (message) throws(BusError) in
                    try message.container("a", "u") { (message) throws(BusError) in
                        for pid in processes { try message.append(UInt32(pid)) }
                    }
                }
            }
            try message.container("a", "(sa(sv))") { _ in }
        }
    }

    private static func property(
        _ name: String, _ type: String, _ message: BusMessage, _ value: (BusMessage) throws(BusError) -> Void
    ) throws(BusError) {
        try message.container("r", "sv") { (message) throws(BusError) in
            try message.append(name)
            try message.variant(type, value)
        }
    }

    /// systemd answers before it has moved them.
    private static func awaitMove(of processes: [Int32], _ list: () -> [Int32]) throws(BusError) {
        for _ in 0..<200 {
            let left = Set(list())
            if !processes.contains(where: left.contains) { return }
            usleep(10_000)
        }
        throw BusError(name: BusError.timeout, message: "systemd did not move them within 2 s")
    }
}
