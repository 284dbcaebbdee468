import Glibc
import LightsOutCore
import Systemd

/// Keeps the ``SleepMemory`` on the disk (`/var/lib/lightsout/sleep`). The daemon alone writes it.
struct SleepMemoryStore {
    private let path: String
    private static let file = "sleep"

    init(directory: String) { path = directory }

    /// What was read.
    enum Found {
        case nothing
        case memory(SleepMemory)
        /// It was damaged, and has been set aside.
        case damaged(String)
    }

    func read() throws(SystemError) -> Found {
        let directory = try AtomicFile.openDirectory(path, mode: 0o755)
        let reason: String
        do throws(SystemError) {
            guard let text = try AtomicFile.read(Self.file, below: directory, limit: 16 * StateLines.maximumLength) else {
                return .nothing
            }
            do throws(DamagedState) { return .memory(try SleepMemory(text: text)) } catch { reason = error.reason }
        } catch { reason = error.description }
        renameat(directory.number, Self.file, directory.number, Self.file + ".damaged")
        return .damaged(
            "\(path)/\(Self.file) was damaged (\(reason)) and has been set aside as \(Self.file).damaged. What was wanted of the machine's sleep is forgotten: it stays awake")
    }

    /// It is on the disk when this returns.
    func write(_ memory: SleepMemory) throws(SystemError) {
        let directory = try AtomicFile.openDirectory(path, mode: 0o755)
        try AtomicFile.write(memory.text, to: Self.file, below: directory, mode: 0o644, durable: true)
    }
}
