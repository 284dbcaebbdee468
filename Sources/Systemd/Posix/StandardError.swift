import CLinux
import Glibc

/// What a program says to people beside its output.
public nonisolated enum StandardError {
    /// Writes `line`, prefixed with the program's name, in one piece. Where nobody reads there is nothing to be done.
    public static func say(_ line: String) {
        let bytes = Array("lightsout: \(line)\n".utf8)
        bytes.withUnsafeBytes { bytes in
            // A journald that does not read must not hold up who only has something to say.
            let sent = send(STDERR_FILENO, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
            if sent < 0 && errno == ENOTSOCK { _ = write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
        }
    }
}
