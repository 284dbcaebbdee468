import Glibc
public import LightsOutCore
import Systemd

/// What a command asks the daemon to do, each with its way out for when the daemon is not there.
extension ServiceClient {
    /// Connects, for a command that has no other way.
    public static func connect() throws(CommandFailure) -> ServiceClient {
        do throws(BusError) { return try ServiceClient() } catch { throw error.commandFailure }
    }

    /// Stops the run of `name`; without the daemon through systemd.
    /// - Returns: what to tell the person.
    public func stop(_ name: BackupName) throws(CommandFailure) -> String {
        do throws(BusError) {
            try call("StopBackup", interactive: Self.mayAsk) { (message) throws(BusError) in
                try message.append(name.text)
            }
        } catch {
            if error.name == BusError.notRunning { return "\(name) is not running." }
            guard error.meansNoDaemon else { throw error.commandFailure }
            guard try stopUnit(name) else { return "\(name) is not running." }
        }
        return "\(name) is being stopped; its result will be: aborted."
    }

    /// - Returns: whether there was anything to stop.
    private func stopUnit(_ name: BackupName) throws(CommandFailure) -> Bool {
        do throws(BusError) {
            guard !["inactive", "failed"].contains(try state(of: name.unit)) else { return false }
            try bus.call(.systemd1, "StopUnit", timeout: 180_000_000, interactive: Self.mayAsk) {
                (message) throws(BusError) in
                try message.append(name.unit)
                try message.append("replace")
            }
            return true
        } catch { throw error.commandFailure }
    }

    /// What systemd calls the unit's state: `activating` for a backup that runs.
    func state(of unit: String) throws(BusError) -> String {
        guard let path = Bus.path("/org/freedesktop/systemd1/unit", encoding: unit) else { return "inactive" }
        let address = Bus.Address("org.freedesktop.systemd1", path, "org.freedesktop.systemd1.Unit")
        return try bus.property(address, "ActiveState", "s", timeout: 10_000_000) { (message) throws(BusError) in
            try message.readString()
        }
    }

    /// Has the daemon read its configuration anew; one that is at fault leaves the old one in force.
    public func reload() throws(CommandFailure) {
        try command("Reload")
    }

    /// No scheduled runs of `name`, of all backups where it is nil, until `end`, or until they are resumed.
    public func pause(_ name: BackupName?, until end: Timestamp?) throws(CommandFailure) {
        try command("Pause") { (message) throws(BusError) in
            try message.append(name?.text ?? "")
            try message.append(UInt64(clamping: end?.microseconds ?? 0))
        }
    }

    /// Ends the pause of `name`, of all backups where it is nil.
    public func resume(_ name: BackupName?) throws(CommandFailure) {
        try command("Resume") { (message) throws(BusError) in try message.append(name?.text ?? "") }
    }

    /// The backups that no schedule starts just now.
    public func pausedBackups() throws(CommandFailure) -> [BackupName] {
        do throws(BusError) { return try statuses().filter { $0.view.state == .paused }.map(\.name) } catch {
            throw error.commandFailure
        }
    }

    /// Has the machine sleep, or power off, as `kind` says, once no backup runs.
    public func sleepWhenDone(_ kind: String) throws(CommandFailure) {
        try command("SleepWhenDone") { (message) throws(BusError) in try message.append(kind) }
    }

    public func cancelSleep() throws(CommandFailure) { try command("CancelSleep") }

    private func command(
        _ member: String, _ write: (BusMessage) throws(BusError) -> Void = { _ in }
    ) throws(CommandFailure) {
        do throws(BusError) { try call(member, interactive: Self.mayAsk, write) } catch { throw error.commandFailure }
    }

    /// Whether there is a person at the terminal whom polkit may ask for a password.
    static var mayAsk: Bool { isatty(STDIN_FILENO) == 1 }
}
