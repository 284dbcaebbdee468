import Glibc
import LightsOutCore
import Systemd

/// Walks a path component by component and trusts it only where nobody but root and the backup's user could have
/// changed what it leads to: every directory and the file belong to one of the two and have no write bit for others.
///
/// The walk holds each directory open while it looks for the next name below it, so what was checked is what the name
/// leads to; once all of it is beyond the reach of others, the path means the same file at exec(3) as it did here.
nonisolated struct TrustedPath {
    /// Who may own the components, besides root.
    let owner: User
    /// Whether symbolic links are followed, each target under the same checks, or refused.
    let followsLinks: Bool

    /// The file that a walk ended at.
    struct File: ~Copyable {
        /// Opened with O_PATH: a name for the file, not yet its contents.
        let descriptor: Descriptor
        let status: stat
        /// Its path, with links resolved where they were followed.
        let path: String
    }

    /// As many links as the kernel follows, path_resolution(7).
    private static let mostLinks = 40

    /// Opens the file at `path`, an absolute path.
    func open(_ path: String) throws(ScriptRefusal) -> File {
        guard path.hasPrefix("/"), !path.utf8.contains(0) else {
            throw ScriptRefusal(
                path.plainOrQuoted, "is no absolute path",
                advice: "Write the path of a script from / on.")
        }
        var waiting = Self.components(path)
        guard !waiting.isEmpty, !waiting.contains("."), !waiting.contains("..") else {
            throw ScriptRefusal(path.plainOrQuoted, "is no plain path to a file", advice: "Write it without . and ..")
        }
        // The directories from / to where the walk stands; ".." in a link's target goes back along them.
        var trail: [String] = []
        var directory = try openDirectory("/")
        var links = 0

        while let name = waiting.first {
            waiting.removeFirst()
            if name == "." { continue }
            if name == ".." {
                _ = trail.popLast()
                directory = try openDirectory(Self.path(trail))
                continue
            }
            let place = Self.path(trail + [name])
            let entry = try open(name, below: directory, place: place)
            let status = try status(of: entry, place: place)
            switch status.st_mode & S_IFMT {
            case S_IFLNK:
                guard followsLinks else {
                    throw ScriptRefusal(
                        place, "is a symbolic link",
                        advice: "Name the file that it leads to, or put the script itself there.")
                }
                links += 1
                guard links <= Self.mostLinks else {
                    throw ScriptRefusal(place, "leads through too many symbolic links", advice: "Name the file itself.")
                }
                let target = try linkTarget(name, below: directory, place: place)
                waiting = Self.components(target) + waiting
                if target.hasPrefix("/") {
                    trail = []
                    directory = try openDirectory("/")
                }
            case S_IFDIR:
                guard !waiting.isEmpty else {
                    throw ScriptRefusal(place, "is a directory, not a script", advice: "Name the script itself.")
                }
                try checkNotShared(status, place: place, path: path)
                try checkOwnership(status, place: place)
                directory = entry
                trail.append(name)
            default:
                guard waiting.isEmpty else {
                    throw ScriptRefusal(
                        place, "is no directory",
                        advice: "Mend the path: \(path.plainOrQuoted) leads through it.")
                }
                guard status.st_mode & S_IFMT == S_IFREG else {
                    throw ScriptRefusal(place, "is no regular file", advice: "Put the script itself there.")
                }
                try checkOwnership(status, place: place)
                return File(descriptor: entry, status: status, path: place)
            }
        }
        throw ScriptRefusal(Self.path(trail), "is a directory, not a script", advice: "Name the script itself.")
    }

    /// A directory like /tmp is everybody's on purpose, and taking that away from it would break the machine: what lies
    /// in it is the mistake. The scripts' own folder is nobody else's.
    private func checkNotShared(_ status: stat, place: String, path: String) throws(ScriptRefusal) {
        guard status.st_mode & S_ISVTX != 0, status.st_mode & (S_IWOTH | S_IWGRP) != 0,
            !"/etc/lightsout/backup/".hasPrefix(place + "/")
        else { return }
        throw ScriptRefusal(
            place, "is a directory that everybody shares and can write, no place for what runs as \(owner.name)",
            advice: followsLinks
                ? "Name an interpreter elsewhere, such as /bin/sh."
                : "Move the script, and name its new place as \"script\" in the configuration: mv \(path.shellWord) /etc/lightsout/backup/")
    }

    private func checkOwnership(_ status: stat, place: String) throws(ScriptRefusal) {
        let word = place.shellWord
        guard status.st_uid == 0 || status.st_uid == owner.uid else {
            let name = (try? User(uid: status.st_uid))?.name ?? String(status.st_uid)
            let allowed = owner.uid == 0 ? "root" : "root or \(owner.name)"
            throw ScriptRefusal(
                place, "belongs to user \"\(name)\", not to \(allowed)", mend: "chown \(owner.name) \(word)")
        }
        if status.st_mode & S_IWOTH != 0 {
            throw ScriptRefusal(place, "can be written by everybody", mend: "chmod go-w \(word)")
        }
        if status.st_mode & S_IWGRP != 0 {
            let name = User.groupName(status.st_gid) ?? String(status.st_gid)
            throw ScriptRefusal(place, "can be written by group \"\(name)\"", mend: "chmod g-w \(word)")
        }
    }

    /// Opens a directory by its whole path, for the walk's beginning and for going back along `..`.
    private func openDirectory(_ place: String) throws(ScriptRefusal) -> Descriptor {
        let directory: Descriptor
        do throws(SystemError) {
            directory = try Descriptor.open(place, Linux.openPath | O_NOFOLLOW | O_DIRECTORY)
        } catch { throw Self.refusal(error, place: place) }
        try checkOwnership(try status(of: directory, place: place), place: place)
        return directory
    }

    private func open(
        _ name: String, below directory: borrowing Descriptor, place: String
    ) throws(ScriptRefusal) -> Descriptor {
        do throws(SystemError) {
            return try Descriptor.open(name, below: directory, Linux.openPath | O_NOFOLLOW)
        } catch {
            throw Self.refusal(error, place: place)
        }
    }

    private func status(of entry: borrowing Descriptor, place: String) throws(ScriptRefusal) -> stat {
        do throws(SystemError) { return try entry.status() } catch { throw Self.refusal(error, place: place) }
    }

    private func linkTarget(
        _ name: String, below directory: borrowing Descriptor, place: String
    ) throws(ScriptRefusal) -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let number = directory.number
        let length = readlinkat(number, name, &buffer, buffer.count)
        guard length > 0,
            let target = String(validating: buffer.prefix(length).map(UInt8.init(bitPattern:)), as: UTF8.self)
        else {
            throw ScriptRefusal(place, "is a link that cannot be read", advice: "Name the file itself.")
        }
        return target
    }

    private static func refusal(_ error: SystemError, place: String) -> ScriptRefusal {
        switch error.code {
        case ENOENT: ScriptRefusal(place, "does not exist", advice: "Mend the path or make the file.")
        default: ScriptRefusal(place, "cannot be opened: \(error.reason)", advice: "Mend the file system or the path.")
        }
    }

    private static func components(_ path: String) -> [String] { path.split(separator: "/").map { String($0) } }
    private static func path(_ components: [String]) -> String { "/" + components.joined(separator: "/") }
}
