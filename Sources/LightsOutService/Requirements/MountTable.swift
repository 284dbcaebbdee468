import CLinux
import Glibc
import Systemd

/// The machine's mount points, as the kernel lists them and tells when they change (/proc/1/mountinfo of proc(5)): those
/// of process 1, which the backups' units share. Our own namespace has mounts that systemd made to confine us, and need
/// not have those that came later.
final class MountTable {
    private let file: Descriptor
    private var source: EventSource?

    /// - Parameter onChange: called whenever something is mounted or unmounted.
    init(_ loop: EventLoop, onChange: @escaping () -> Void) throws(SystemError) {
        let file: Descriptor
        do throws(SystemError) { file = try Descriptor.open("/proc/1/mountinfo", O_RDONLY) } catch {
            // Without privilege, in a trial, our own are as good.
            file = try Descriptor.open("/proc/self/mountinfo", O_RDONLY)
        }
        let number = file.number
        self.file = file
        source = try loop.onEvents(UInt32(EPOLLPRI.rawValue), of: number) { _ in onChange() }
    }

    /// The mount points that are not mounted, of those named in the kernel's form.
    func missing(_ paths: [String]) throws(SystemError) -> [String] {
        lseek(file.number, 0, SEEK_SET)
        let bytes = try file.readAll(limit: 16 << 20)
        // Users who may mount choose the names: they are compared by their bytes, and none is kept that nobody waits for.
        let wanted = Set(paths.map { Array($0.utf8) })
        var mounted: Set<[UInt8]> = []
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5)
            guard fields.count > 4 else { continue }
            let path = Self.unescaped(fields[4])
            if wanted.contains(path) { mounted.insert(path) }
        }
        return paths.filter { !mounted.contains(Array($0.utf8)) }
    }

    /// Space, tab, newline and backslash are written as three octal digits.
    private static func unescaped(_ field: ArraySlice<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = field
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), rest.count >= 3,
                let code = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
            {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return bytes
    }
}
