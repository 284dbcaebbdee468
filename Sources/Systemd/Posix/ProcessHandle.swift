import CLinux
import Glibc

/// A pidfd (pidfd_open(2)): it stands for one process, whatever becomes of its number.
public nonisolated final class ProcessHandle: Sendable {
    /// The descriptor, which can be read from when the process has ended.
    public let number: Int32

    /// - Returns: nil where there is no process `pid`.
    public init?(of pid: Int32) {
        number = lo_pidfd_open(pid)
        guard number >= 0 else { return nil }
    }

    deinit { if number >= 0 { close(number) } }
}
