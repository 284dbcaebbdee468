import CSystemd
import Glibc

/// What systemd knows of this process and this machine.
public nonisolated enum Identity {
    /// `$INVOCATION_ID` of the unit that we run in, high and low half (sd_id128_get_invocation(3)).
    public static var invocation: (high: UInt64, low: UInt64)? {
        var id = sd_id128_t()
        guard sd_id128_get_invocation(&id) >= 0 else { return nil }
        return halves(id)
    }

    /// The id of this boot, 32 hexadecimal digits (sd_id128_get_boot(3)).
    public static func boot() throws(SystemError) -> String {
        var id = sd_id128_t()
        try check(sd_id128_get_boot(&id), "read the id of this boot")
        return hexadecimal(id)
    }

    /// An id of this machine for `application`, from which the machine's own cannot be told
    /// (sd_id128_get_machine_app_specific(3)), 32 hexadecimal digits.
    public static func machine(application: (high: UInt64, low: UInt64)) throws(SystemError) -> String {
        var key = sd_id128_t()
        withUnsafeMutableBytes(of: &key) { bytes in
            bytes.storeBytes(of: application.high.bigEndian, toByteOffset: 0, as: UInt64.self)
            bytes.storeBytes(of: application.low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        var id = sd_id128_t()
        try check(sd_id128_get_machine_app_specific(key, &id), "read the id of this machine")
        return hexadecimal(id)
    }

    /// The system unit that the process `pid` belongs to; 0 is ourselves (sd_pid_get_unit(3)).
    public static func unit(of pid: Int32 = 0) -> String? {
        var name: UnsafeMutablePointer<CChar>?
        guard sd_pid_get_unit(pid, &name) >= 0, let name else { return nil }
        defer { free(name) }
        return String(cString: name)
    }

    /// The login session that the process `pid` belongs to (sd_pid_get_session(3)); of a service of a user's own manager the
    /// session that he sees (sd_uid_get_display(3)). nil for neither.
    public static func session(of pid: Int32) -> String? {
        var name: UnsafeMutablePointer<CChar>?
        var user = uid_t.max
        if sd_pid_get_session(pid, &name) < 0 {
            guard sd_pid_get_owner_uid(pid, &user) >= 0, sd_uid_get_display(user, &name) >= 0 else { return nil }
        }
        guard let name else { return nil }
        defer { free(name) }
        return String(cString: name)
    }

    /// The cgroup of the process `pid`, as a path below the hierarchy; 0 is ourselves (sd_pid_get_cgroup(3)).
    public static func cgroup(of pid: Int32 = 0) -> String? {
        var path: UnsafeMutablePointer<CChar>?
        guard sd_pid_get_cgroup(pid, &path) >= 0, let path else { return nil }
        defer { free(path) }
        return String(cString: path)
    }

    private static func halves(_ id: sd_id128_t) -> (high: UInt64, low: UInt64) {
        withUnsafeBytes(of: id) { bytes in
            (
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
    }

    private static func hexadecimal(_ id: sd_id128_t) -> String {
        withUnsafeBytes(of: id) { bytes in
            bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
        }
    }
}
