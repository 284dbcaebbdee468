import CLinux
import Glibc

extension EventLoop {
    /// Calls `handler` whenever the kernel tells of a change of a device of `subsystem`, such as `power_supply`: the
    /// events that udev gets, of the kind NETLINK_KOBJECT_UEVENT (netlink(7)), from the kernel alone.
    public func onKernelEvent(
        subsystem: String, _ handler: @escaping () -> Void
    ) throws(SystemError) -> KernelEvents {
        try KernelEvents(self, subsystem, handler)
    }
}

/// Keeps the watch of ``EventLoop/onKernelEvent(subsystem:_:)``.
public final class KernelEvents {
    private let socket: Descriptor
    private var source: EventSource?

    fileprivate init(_ loop: EventLoop, _ subsystem: String, _ handler: @escaping () -> Void) throws(SystemError) {
        let socket = Descriptor(
            owning: try retryingInterrupts("listen to the kernel's events") { lo_watch_uevents() })
        let number = socket.number
        self.socket = socket
        let wanted = Array("SUBSYSTEM=\(subsystem)".utf8)
        source = try loop.onEvents(UInt32(EPOLLIN.rawValue), of: number) { _ in
            var isConcerned = false
            var buffer = [UInt8](repeating: 0, count: 8192)
            while true {
                let length = lo_read_uevent(number, &buffer, buffer.count)
                if length < 0, errno == EINTR { continue }
                // Some were lost: the one that matters may be among them.
                if length < 0, errno == ENOBUFS {
                    isConcerned = true
                    continue
                }
                guard length >= 0 else { break }
                if buffer[..<length].split(separator: 0).contains(where: { $0.elementsEqual(wanted) }) {
                    isConcerned = true
                }
            }
            if isConcerned { handler() }
        }
    }
}
