import Glibc

/// Owns one handle of libsystemd and gives its reference back when it goes.
nonisolated struct OwnedHandle: ~Copyable {
    /// libsystemd's functions that give a reference back return NULL, for convenience in C.
    typealias Release = @convention(c) (OpaquePointer?) -> OpaquePointer?

    let raw: OpaquePointer
    private let release: Release

    /// Takes the reference that `raw` holds.
    /// - Throws: ``SystemError`` (ENOMEM) where a function said that it succeeded and gave no handle.
    init(_ raw: OpaquePointer?, _ operation: @autoclosure () -> String, release: @escaping Release) throws(SystemError) {
        guard let raw else { throw SystemError(code: ENOMEM, operation: operation()) }
        self.raw = raw
        self.release = release
    }

    deinit { _ = release(raw) }
}
