import LightsOutCore
import LightsOutRunner
import Systemd

// Reported backups while the daemon is stopped: handed to the keeper (``LeaseKeeper``), and taken back.

extension Leases {
    /// Hands every open report to the keeper: the daemon is being stopped, and its descriptor store goes with its unit.
    ///
    /// It is safe there when this returns, although the keeper may not have started yet: what was sent waits in its socket.
    func handOver() {
        let open = self.open
        guard !open.isEmpty, daemon.directories.areInstalled else { return }
        do throws(SystemError) {
            let keeper = try LockKeeper.connect()
            for lease in open { try lease.handOver(to: keeper) }
        } catch {
            log(
                .notice(
                    "\(error). While lightsoutd is stopped, reported backups do not block standby. See: systemctl status \(LockKeeper.socketUnit)",
                    priority: .warning))
        }
    }

    /// Takes back what the keeper holds for the backups that are reported, and adds it to `remains`.
    /// - Returns: the connection, on which the keeper is told when this daemon holds it; nil where there is nothing.
    func takeBack(into remains: LeaseStore.Remains, _ stock: RunStock) -> DescriptorChannel? {
        let isReported = stock.entries.values.contains { entry in entry.state.map { $0.isRunning && $0.reporter != nil } ?? false }
        guard isReported, daemon.directories.areInstalled else { return nil }
        do throws(SystemError) {
            let keeper = try LockKeeper.connect()
            try keeper.send(.take)
            while var message = try keeper.receive() {
                guard case .keep(let backup, let hasLock)? = LockKeeper.Message(text: message.text) else { break }
                let parts: [LeaseStore.Part] = [.exclusion, .process] + (hasLock ? [.lock] : [])
                for part in parts {
                    if let descriptor = message.takeDescriptor() { remains.add(descriptor, part, of: backup, log: log) }
                }
            }
            return keeper
        } catch {
            log(.notice("reported backups cannot be taken back from the keeper: \(error)", priority: .warning))
            return nil
        }
    }
}
