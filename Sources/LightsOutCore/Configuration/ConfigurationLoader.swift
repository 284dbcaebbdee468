import Glibc

/// Brings the configuration's files from their folder to the reader.
///
/// A daemon that runs scripts as root believes a file only where nobody else could have written it: the file and its folder
/// belong to root (or to the user that reads), and neither group nor others may write them. Each is judged by the descriptor
/// that it is then read from.
public struct ConfigurationLoader: ~Copyable {
    /// What the files may have together.
    public static let sizeLimit = 16 << 20

    /// How wrong it is that others may have written a file.
    private let mistrust: ConfigurationProblem.Severity
    private var bytesLeft = sizeLimit
    private var problems: [ConfigurationProblem] = []

    private init(mistrust: ConfigurationProblem.Severity) { self.mistrust = mistrust }

    /// Loads the whole configuration. Without a folder or a file there is nothing configured, and nothing wrong.
    /// - Parameter calendar: by which schedules are judged, for warnings; a runner needs none.
    public static func load(_ directories: Directories, calendar: CalendarContext? = nil) -> ConfigurationReading {
        var loader = ConfigurationLoader(mistrust: .error)
        var main: ConfigurationFile?
        var dropIns: [ConfigurationFile] = []
        if let folder = loader.openFolder(directories.configuration) {
            main = loader.mainFile(in: folder)
            if let folder = loader.openFolder(directories.dropInFolder) {
                for name in loader.dropInNames(in: folder) {
                    if let file = loader.file(name, in: folder, mustExist: true) { dropIns.append(file) }
                }
            }
        }
        return ConfigurationReader.read(
            main: main, dropIns: dropIns, directories: directories, calendar: calendar, known: loader.problems)
    }

    /// Loads one file as if it were the main one and alone, to check it. It may be a working copy, which others may write:
    /// that is a warning.
    public static func load(
        file path: String, _ directories: Directories, calendar: CalendarContext? = nil
    ) -> ConfigurationReading {
        var loader = ConfigurationLoader(mistrust: .warning)
        let main = loader.file(path, at: AT_FDCWD, path, mustExist: true)
        return ConfigurationReader.read(main: main, directories: directories, calendar: calendar, known: loader.problems)
    }
}

/// An open file or folder, closed when its owner goes.
private struct OpenFile: ~Copyable {
    let descriptor: Int32
    /// As messages name it.
    let path: String
    let status: stat

    deinit { close(descriptor) }
}

extension ConfigurationLoader {
    /// The folder, if it is there and nobody else may write it.
    private mutating func openFolder(_ path: String) -> OpenFile? {
        guard let folder = open(path, at: AT_FDCWD, path, flags: O_DIRECTORY, mustExist: false), isTrusted(folder)
        else { return nil }
        return folder
    }

    /// `lightsout.yaml`, if it is there.
    private mutating func mainFile(in folder: borrowing OpenFile) -> ConfigurationFile? {
        if let file = file("lightsout.yaml", in: folder, mustExist: false) { return file }
        let other = "lightsout.yml"
        if faccessat(folder.descriptor, other, F_OK, AT_SYMLINK_NOFOLLOW) == 0 { warnOfEnding(other, in: folder) }
        return nil
    }

    private mutating func file(
        _ name: String, in folder: borrowing OpenFile, mustExist: Bool
    ) -> ConfigurationFile? {
        file(folder.path + "/" + name, at: folder.descriptor, name, mustExist: mustExist)
    }

    private mutating func file(_ path: String, at folder: Int32, _ name: String, mustExist: Bool) -> ConfigurationFile? {
        // O_NONBLOCK: a FIFO in the file's place is refused below, and not waited for.
        guard let file = open(path, at: folder, name, flags: O_NONBLOCK | O_NOCTTY, mustExist: mustExist)
        else { return nil }
        guard file.status.st_mode & S_IFMT == S_IFREG else {
            report(path, "is no regular file, and so not read", suggestion: "put a regular file there, or remove it")
            return nil
        }
        guard isTrusted(file) else { return nil }
        return content(of: file)
    }

    private mutating func open(
        _ path: String, at folder: Int32, _ name: String, flags: Int32, mustExist: Bool
    ) -> OpenFile? {
        let descriptor = retryingInterrupted { openat(folder, name, O_RDONLY | O_CLOEXEC | flags) }
        guard descriptor >= 0 else {
            let code = errno
            // Behind a link that leads nowhere is what somebody configured and what is missing now, such as a mount.
            var entry = stat()
            if code == ENOENT, fstatat(folder, name, &entry, AT_SYMLINK_NOFOLLOW) == 0, entry.st_mode & S_IFMT == S_IFLNK {
                report(
                    path, "is a symbolic link that leads nowhere",
                    suggestion: "bring back what it leads to, or remove the link")
            } else if mustExist || code != ENOENT {
                reportErrno(path, "cannot be opened", code)
            }
            return nil
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            reportErrno(path, "cannot be examined", errno)
            close(descriptor)
            return nil
        }
        return OpenFile(descriptor: descriptor, path: path, status: status)
    }

    /// Whether only root and the user that reads can have written the file, or that does not matter.
    private mutating func isTrusted(_ file: borrowing OpenFile) -> Bool {
        let (owner, mode) = (file.status.st_uid, file.status.st_mode)
        guard owner == 0 || owner == geteuid() else {
            return distrust(file, "belongs to the user with the number \(owner)", mend: "chown root")
        }
        guard mode & (S_IWGRP | S_IWOTH) == 0 else {
            let who = mode & S_IWOTH == 0 ? "the group with the number \(file.status.st_gid)" : "everybody"
            return distrust(file, "can be written by \(who)", mend: "chmod go-w")
        }
        return true
    }

