import CSystemd
import Glibc

/// What a service tells the manager that started it (sd_notify(3)); nothing happens where there is none.
public nonisolated enum ServiceManager {
    /// Says that start-up is done, or a reload.
    public static func ready(status: String) { send("READY=1\nSTATUS=\(oneLine(status))") }
    /// The line that `systemctl status` shows.
    public static func status(_ text: String) { send("STATUS=\(oneLine(text))") }
    public static func stopping(status: String) { send("STOPPING=1\nSTATUS=\(oneLine(status))") }
    /// Says that a reload began, at `monotonic` microseconds: what Type=notify-reload waits for.
    public static func reloading(monotonic: UInt64) { send("RELOADING=1\nMONOTONIC_USEC=\(monotonic)") }
    /// Asks for so many microseconds more before the manager's timeout (EXTEND_TIMEOUT_USEC=).
    public static func extendTimeout(_ microseconds: UInt64) { send("EXTEND_TIMEOUT_USEC=\(microseconds)") }

    /// Puts a descriptor into the manager's store under `name`, where it outlives us (FDSTORE=1).
    /// - Parameter polled: whether the manager drops it by itself when it hangs up.
    public static func store(_ descriptor: Int32, name: String, polled: Bool) throws(SystemError) {
        var descriptor = descriptor
        let state = "FDSTORE=1\nFDNAME=\(name)" + (polled ? "" : "\nFDPOLL=0")
        try check(sd_pid_notify_with_fds(0, 0, state, &descriptor, 1), "put a descriptor into the service manager's store")
    }

    /// Takes the descriptors called `name` out of the manager's store.
    public static func unstore(name: String) { send("FDSTOREREMOVE=1\nFDNAME=\(name)") }

    /// The descriptors that the manager handed over, with their names (sd_listen_fds_with_names(3)); ours from now on.
    public static func takeStored() throws(SystemError) -> [(name: String, number: Int32)] {
        var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        let count = try check(sd_listen_fds_with_names(1, &names), "take the stored descriptors")
        defer {
            if let names {
                for index in 0..<Int(count) { free(names[index]) }
                free(names)
            }
        }
        return (0..<count).map { index in
            let name = names?[Int(index)].map { String(cString: $0) } ?? ""
            return (name, SD_LISTEN_FDS_START + index)
        }
    }

    private static func send(_ state: String) { sd_notify(0, state) }

    /// A newline would begin another assignment.
    private static func oneLine(_ text: String) -> String {
        String(text.map { $0.isNewline ? " " : $0 })
    }
}
