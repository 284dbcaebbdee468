import Glibc

/// Brings the configuration's files from their folder to the reader.
///
/// A daemon that runs scripts as root believes a file only where nobody else could have written it: the file and its folder
/// belong to root (or to the user that reads), and neither group nor others may write them. Each is judged by the descriptor
/// that it is then read from.
public struct ConfigurationLoader: ~Copyable {
    /// What the files may have together.
    public static let sizeLimit = 16 << 20

    private var bytesLeft = sizeLimit
    private var problems: [ConfigurationProblem] = []

    /// Loads the whole configuration. Without a folder or a file there is nothing configured, and nothing wrong.
    /// - Parameter calendar: by which schedules are judged, for warnings; a runner needs none.
    public static func load(_ directories: Directories, calendar: CalendarContext? = nil) -> ConfigurationReading {
        var loader = ConfigurationLoader()
        var main: ConfigurationFile?
        var dropIns: [ConfigurationFile] = []
        if let folder = loader.openFolder(directories.configuration) {
            main = loader.file("lightsout.yaml", in: folder)
            if let folder = loader.openFolder(directories.dropInFolder) {
                for name in loader.dropInNames(in: folder) {
                    if let file = loader.file(name, in: folder) { dropIns.append(file) }
                }
            }
        }
        return ConfigurationReader.read(
            main: main, dropIns: dropIns, directories: directories, calendar: calendar, known: loader.problems)
    }

    /// Loads one file as if it were the main one and alone, to check it.
    public static func load(
        file path: String, _ directories: Directories, calendar: CalendarContext? = nil
    ) -> ConfigurationReading {
        var loader = ConfigurationLoader()
        let main = loader.file(path, mustExist: true)
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

    private mutating func file(_ name: String, in folder: borrowing OpenFile) -> ConfigurationFile? {
        guard let file = openFile(folder.path + "/" + name, at: folder.descriptor, name, mustExist: false)
        else { return nil }
        return content(of: file)
    }

    private mutating func file(_ path: String, mustExist: Bool) -> ConfigurationFile? {
        guard let file = openFile(path, at: AT_FDCWD, path, mustExist: mustExist) else { return nil }
        return content(of: file)
    }

    private mutating func openFile(_ path: String, at folder: Int32, _ name: String, mustExist: Bool) -> OpenFile? {
        // O_NONBLOCK: a FIFO in the file's place is refused below, and not waited for.
        guard let file = open(path, at: folder, name, flags: O_NONBLOCK | O_NOCTTY, mustExist: mustExist)
        else { return nil }
        guard file.status.st_mode & S_IFMT == S_IFREG else {
            report(path, "is no regular file, and so not read", suggestion: "put a regular file there, or remove it")
            return nil
        }
        guard isTrusted(file) else { return nil }
        return file
    }

    private mutating func open(
        _ path: String, at folder: Int32, _ name: String, flags: Int32, mustExist: Bool
    ) -> OpenFile? {
        let descriptor = retryingInterrupted { openat(folder, name, O_RDONLY | O_CLOEXEC | flags) }
        guard descriptor >= 0 else {
            if mustExist || errno != ENOENT { reportErrno(path, "cannot be opened") }
            return nil
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            reportErrno(path, "cannot be examined")
            close(descriptor)
            return nil
        }
        return OpenFile(descriptor: descriptor, path: path, status: status)
    }

    /// Whether only root and the user that reads can have written the file.
    private mutating func isTrusted(_ file: borrowing OpenFile) -> Bool {
        let owner = file.status.st_uid
        guard owner == 0 || owner == geteuid() else {
            report(
                file.path, "belongs to the user with the number \(owner), who could put anything into it; not read",
                suggestion: "mend it with: chown root \(file.path)")
            return false
        }
        guard file.status.st_mode & (S_IWGRP | S_IWOTH) == 0 else {
            let who = file.status.st_mode & S_IWOTH == 0 ? "the group with the number \(file.status.st_gid)" : "everybody"
            report(
                file.path, "can be written by \(who), who could put anything into it; not read",
                suggestion: "mend it with: chmod go-w \(file.path)")
            return false
        }
        return true
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
                reportErrno(file.path, "cannot be read")
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
            reportErrno(folder.path, "cannot be listed")
            return []
        }
        for name in names where name.hasSuffix(".yml") && !name.hasPrefix(".") {
            problems.append(
                ConfigurationProblem(
                    .warning, file: folder.path + "/" + name, "is not read: its name ends in .yml",
                    suggestion: "rename it to \(name.dropLast(4)).yaml"))
        }
        return names.filter { $0.hasSuffix(".yaml") && !$0.hasPrefix(".") }
    }

    private mutating func report(_ path: String, _ message: String, suggestion: String?) {
        problems.append(ConfigurationProblem(.error, file: path, message, suggestion: suggestion))
    }

    private mutating func reportErrno(_ path: String, _ failure: String) {
        report(path, "\(failure): \(String(cString: strerror(errno)))", suggestion: nil)
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

/// The names in a folder.
enum FolderListing {
    /// The names in the order of their bytes, without `.` and `..`; nil, with `errno` set, where they cannot be had.
    static func names(in path: String) -> [String]? {
        guard let folder = opendir(path) else { return nil }
        defer { closedir(folder) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(folder) else {
                guard errno == 0 else { return nil }
                return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            }
            // A name that is no UTF-8 is repaired, and then fits no pattern and no file.
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
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