    /// Reports that others may have written the file; whether it is read all the same.
    private mutating func distrust(_ file: borrowing OpenFile, _ fault: String, mend command: String) -> Bool {
        switch mistrust {
        case .error:
            report(
                file.path, "\(fault), who could put anything into it; not read",
                suggestion: "mend it with: \(command) \(file.path.shellWord)")
            return false
        case .warning:
            warn(
                file.path, "\(fault), who could put anything into it; so it would not be read where it counts",
                suggestion: "install it as root's, for nobody else to write")
            return true
        }
    }

    private mutating func content(of file: borrowing OpenFile) -> ConfigurationFile? {
        // A file that grows while it is read is cut off by the same limit as one that was too big from the start.
        let limit = bytesLeft
        guard file.status.st_size <= limit else {
            reportTooBig(file.path)
            return nil
        }
        var bytes: [UInt8] = []
        while true {
            let wanted = max(4096, Int(file.status.st_size) + 1 - bytes.count)
            var count = 0
            bytes.append(addingCapacity: wanted) { room in
                count = retryingInterrupted { Glibc.read(file.descriptor, room.baseAddress, room.count) }
                return max(0, count)
            }
            guard count >= 0 else {
                reportErrno(file.path, "cannot be read", errno)
                return nil
            }
            guard bytes.count <= limit else {
                reportTooBig(file.path)
                return nil
            }
            if count == 0 { break }
        }
        bytesLeft -= bytes.count
        return ConfigurationFile(path: file.path, bytes: bytes)
    }

    /// The names of the folder's files that count, in the order of their bytes. Names that nearly do are reported.
    private mutating func dropInNames(in folder: borrowing OpenFile) -> [String] {
        guard let names = FolderListing.names(in: folder.path) else {
            reportErrno(folder.path, "cannot be listed", errno)
            return []
        }
        var counting: [String] = []
        for name in names where !name.text.hasPrefix(".") {
            let ending = name.text.fileEnding
            switch ending.lowercased() {
            case "yaml" where ending == "yaml":
                if name.isUTF8 {
                    counting.append(name.text)
                } else {
                    report(
                        folder.path + "/" + name.text, "has a name that is no UTF-8, and so is not read",
                        suggestion: "rename it")
                }
            case "yaml", "yml": warnOfEnding(name.text, in: folder)
            default: break
            }
        }
        return counting
    }

    /// - Parameter name: one that ends in `.yml`, or in capitals.
    private mutating func warnOfEnding(_ name: String, in folder: borrowing OpenFile) {
        let ending = name.fileEnding
        warn(
            folder.path + "/" + name, "is not read: its name ends in .\(ending)",
            suggestion: "rename it to \(name.dropLast(ending.count))yaml")
    }

    private mutating func warn(_ path: String, _ message: String, suggestion: String) {
        problems.append(ConfigurationProblem(.warning, file: path, message, suggestion: suggestion))
    }

    private mutating func report(_ path: String, _ message: String, suggestion: String?) {
        problems.append(ConfigurationProblem(.error, file: path, message, suggestion: suggestion))
    }

    private mutating func reportErrno(_ path: String, _ failure: String, _ code: Int32) {
        report(path, "\(failure): \(String(cString: strerror(code)))", suggestion: nil)
    }

    private mutating func reportTooBig(_ path: String) {
        report(
            path, "makes the configuration bigger than \(Self.sizeLimit >> 20) MiB, and is not read",
            suggestion: "a configuration has a few kilobytes: look what the file is")
    }
}

extension [UInt8] {
    /// Appends what `fill` writes into uninitialised room for `count` bytes; it returns how many it wrote.
    fileprivate mutating func append(addingCapacity count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Int) {
        let addition = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = fill(UnsafeMutableRawBufferPointer(buffer))
        }
        if isEmpty { self = addition } else { append(contentsOf: addition) }
    }
}

extension String {
    /// What stands after the last dot of a file's name; nothing where it has none.
    fileprivate var fileEnding: Substring { lastIndex(of: ".").map { self[index(after: $0)...] } ?? "" }
}

/// The names in a folder.
enum FolderListing {
    /// A name as text; where it is no UTF-8, repaired, and then no file's.
    struct Name {
        let text: String
        let isUTF8: Bool
    }

    /// The names in the order of their bytes, without `.` and `..`; nil, with `errno` set, where they cannot be had.
    static func names(in path: String) -> [Name]? {
        guard let folder = opendir(path) else { return nil }
        defer { closedir(folder) }
        var names: [Name] = []
        while true {
            errno = 0
            guard let entry = readdir(folder) else {
                guard errno == 0 else { return nil }
                return names.sorted { $0.text.utf8.lexicographicallyPrecedes($1.text.utf8) }
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { field in
                let bytes = field.prefix { $0 != 0 }
                return String(validating: bytes, as: UTF8.self).map { Name(text: $0, isUTF8: true) }
                    ?? Name(text: String(decoding: bytes, as: UTF8.self), isUTF8: false)
            }
            if name.text != ".", name.text != ".." { names.append(name) }
        }
    }
}

/// Makes a system call again for as long as signals interrupt it.
private func retryingInterrupted<Number: SignedInteger>(_ call: () -> Number) -> Number {
    while true {
        let result = call()
        if result != -1 || errno != EINTR { return result }
    }
}
