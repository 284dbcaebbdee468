import Glibc

/// An account of the machine's user database (getpwnam(3)), with all its groups (getgrouplist(3)).
public nonisolated struct User: Hashable, Sendable {
    public let name: String
    public let uid: UInt32
    public let gid: UInt32
    public let groups: [UInt32]
    public let home: String
    public let shell: String

    /// Looks up the account called `name`.
    /// - Throws: ``SystemError``; ENOENT where there is none.
    public init(named name: String) throws(SystemError) {
        try self.init("look up the user \(name)") { record, buffer, size, found in
            getpwnam_r(name, record, buffer, size, found)
        }
    }

    /// Looks up the account with the id `uid`.
    public init(uid: UInt32) throws(SystemError) {
        try self.init("look up the user with the id \(uid)") { record, buffer, size, found in
            getpwuid_r(uid, record, buffer, size, found)
        }
    }

    private init(
        _ operation: String,
        _ lookUp: (
            UnsafeMutablePointer<passwd>, UnsafeMutablePointer<CChar>, Int,
            UnsafeMutablePointer<UnsafeMutablePointer<passwd>?>
        ) -> Int32
    ) throws(SystemError) {
        var size = 4096
        while true {
            let buffer = UnsafeMutablePointer<CChar>.allocate(capacity: size)
            defer { buffer.deallocate() }
            var record = passwd()
            var found: UnsafeMutablePointer<passwd>?
            let code = lookUp(&record, buffer, size, &found)
            if code == EINTR { continue }
            if code == ERANGE && size < 1 << 20 {
                size *= 4
                continue
            }
            guard code == 0, found != nil else {
                throw SystemError(code: code == 0 ? ENOENT : code, operation: operation)
            }
            name = String(cString: record.pw_name)
            uid = record.pw_uid
            gid = record.pw_gid
            home = String(cString: record.pw_dir)
            shell = String(cString: record.pw_shell)
            groups = Self.groups(of: record.pw_name, gid: record.pw_gid)
            return
        }
    }

    /// The name of the group `gid`; nil where it has none.
    public static func groupName(_ gid: UInt32) -> String? {
        var record = group()
        var found: UnsafeMutablePointer<group>?
        let buffer = UnsafeMutablePointer<CChar>.allocate(capacity: 64 * 1024)
        defer { buffer.deallocate() }
        guard getgrgid_r(gid, &record, buffer, 64 * 1024, &found) == 0, found != nil else { return nil }
        return String(cString: record.gr_name)
    }

    private static func groups(of name: UnsafePointer<CChar>, gid: UInt32) -> [UInt32] {
        var count: Int32 = 64
        while true {
            var groups = [UInt32](repeating: 0, count: Int(count))
            let room = count
            if getgrouplist(name, gid, &groups, &count) >= 0 { return Array(groups.prefix(Int(count))) }
            // glibc says how many there are; never ask for no more than before.
            count = max(count, room * 2)
        }
    }
}
