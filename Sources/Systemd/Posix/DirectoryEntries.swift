import Glibc

/// The names in a directory (readdir(3)), without `.` and `..`.
public nonisolated enum DirectoryEntries {
    /// The names whose type (`DT_REG`, `DT_DIR`, …) `matches`; none where the directory cannot be read.
    public static func names(in path: String, where matches: (UInt8) -> Bool = { _ in true }) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            guard matches(entry.pointee.d_type) else { continue }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }
}
