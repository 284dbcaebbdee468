import Glibc

/// The names in a directory (readdir(3)), without `.` and `..`.
public nonisolated enum DirectoryEntries {
    /// The names whose type (`DT_REG`, `DT_DIR`, …) `matches`; none where the directory cannot be read.
    public static func names(in path: String, where matches: (UInt8) -> Bool = { _ in true }) -> [String] {
        var names: [String] = []
        forEach(in: path) { name, type in
            if matches(type) { names.append(String(decoding: name, as: UTF8.self)) }
        }
        return names
    }

    /// The names that end in `suffix`, without it: `server` for `server.run`. Names of nothing but the suffix are left out.
    ///
    /// Told apart by their bytes before they become strings, for a directory may hold tens of thousands.
    public static func stems(in path: String, endingIn suffix: StaticString) -> [String] {
        var stems: [String] = []
        let ending = UnsafeBufferPointer(start: suffix.utf8Start, count: suffix.utf8CodeUnitCount)
        forEach(in: path) { name, _ in
            let stem = name.count - ending.count
            guard stem > 0, name[stem...].elementsEqual(ending) else { return }
            stems.append(String(decoding: name[..<stem], as: UTF8.self))
        }
        return stems
    }

    private static func forEach(in path: String, _ body: (_ name: UnsafeBufferPointer<UInt8>, _ type: UInt8) -> Void) {
        guard let directory = opendir(path) else { return }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            withUnsafeBytes(of: &entry.pointee.d_name) { field in
                let name = field.bindMemory(to: UInt8.self)
                let bytes = UnsafeBufferPointer(rebasing: name.prefix { $0 != 0 })
                if !bytes.elementsEqual(".".utf8), !bytes.elementsEqual("..".utf8) { body(bytes, entry.pointee.d_type) }
            }
        }
    }
}
