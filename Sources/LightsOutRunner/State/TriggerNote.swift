import Glibc
public import LightsOutCore
public import Systemd

/// How the daemon tells the runner why it starts a backup: a file in the runtime directory (`/run/lightsout/NAME.trigger`)
/// that holds the trigger's name and the start's number, for a unit's start job carries no parameter. The runner takes it away
/// when it reads it, so that a start by hand that comes later is not held to be the daemon's.
public nonisolated struct TriggerNote {
    public struct Contents: Hashable, Sendable {
        public var trigger: Trigger
        /// Tells the start from every other one of the backup; nil where version 0.1 left the note.
        public var mark: UInt64?

        public init(_ trigger: Trigger, mark: UInt64? = nil) {
            self.trigger = trigger
            self.mark = mark
        }

        fileprivate var text: String { ([trigger.rawValue] + (mark.map { [String($0, radix: 16)] } ?? [])).joined(separator: " ") + "\n" }

        fileprivate init?(text: String) {
            let words = text.split(whereSeparator: \.isWhitespace)
            guard let first = words.first, let trigger = Trigger(rawValue: String(first)), words.count <= 2 else { return nil }
            self.init(trigger)
            guard words.count == 2 else { return }
            guard let mark = UInt64(words[1], radix: 16) else { return nil }
            self.mark = mark
        }
    }

    private let directory: String

    public init(runtimeDirectory: String) { directory = runtimeDirectory }

    public func leave(_ contents: Contents, for backup: BackupName) throws(SystemError) {
        let directory = try AtomicFile.openDirectory(self.directory, mode: 0o755)
        try AtomicFile.write(contents.text, to: fileName(backup), below: directory, mode: 0o644, durable: false)
    }

    /// Takes the note away without reading it, where the start that it was for did not come about.
    public func withdraw(for backup: BackupName) { unlink("\(directory)/\(fileName(backup))") }

    /// Reads the note and takes it away.
    /// - Returns: nil where there is none: a person started the backup.
    public func take(for backup: BackupName) -> Contents? {
        guard let directory = try? Descriptor.open(self.directory, O_RDONLY | O_DIRECTORY),
            let text = try? AtomicFile.read(fileName(backup), below: directory, limit: 64)
        else { return nil }
        unlinkat(directory.number, fileName(backup), 0)
        return Contents(text: text)
    }

    private func fileName(_ backup: BackupName) -> String { "\(backup.text).trigger" }
}
