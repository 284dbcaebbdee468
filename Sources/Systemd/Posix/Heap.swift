import CLinux

/// The C library's heap.
public nonisolated enum Heap {
    /// Gives memory that is free back to the kernel, for after a large piece of work (malloc_trim(3)): the heap of a process
    /// that then only waits would stay as large as that work made it.
    public static func giveBackFree() { malloc_trim(0) }
}
