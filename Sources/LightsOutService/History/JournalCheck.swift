import Glibc
public import LightsOutCore
import Systemd

/// Whether this machine's journal keeps what is recorded: reads journald's configuration and looks at its files.
public nonisolated enum JournalCheck {
    /// In the order in which they win (journald.conf(5)).
    private static let folders = ["/etc", "/run", "/usr/local/lib", "/usr/lib"].map { $0 + "/systemd" }
    private static let longestFile = 1 << 20

    /// What is wrong; nothing where no journald runs, as in a container without systemd.
    @MainActor public static func problems() -> [ConfigurationProblem] {
        guard access("/run/systemd/journal/socket", F_OK) == 0 else { return [] }
        return JournalShortcomings(JournaldSettings(files()), facts()).problems
    }

    // MARK: Configuration

    private static func files() -> [JournaldSettings.File] {
        var files: [JournaldSettings.File] = []
        if let main = folders.lazy.map({ $0 + "/journald.conf" }).first(where: { access($0, F_OK) == 0 }) {
            files += read(main)
        }
        var dropIns: [String: String] = [:]
        for folder in folders.reversed() {
            for stem in DirectoryEntries.stems(in: "\(folder)/journald.conf.d", endingIn: ".conf") {
                dropIns[stem] = "\(folder)/journald.conf.d/\(stem).conf"
            }
        }
        for (_, path) in dropIns.sorted(by: { "\($0.key).conf".utf8.lexicographicallyPrecedes("\($1.key).conf".utf8) }) {
            files += read(path)
        }
        return files
    }

    /// A link to /dev/null reads as an empty file, which is what it means.
    private static func read(_ path: String) -> [JournaldSettings.File] {
        guard let file = try? Descriptor.open(path, O_RDONLY | O_NONBLOCK), let bytes = try? file.readAll(limit: longestFile) else {
            return []
        }
        return [JournaldSettings.File(path: path, text: String(decoding: bytes, as: UTF8.self))]
    }

    // MARK: The machine

    @MainActor private static func facts() -> JournalShortcomings.Facts {
        let folder = "/var/log/journal"
        var facts = JournalShortcomings.Facts(hasPersistentDirectory: access(folder, F_OK) == 0)
        facts.kernelMaxLevel = kernelOption("systemd.journald.max_level_store")
        var disk = statvfs()
        if statvfs(folder, &disk) == 0 {
            facts.fileSystemSize = UInt64(disk.f_blocks).multipliedReportingOverflow(by: UInt64(disk.f_frsize)).partialValue
            facts.fileSystemFree = UInt64(disk.f_bavail).multipliedReportingOverflow(by: UInt64(disk.f_frsize)).partialValue
        }
        // Whoever may not read the system's journal sees a part of it.
        if JournalAccess.isGranted, let journal = try? JournalReader(), let usage = try? journal.usage(),
            let oldest = try? journal.oldest() {
            let now = UInt64(max(0, Clock.realtime))
            facts.journal = (usage, TimeSpan(microseconds: now - min(now, oldest)))
        }
        return facts
    }

    private static func kernelOption(_ name: String) -> String? {
        guard let file = try? Descriptor.open("/proc/cmdline", O_RDONLY), let bytes = try? file.readAll(limit: 1 << 16) else { return nil }
        let words = bytes.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
        return words.last { $0.starts(with: Array("\(name)=".utf8)) }.map { String(decoding: $0.dropFirst(name.utf8.count + 1), as: UTF8.self) }
    }
}
