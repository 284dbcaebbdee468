import Glibc
public import LightsOutCore
public import Systemd

/// Keeps the ``RunState`` of each backup, durable across a loss of power (`/var/lib/lightsout/NAME.run`).
///
/// Only the process that holds the backup's ``RunExclusion`` writes its file.
public nonisolated struct RunStateStore: Sendable {
    public let directory: String

    public init(directory: String) { self.directory = directory }

    /// What reading found.
    public enum Found: Equatable, Sendable {
        case nothing
        case state(RunState)
        /// The file was damaged; it has been set aside under the name given.
        case setAside(as: String, because: String)
    }

    /// Reads the state of `backup`; a damaged file is set aside and reported, never fatal.
    /// - Throws: ``SystemError`` where the directory or the file cannot be read.
    public func read(_ backup: BackupName) throws(SystemError) -> Found {
        let path = path(of: backup)
        let reason: String
        do throws(SystemError) {
            guard let text = try AtomicFile.read(path, limit: StateLines.maximumLength) else { return .nothing }
            do throws(DamagedState) { return .state(try RunState(text: text)) } catch { reason = error.reason }
        } catch {
            // Too long, no text, no regular file, a link: not ours. Anything else is the disk's trouble.
            guard [EFBIG, EILSEQ, EINVAL, ELOOP].contains(error.code) else { throw error }
            reason = error.reason
        }
        let aside = path + ".damaged"
        try retryingInterrupts("set aside the damaged \(path)") { rename(path, aside) }
        return .setAside(as: aside, because: reason)
    }

    /// Writes the state of `backup`; it is on the disk when this returns.
    public func write(_ state: RunState, of backup: BackupName) throws(SystemError) {
        let directory = try AtomicFile.openDirectory(self.directory, mode: 0o755)
        try AtomicFile.write(
            state.text, to: fileName(backup), below: directory, mode: 0o644, durable: true)
    }

    /// Notes that the journal has the record of the run that `state` tells the end of: one byte, written in place, so
    /// that the state is whole at every instant without another wait for the disk. Where the file tells of something
    /// else, for it could not be written, nothing is noted.
    public func markRecorded(_ state: RunState, of backup: BackupName) throws(SystemError) {
        let path = path(of: backup)
        let file: Descriptor
        do throws(SystemError) {
            file = try Descriptor.open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK)
        } catch {
            if error.code == ENOENT { return }
            throw error
        }
        guard try file.readAll(limit: StateLines.maximumLength).elementsEqual(state.text.utf8) else { return }
        let position = off_t(state.text.utf8.count - 2)
        let number = file.number
        var one = UInt8(ascii: "1")
        try retryingInterrupts("note in \(path) that the journal has the result") {
            pwrite(number, &one, 1, position)
        }
    }

    /// The state of `backup` as it is, for those who only want to see; nil where there is none to be read.
    public func peek(_ backup: BackupName) -> RunState? {
        guard let text = try? AtomicFile.read(path(of: backup), limit: StateLines.maximumLength) else { return nil }
        return try? RunState(text: text)
    }

    // MARK: Records that are owed

    /// Keeps an ended run whose record the journal does not have, when another run takes its place in the state of
    /// `backup`. At most ``owedLimit`` of a backup are kept.
    public func owe(_ state: RunState, of backup: BackupName) throws(SystemError) {
        guard owed(of: backup).count < Self.owedLimit else { return }
        let directory = try AtomicFile.openDirectory(owedDirectory, mode: 0o755)
        try AtomicFile.write(state.text, to: owedName(state, of: backup), below: directory, mode: 0o644, durable: true)
    }

    private func owedName(_ state: RunState, of backup: BackupName) -> String { "\(backup).\(state.run)\(Self.suffix)" }

    /// The ended runs of `backup` whose records are owed, oldest first.
    public func owed(of backup: BackupName) -> [RunState] {
        DirectoryEntries.stems(in: owedDirectory, endingIn: Self.suffix).filter { $0.utf8.starts(with: "\(backup).".utf8) }
            .compactMap { stem in
                guard let text = try? AtomicFile.read("\(owedDirectory)/\(stem)\(Self.suffix)", limit: StateLines.maximumLength) else { return nil }
                return try? RunState(text: text)
            }
            .sorted { $0.started < $1.started }
    }

    /// The backups that have owed records.
    public func debtors() -> Set<BackupName> {
        let stems = DirectoryEntries.stems(in: owedDirectory, endingIn: Self.suffix)
        return Set(stems.compactMap { stem in stem.split(separator: ".").first.flatMap { try? BackupName(String($0)) } })
    }

    /// The journal has the record of `state`.
    public func pay(_ state: RunState, of backup: BackupName) { unlink("\(owedDirectory)/\(owedName(state, of: backup))") }

    private static let owedLimit = 100
    private var owedDirectory: String { "\(directory)/owed" }

    /// Takes the state of `backup` away.
    public func forget(_ backup: BackupName) { unlink(path(of: backup)) }

    /// The backups that have a state.
    public func backups() -> [BackupName] {
        DirectoryEntries.stems(in: directory, endingIn: Self.suffix).compactMap { try? BackupName($0) }
    }

    private static let suffix: StaticString = ".run"
    private func fileName(_ backup: BackupName) -> String { "\(backup.text)\(Self.suffix)" }
    private func path(of backup: BackupName) -> String { "\(directory)/\(fileName(backup))" }
}
