import Glibc

/// What a program says to people beside its output.
public nonisolated enum StandardError {
    /// Writes `line`, prefixed with the program's name, in one piece. Where nobody reads there is nothing to be done.
    public static func say(_ line: String) {
        let bytes = Array("lightsout: \(line)\n".utf8)
        _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
