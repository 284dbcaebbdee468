import Glibc

extension ZoneRules {
    /// The zone that this machine's people live in: what `TZ` says where it is set, `/etc/localtime` otherwise.
    ///
    /// `environment` is the value of `TZ` (tzset(3)): a name (`Europe/Berlin`, with a colon before it or without), a path, a
    /// POSIX rule (`CET-1CEST,M3.5.0,M10.5.0/3`), or nothing for UTC. No file at `path` means UTC, as it does to systemd.
    /// - Throws: ``ZoneError``. glibc silently takes UTC then; the caller decides, and should say so.
    public static func local(
        environment: String? = ZoneRules.environmentZone, path: String = "/etc/localtime",
        zones: ZoneDatabase = .system
    ) throws(ZoneError) -> ZoneRules {
        if let environment { return try fromEnvironment(environment, zones: zones) }
        do throws(ZoneError) {
            return try read(path: path, name: zoneName(ofLink: path))
        } catch {
            if access(path, F_OK) != 0, errno == ENOENT { return .utc }
            throw error
        }
    }

    /// Reads a file that nobody calls by the name of a zone.
    private static func read(path: String, name: String) throws(ZoneError) -> ZoneRules {
        do throws(ZoneError) {
            return try ZoneDatabase.read(path: path, name: name)
        } catch {
            if case .unknown = error { throw .damaged(path: path, what: "does not exist or holds no time zone") }
            throw error
        }
    }

    /// The value of `TZ` of this process.
    public static var environmentZone: String? { getenv("TZ").map { String(cString: $0) } }

    private static func fromEnvironment(_ text: String, zones: ZoneDatabase) throws(ZoneError) -> ZoneRules {
        let name = text.first == ":" ? String(text.dropFirst()) : text
        if name.isEmpty { return .utc }
        if name.first == "/" { return try read(path: name, name: zoneName(ofPath: name) ?? "localtime") }
        do throws(ZoneError) {
            return try zones.zone(named: name)
        } catch {
            guard let rule = PosixZoneRule(name.utf8) else { throw error }
            return ZoneRules(name: name, changes: [], initial: rule.standard, tail: rule)
        }
    }

    /// `Europe/Berlin` for a link to `/usr/share/zoneinfo/Europe/Berlin`, which is how the zone's name is kept
    /// (localtime(5)).
    private static func zoneName(ofLink path: String) -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink(path, &buffer, buffer.count)
        guard length > 0 else { return "localtime" }
        let target = String(decoding: buffer[..<length].lazy.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return zoneName(ofPath: target) ?? "localtime"
    }

    private static func zoneName(ofPath path: String) -> String? {
        let marker = Array("/zoneinfo/".utf8)
        let bytes = Array(path.utf8)
        guard bytes.count > marker.count else { return nil }
        for start in (0...(bytes.count - marker.count)).reversed()
        where bytes[start..<(start + marker.count)].elementsEqual(marker) {
            let name = String(decoding: bytes[(start + marker.count)...], as: UTF8.self)
            return ZoneDatabase.isValidName(name) ? name : nil
        }
        return nil
    }
}
