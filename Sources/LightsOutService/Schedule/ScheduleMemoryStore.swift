import Glibc
import LightsOutCore
import Systemd

/// Keeps the schedule's memory of each backup on the disk (`/var/lib/lightsout/NAME.schedule`), and the pause of all
/// (`/var/lib/lightsout/pause`). The daemon alone writes them.
struct ScheduleMemoryStore {
    private let path: String
    private static let suffix: StaticString = ".schedule"
    private static let pauseFile = "pause"

    init(directory: String) { path = directory }

    /// What was read: the memories, and what could not be believed, with where it was put.
    struct Contents {
        var memories: [BackupName: ScheduleMemory] = [:]
        var pausedUntil: Timestamp?
        var damaged: [(file: String, reason: String)] = []
    }

    /// Reads everything; a damaged file is set aside.
    func read() throws(SystemError) -> Contents {
        var contents = Contents()
        let directory = try AtomicFile.openDirectory(path, mode: 0o755)
        for stem in DirectoryEntries.stems(in: path, endingIn: Self.suffix) {
            guard let backup = try? BackupName(stem) else { continue }
            contents.memories[backup] = read(fileName(backup), directory, &contents.damaged) { (text) throws(DamagedState) in
                try ScheduleMemory(text: text)
            }
        }
        contents.pausedUntil = read(Self.pauseFile, directory, &contents.damaged) { (text) throws(DamagedState) in
            try Self.pause(text)
        }
        return contents
    }

    /// The memory of `backup` as it is, for those who only want to see; nil where there is none to be read.
    func peek(_ backup: BackupName) -> ScheduleMemory? {
        guard let text = try? AtomicFile.read("\(path)/\(fileName(backup))", limit: StateLines.maximumLength) else { return nil }
        return try? ScheduleMemory(text: text)
    }

    /// Until when everything is paused, likewise.
    func peekPause() -> Timestamp? {
        guard let text = try? AtomicFile.read("\(path)/\(Self.pauseFile)", limit: StateLines.maximumLength) else { return nil }
        return try? Self.pause(text)
    }

    private static func pause(_ text: String) throws(DamagedState) -> Timestamp {
        var lines = try StateLines(text)
        let until = try lines.required("paused_until") { Int64($0) }
        try lines.expectNothingMore()
        return Timestamp(microseconds: until)
    }

    private func read<Value>(
        _ name: String, _ directory: borrowing Descriptor, _ damaged: inout [(file: String, reason: String)],
        _ parse: (String) throws(DamagedState) -> Value
    ) -> Value? {
        let reason: String
        do throws(SystemError) {
            guard let text = try AtomicFile.read(name, below: directory, limit: StateLines.maximumLength) else {
                return nil
            }
            do throws(DamagedState) { return try parse(text) } catch { reason = error.reason }
        } catch { reason = error.description }
        let number = directory.number
        renameat(number, name, number, name + ".damaged")
        damaged.append((file: "\(path)/\(name)", reason: reason))
        return nil
    }

    /// Writes the memories of several backups; they are on the disk when this returns, but for those that it tells of: one
    /// that cannot be written does not keep the others back.
    func write(_ memories: [(backup: BackupName, memory: ScheduleMemory)]) throws(SystemError) -> Failures {
        let directory = try AtomicFile.openDirectory(path, mode: 0o755)
        // One by one each file waits for the disk; many are written first and waited for together.
        let together = memories.count > 4
        var failures: Failures = [:]
        for (backup, memory) in memories {
            do throws(SystemError) {
                try AtomicFile.write(
                    memory.text, to: fileName(backup), below: directory, mode: 0o644, durable: !together)
            } catch { failures[backup] = error }
        }
        if together { try AtomicFile.synchronise(directory) }
        return failures
    }

    typealias Failures = [BackupName: SystemError]

    /// Removes what is remembered of a backup that is no more.
    func forget(_ backup: BackupName) { unlink("\(path)/\(fileName(backup))") }

    /// Writes down until when everything is paused; nil for no pause.
    func writePause(until end: Timestamp?) throws(SystemError) {
        let directory = try AtomicFile.openDirectory(path, mode: 0o755)
        guard let end else { return try AtomicFile.remove(Self.pauseFile, below: directory) }
        try AtomicFile.write(
            "paused_until=\(end.microseconds)\n", to: Self.pauseFile, below: directory, mode: 0o644, durable: true)
    }

    private func fileName(_ backup: BackupName) -> String { "\(backup.text)\(Self.suffix)" }
}
