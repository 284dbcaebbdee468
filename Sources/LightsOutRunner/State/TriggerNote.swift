import Glibc
public import LightsOutCore
public import Systemd

/// How the daemon tells the runner why it starts a backup: a file in the runtime directory (`/run/lightsout/NAME.trigger`)
/// that holds the trigger's name, for a unit's start job carries no parameter. The runner takes it away when it reads
/// it, so that a start by hand that comes later is not held to be the daemon's.
public nonisolated struct TriggerNote {
    private let directory: String

    public init(runtimeDirectory: String) { directory = runtimeDirectory }

    public func leave(_ trigger: Trigger, for backup: BackupName) throws(SystemError) {
        let directory = try AtomicFile.openDirectory(self.directory, mode: 0o755)
        try AtomicFile.write(trigger.rawValue + "\n", to: fileName(backup), below: directory, mode: 0o644, durable: false)
    }

    /// Takes the note away without reading it, where the start that it was for did not come about.
    public func withdraw(for backup: BackupName) { unlink("\(directory)/\(fileName(backup))") }

    /// Reads the note and takes it away.
    /// - Returns: nil where there is none: a person started the backup.
    public func take(for backup: BackupName) -> Trigger? {
        guard let directory = try? Descriptor.open(self.directory, O_RDONLY | O_DIRECTORY),
            let text = try? AtomicFile.read(fileName(backup), below: directory, limit: 64)
        else { return nil }
        unlinkat(directory.number, fileName(backup), 0)
        return Trigger(rawValue: String(text.dropLast()))
    }

    private func fileName(_ backup: BackupName) -> String { "\(backup.text).trigger" }
}
