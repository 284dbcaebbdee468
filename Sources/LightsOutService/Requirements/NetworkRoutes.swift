import CLinux
import Glibc
import Systemd

/// Whether there is a way out of this machine: a default route, whatever program made it (rtnetlink(7)).
final class NetworkRoutes {
    private let socket: Descriptor
    private var source: EventSource?

    /// - Parameter onChange: called whenever a route comes or goes.
    init(_ loop: EventLoop, onChange: @escaping () -> Void) throws(SystemError) {
        let socket = Descriptor(
            owning: try retryingInterrupts("watch the network's routes") { lo_watch_routes() })
        let number = socket.number
        self.socket = socket
        source = try loop.onEvents(UInt32(EPOLLIN.rawValue), of: number) { _ in
            // What changed is of no interest, and neither is a message that was lost: the table is read anew.
            var buffer = [UInt8](repeating: 0, count: 8192)
            while recv(number, &buffer, buffer.count, Int32(MSG_DONTWAIT)) > 0 {}
            onChange()
        }
    }

    /// Whether a default route exists, of IPv4 or IPv6, through an interface other than the loopback.
    static func hasDefault() throws(SystemError) -> Bool {
        func lines(_ path: String) throws(SystemError) -> [[Substring]] {
            let bytes: [UInt8]
            do throws(SystemError) { bytes = try Descriptor.open(path, O_RDONLY).readAll(limit: 4 << 20) } catch {
                // A kernel without IPv6, say, has no such file.
                guard error.code == ENOENT else { throw error }
                return []
            }
            return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map {
                $0.split(whereSeparator: { $0 == "\t" || $0 == " " })
            }
        }
        // Destination and mask all zero, and up (RTF_UP = 1, RTF_REJECT = 0x200).
        func isUsable(_ flags: Substring) -> Bool {
            guard let flags = UInt32(flags, radix: 16) else { return false }
            return flags & 1 != 0 && flags & 0x200 == 0
        }
        if try lines("/proc/net/route").dropFirst().contains(where: { fields in
            fields.count > 7 && fields[1] == "00000000" && fields[7] == "00000000" && fields[0] != "lo"
                && isUsable(fields[3])
        }) {
            return true
        }
        return try lines("/proc/net/ipv6_route").contains { fields in
            fields.count > 9 && fields[1] == "00" && fields[0].allSatisfy { $0 == "0" } && fields[9] != "lo"
                && isUsable(fields[8])
        }
    }
}
