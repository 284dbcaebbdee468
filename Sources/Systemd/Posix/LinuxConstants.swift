/// Constants of Linux that glibc shows under _GNU_SOURCE only, where Swift's importer does not look. They are part of
/// the kernel's interface on every architecture that Swift runs on.
public nonisolated enum Linux {
    /// O_PATH of open(2): a name for a file, without its contents.
    public static let openPath: Int32 = 0o10000000
    /// F_OFD_GETLK and F_OFD_SETLK of fcntl(2): locks of an open file description.
    public static let getDescriptionLock: Int32 = 36
    public static let setDescriptionLock: Int32 = 37
    /// ST_NOEXEC of statvfs(3).
    public static let mountedNoExec: UInt = 8
    /// EPOLLIN and EPOLLOUT of epoll(7), for ``EventLoop/onEvents(_:of:_:)``.
    public static let canBeRead: UInt32 = 0x1
    public static let canBeWritten: UInt32 = 0x4
}
