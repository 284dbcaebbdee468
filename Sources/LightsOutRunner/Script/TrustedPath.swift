import Glibc
import LightsOutCore
import Systemd

/// Walks a path component by component and trusts it only where nobody but root and the backup's user could have
/// changed what it leads to: every directory and the file belong to one of the two and have no write bit for others. The
/// user must be able to pass the directories.
///
/// The walk holds each directory open while it looks for the next name below it, so what was checked is what the name
/// leads to; once all of it is beyond the reach of others, the path means the same file at exec(3) as it did here.
nonisolated struct TrustedPath {
    /// What the path leads to.
    let role: Role
    /// Who may own the components, besides root.
    let owner: User

    enum Role: String {
        /// Reached without symbolic links.
        case script
        /// Links are followed, each target under the same checks.
        case interpreter
    }

    init(to role: Role, for owner: User) {
        self.role = role
        self.owner = owner
    }

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
        guard !path.hasSuffix("/") else {
            throw ScriptRefusal(
                path.plainOrQuoted, "ends in a slash, as the path of a directory does", advice: "Write it without.")
        }
        // The directories from / to where the walk stands; ".." in a link's target goes back along them.
        var trail: [String] = []
        var directory = try openDirectory("/", on: path)
        var links = 0

        while let name = waiting.first {
            waiting.removeFirst()
            if name == "." { continue }
            if name == ".." {
                _ = trail.popLast()
                directory = try openDirectory(Self.path(trail), on: path)
                continue
            }
            let place = Self.path(trail + [name])
            let entry = try open(name, below: directory, place: place)
            let status = try status(of: entry, place: place)
            switch status.st_mode & S_IFMT {
            case S_IFLNK:
                guard role == .interpreter else {
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
                    directory = try openDirectory("/", on: path)
                }
            case S_IFDIR:
                guard !waiting.isEmpty else { throw refusalOfDirectory(place) }
                try checkDirectory(status, place: place, path: path)
                directory = entry
                trail.append(name)
            default:
                guard waiting.isEmpty else {
                    throw ScriptRefusal(
                        place, "is no directory",
                        advice: "Mend the path: \(path.plainOrQuoted) leads through it.")
                }
                guard status.st_mode & S_IFMT == S_IFREG else {
                    throw ScriptRefusal(place, "is no regular file", advice: "Put the \(role.rawValue) itself there.")
                }
                if let stranger = stranger(owning: status) {
                    throw ScriptRefusal(place, stranger, mend: "chown \(owner.name) \(place.shellWord)")
                }
                try checkWriters(status, place: place)
                return File(descriptor: entry, status: status, path: place)
            }
        }
        throw refusalOfDirectory(Self.path(trail))
    }

    /// Checks the directory at `path`, an absolute path, and every one above it, with links followed. One that does not exist
    /// passes if nobody else could make it.
    func checkDirectory(_ path: String) throws(ScriptRefusal) {
        guard path.hasPrefix("/"), !path.utf8.contains(0) else {
            throw ScriptRefusal(path.plainOrQuoted, "is no absolute path", advice: "Write the path of a directory from / on.")
        }
        var waiting = Self.components(path)
        var trail: [String] = []
        var directory = try openDirectory("/", on: path)
        var links = 0
        while let name = waiting.first {
            waiting.removeFirst()
            if name == "." { continue }
            if name == ".." {
                _ = trail.popLast()
                directory = try openDirectory(Self.path(trail), on: path)
                continue
            }
            let place = Self.path(trail + [name])
            let entry: Descriptor
            do throws(ScriptRefusal) { entry = try open(name, below: directory, place: place) } catch {
                if error.isMissing { return }
                throw error
            }
            let status = try status(of: entry, place: place)
            if status.st_mode & S_IFMT == S_IFLNK {
                links += 1
                guard links <= Self.mostLinks else {
                    throw ScriptRefusal(place, "leads through too many symbolic links", advice: "Name the directory itself.")
                }
                let target = try linkTarget(name, below: directory, place: place)
                waiting = Self.components(target) + waiting
                if target.hasPrefix("/") {
                    trail = []
                    directory = try openDirectory("/", on: path)
                }
                continue
            }
            // No program is found below a file.
            guard status.st_mode & S_IFMT == S_IFDIR else { return }
            try checkDirectory(status, place: place, path: path)
            directory = entry
            trail.append(name)
        }
    }

    private func refusalOfDirectory(_ place: String) -> ScriptRefusal {
        ScriptRefusal(
            place, "is a directory, not \(role == .script ? "a script" : "an interpreter")",
            advice: "Name the \(role.rawValue) itself.")
    }

    // MARK: Judgements

    /// Somebody's home, or a directory that a group or everybody shares on purpose, is as it should be, and taking it away
    /// from them would do harm: what lies in it is the mistake. The scripts' own folder is nobody else's.
    private func checkDirectory(_ status: stat, place: String, path: String) throws(ScriptRefusal) {
        let isOwn = "/etc/lightsout/backup/".hasPrefix(place == "/" ? place : place + "/")
        let isWritable = status.st_mode & (S_IWGRP | S_IWOTH) != 0
        if isWritable, status.st_mode & S_ISVTX != 0, !isOwn {
            throw ScriptRefusal(
                place, "is a directory that everybody shares and can write, no place for what runs as \(owner.name)",
                advice: adviceToMove(path))
        }
        if let stranger = stranger(owning: status) {
            guard !isOwn else { throw ScriptRefusal(place, stranger, mend: "chown root \(place.shellWord)") }
            let account = owner.uid == 0 ? try? User(uid: status.st_uid) : nil
            throw ScriptRefusal(
                place, stranger,
                advice: adviceToMove(path)
                    + (account.map { "; or run the backup as that user, with user: \($0.name.plainOrQuoted)" } ?? ""))
        }
        if isWritable, status.st_mode & S_ISGID != 0, !isOwn {
            let name = User.groupName(status.st_gid) ?? String(status.st_gid)
            throw ScriptRefusal(
                place, "is a directory that group \"\(name)\" shares and can write, no place for what runs as \(owner.name)",
                advice: adviceToMove(path))
        }
        try checkWriters(status, place: place)
        if owner.lacks(X_OK, of: status) != 0 {
            throw ScriptRefusal(
                place, "cannot be entered by user \"\(owner.name)\"",
                advice: role == .interpreter
                    ? adviceToMove(path)
                    : "Where nothing below must stay closed to others: chmod a+x \(place.shellWord). Otherwise move the script, and name its new place as \"script\" in the configuration"
            )
        }
    }

    private func adviceToMove(_ path: String) -> String {
        switch role {
        case .interpreter: "Name an interpreter elsewhere, such as /bin/sh"
        case .script:
            "Move the script, and name its new place as \"script\" in the configuration: mv \(path.shellWord) /etc/lightsout/backup/"
        }
    }

    /// Who the owner is where that is neither root nor the backup's user, as the rest of a sentence.
    private func stranger(owning status: stat) -> String? {
        guard status.st_uid != 0, status.st_uid != owner.uid else { return nil }
        let allowed = owner.uid == 0 ? "root" : "root or \(owner.name)"
        let name = (try? User(uid: status.st_uid))?.name ?? String(status.st_uid)
        return "belongs to user \"\(name)\", not to \(allowed)"
    }

    private func checkWriters(_ status: stat, place: String) throws(ScriptRefusal) {
        let word = place.shellWord
        if status.st_mode & S_IWOTH != 0 {
            throw ScriptRefusal(place, "can be written by everybody", mend: "chmod go-w \(word)")
        }
        if status.st_mode & S_IWGRP != 0 {
            let name = User.groupName(status.st_gid) ?? String(status.st_gid)
            throw ScriptRefusal(place, "can be written by group \"\(name)\"", mend: "chmod g-w \(word)")
        }
    }

    // MARK: Steps

    /// Opens a directory by its whole path, for the walk's beginning and for going back along `..`.
    private func openDirectory(_ place: String, on path: String) throws(ScriptRefusal) -> Descriptor {
        let directory: Descriptor
        do throws(SystemError) {
            directory = try Descriptor.open(place, Linux.openPath | O_NOFOLLOW | O_DIRECTORY)
        } catch { throw Self.refusal(error, place: place) }
        try checkDirectory(try status(of: directory, place: place), place: place, path: path)
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
        case ENOENT: ScriptRefusal(missing: place, advice: "Mend the path or make the file.")
        default:
            ScriptRefusal(error, place, "cannot be opened", remedy: .advice("Mend the file system or the path."))
        }
    }

    private static func components(_ path: String) -> [String] { path.split(separator: "/").map { String($0) } }
    private static func path(_ components: [String]) -> String { "/" + components.joined(separator: "/") }
}
