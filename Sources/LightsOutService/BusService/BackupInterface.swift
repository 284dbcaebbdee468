import LightsOutCore
import LightsOutRunner
import Systemd

// org.lightsout1.Backup, as org.lightsout1(5) describes it. Times are microseconds since 1970, 0 where there is none.

extension BusConnection {
    /// What changes of a backup while the daemon runs and the configuration stays.
    static let changingProperties = [
        "State", "Progress", "NextElapse", "LastElapse", "LastStarted", "LastFinished", "LastResult", "Trigger", "Since",
        "Wake", "Stale", "Problem", "Description", "KeptAwakeSince",
    ]

    func backupInterface(of daemon: Daemon) -> BusInterface {
        /// A property of the backup at the path that is asked for.
        func property(
            _ name: String, _ signature: String, _ write: @escaping (BackupView, BusMessage) throws(BusError) -> Void
        ) -> BusInterface.Member {
            .property(name, signature) { [unowned self] (path, message) throws(BusError) in
                guard let backup = Self.backup(at: path), let view = view(of: backup) else {
                    throw BusError(name: BusError.unknownObject, message: "there is no such backup")
                }
                try write(view, message)
            }
        }
        func time(_ name: String, _ read: @escaping (BackupView) -> Timestamp?) -> BusInterface.Member {
            property(name, "t") { (view, message) throws(BusError) in
                try message.append(UInt64(clamping: read(view)?.microseconds ?? 0))
            }
        }
        func text(_ name: String, _ read: @escaping (BackupView) -> String) -> BusInterface.Member {
            property(name, "s") { (view, message) throws(BusError) in try message.append(read(view)) }
        }
        func flag(_ name: String, _ read: @escaping (BackupView) -> Bool) -> BusInterface.Member {
            property(name, "b") { (view, message) throws(BusError) in try message.append(read(view)) }
        }
        return BusInterface(
            Self.backupInterface,
            members: [
                .property("Name", "s", changes: .constant) { (path, message) throws(BusError) in
                    try message.append(Self.backup(at: path)?.text ?? "")
                },
                text("Description") { $0.description },
                text("State") { $0.state.rawValue },
                property("Progress", "y") { (view, message) throws(BusError) in
                    try message.append(view.progress ?? BackupView.noProgress)
                },
                time("NextElapse") { $0.nextElapse },
                time("LastElapse") { $0.lastElapse },
                time("LastStarted") { $0.lastStarted },
                time("LastFinished") { $0.lastFinished },
                text("LastResult") { $0.lastResult?.rawValue ?? "" },
                text("Trigger") { $0.trigger?.rawValue ?? "" },
                time("Since") { $0.since },
                flag("Wake") { $0.wake },
                flag("Stale") { $0.isStale },
                text("Problem") { $0.problem ?? "" },
                time("KeptAwakeSince") { $0.keptAwakeSince },
            ])
    }
}
