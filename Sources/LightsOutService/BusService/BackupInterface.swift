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

    /// A property of a backup, written from one look at it.
    private struct Property {
        let name: String
        let signature: String
        let write: (BackupView, BusMessage) throws(BusError) -> Void
    }

    /// All properties but `Name`.
    private static let properties = allProperties()

    private static func allProperties() -> [Property] {
        func property(
            _ name: String, _ signature: String, _ write: @escaping (BackupView, BusMessage) throws(BusError) -> Void
        ) -> Property { Property(name: name, signature: signature, write: write) }
        func time(_ name: String, _ read: @escaping (BackupView) -> Timestamp?) -> Property {
            property(name, "t") { (view, message) throws(BusError) in
                try message.append(UInt64(clamping: read(view)?.microseconds ?? 0))
            }
        }
        func text(_ name: String, _ read: @escaping (BackupView) -> String) -> Property {
            property(name, "s") { (view, message) throws(BusError) in try message.append(read(view)) }
        }
        func flag(_ name: String, _ read: @escaping (BackupView) -> Bool) -> Property {
            property(name, "b") { (view, message) throws(BusError) in try message.append(read(view)) }
        }
        return [
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
        ]
    }

    func backupInterface(of daemon: Daemon) -> BusInterface {
        let name: BusInterface.Member = .property("Name", "s", changes: .constant) { (path, message) throws(BusError) in
            try message.append(Self.backup(at: path)?.text ?? "")
        }
        let others = Self.properties.map { property in
            BusInterface.Member.property(property.name, property.signature) { [unowned self] (path, message) throws(BusError) in
                guard let backup = Self.backup(at: path), let view = view(of: backup) else {
                    throw BusError(name: BusError.unknownObject, message: "there is no such backup")
                }
                try property.write(view, message)
            }
        }
        return BusInterface(Self.backupInterface, members: [name] + others)
    }

    /// The answer to GetManagedObjects: every backup, looked at once.
    func writeManagedObjects(_ daemon: Daemon, to message: BusMessage) throws(BusError) {
        try message.container("a", "{oa{sa{sv}}}") { (message) throws(BusError) in
            for backup in daemon.shownBackups.sorted() {
                guard let path = Self.path(of: backup), let view = daemon.view(of: backup) else { continue }
                try message.container("e", "oa{sa{sv}}") { (message) throws(BusError) in
                    try message.append(objectPath: path)
                    try message.container("a", "{sa{sv}}") { (message) throws(BusError) in
                        for interface in ["Peer", "Introspectable", "Properties"] {
                            try Self.writeInterface("org.freedesktop.DBus.\(interface)", to: message) { _ in }
                        }
                        try Self.writeInterface(Self.backupInterface, to: message) { (message) throws(BusError) in
                            try Self.writeProperty("Name", "s", to: message) { (m) throws(BusError) in try m.append(backup.text) }
                            for property in Self.properties {
                                try Self.writeProperty(property.name, property.signature, to: message) { (m) throws(BusError) in
                                    try property.write(view, m)
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    private static func writeInterface(
        _ name: String, to message: BusMessage, _ properties: (BusMessage) throws(BusError) -> Void
    ) throws(BusError) {
        try message.container("e", "sa{sv}") { (message) throws(BusError) in
            try message.append(name)
            try message.container("a", "{sv}", properties)
        }
    }

    private static func writeProperty(
        _ name: String, _ signature: String, to message: BusMessage, _ value: (BusMessage) throws(BusError) -> Void
    ) throws(BusError) {
        try message.container("e", "sv") { (message) throws(BusError) in
            try message.append(name)
            try message.variant(signature, value)
        }
    }
}
