import CLinux
import Glibc
import Systemd

/// Whom a file's mode has permissions for.
nonisolated enum FileClass: mode_t {
    case owner = 6
    case group = 3
    case others = 0

    /// The class that `user` belongs to. It is the only one that counts, as in the kernel: an owner who may not read what
    /// everybody else may is refused.
    init(of user: User, for status: stat) {
        self =
            status.st_uid == user.uid ? .owner : user.groups.contains(status.st_gid) ? .group : .others
    }

    /// What `mode` permits the class, as in access(2): `R_OK`, `W_OK`, `X_OK`.
    func permissions(in mode: mode_t) -> Int32 { Int32(mode >> rawValue & 0o7) }
}

extension User {
    /// What of `wanted` (`R_OK`, `X_OK` of access(2)) a file or directory does not permit the account, by its mode, owner
    /// and group. Access control lists that permit more are not looked at.
    nonisolated func lacks(_ wanted: Int32, of status: stat) -> Int32 {
        guard uid == 0 else { return wanted & ~FileClass(of: self, for: status).permissions(in: status.st_mode) }
        // Root passes everywhere, but executes only what somebody may execute.
        let isExecutable = status.st_mode & S_IFMT == S_IFDIR || status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH) != 0
        return isExecutable ? 0 : wanted & X_OK
    }
}
