import LightsOutCore
public import Systemd

/// The daemon as a command sees it: org.lightsout1 on the system bus.
public final class ServiceClient {
    public let bus: Bus

    /// How long the daemon may take to answer a question; what polkit may ask of a person takes longer.
    private static let patience: UInt64 = 10_000_000
    static let patienceWithPeople: UInt64 = 180_000_000

    static let manager = Bus.Address(BusConnection.name, BusConnection.path, BusConnection.managerInterface)

    public convenience init() throws(BusError) {
        do throws(SystemError) { self.init(try Bus.system()) } catch {
            throw BusError(name: BusError.disconnected, message: error.description)
        }
    }

    init(_ bus: Bus) { self.bus = bus }

    /// Calls a method of the manager; the daemon is started for it where it is not running.
    /// - Parameter interactive: whether polkit may ask the person at the terminal.
    @discardableResult
    func call(
        _ member: String, patience: UInt64? = nil, interactive: Bool = false,
        _ write: (BusMessage) throws(BusError) -> Void = { _ in }
    ) throws(BusError) -> BusMessage {
        try bus.call(
            Self.manager, member, timeout: patience ?? (interactive ? Self.patienceWithPeople : Self.patience),
            interactive: interactive, write)
    }

    /// How every backup stands, by name, in one call. A daemon that is not running is not started: looking changes
    /// nothing.
    func statuses() throws(BusError) -> [BackupStatus] {
        let objects = Bus.Address(BusConnection.name, BusConnection.path, "org.freedesktop.DBus.ObjectManager")
        let reply = try bus.call(objects, "GetManagedObjects", timeout: Self.patience, activating: false)
        var statuses: [BackupStatus] = []
        _ = try reply.readArray("{oa{sa{sv}}}") { (message) throws(BusError) in
            try message.readContainer("e", "oa{sa{sv}}") { (message) throws(BusError) in
                _ = try message.readObjectPath()
                _ = try message.readArray("{sa{sv}}") { (message) throws(BusError) in
                    try message.readContainer("e", "sa{sv}") { (message) throws(BusError) in
                        guard try message.readString() == BusConnection.backupInterface else {
                            return try message.skip("a{sv}")
                        }
                        if let status = try BackupStatus(properties: message) { statuses.append(status) }
                    }
                }
            }
        }
        return statuses.sorted { $0.name < $1.name }
    }

    /// The earliest elapse that the machine is woken for; nil where there is none.
    func nextWakeup() throws(BusError) -> Timestamp? {
        let time = try bus.property(Self.manager, "NextWakeup", "t", timeout: Self.patience) {
            (message) throws(BusError) in try message.readUInt64()
        }
        return Timestamp(busTime: time)
    }
}

extension BackupStatus {
    /// Reads the properties of org.lightsout1.Backup, an `a{sv}`. Those that are not known, or of another type than
    /// they should be, are passed by: a daemon of another version is not worth a failure.
    /// - Returns: nil where they do not name a backup.
    init?(properties message: BusMessage) throws(BusError) {
        var name: BackupName?
        var view = BackupView(description: "", state: .idle, wake: false, isStale: false)
        try message.readProperties { (property, message) throws(BusError) in
            let type = try message.peekContents()
            switch (property, type) {
            case ("Name", "s"): name = try? BackupName(try message.readVariant("s") { (m) throws(BusError) in try m.readString() })
            case ("State", "s"), ("LastResult", "s"), ("Trigger", "s"), ("Problem", "s"), ("Description", "s"):
                let text = try message.readVariant("s") { (m) throws(BusError) in
                    try m.readString(cutTo: BusMessage.longestText)
                }
                switch property {
                case "State": view.state = BackupView.State(word: text) ?? .idle
                case "LastResult": view.lastResult = RunResult(word: text)
                case "Trigger": view.trigger = Trigger(word: text)
                case "Problem": view.problem = text.isEmpty ? nil : text
                default: view.description = text
                }
            case ("Progress", "y"):
                let percent = try message.readVariant("y") { (m) throws(BusError) in try m.readUInt8() }
                view.progress = percent <= 100 ? percent : nil
            case (_, "t"):
                let time = Timestamp(
                    busTime: try message.readVariant("t") { (m) throws(BusError) in try m.readUInt64() })
                switch property {
                case "NextElapse": view.nextElapse = time
                case "LastElapse": view.lastElapse = time
                case "LastStarted": view.lastStarted = time
                case "LastFinished": view.lastFinished = time
                case "Since": view.since = time
                case "KeptAwakeSince": view.keptAwakeSince = time
                default: break
                }
            case ("Wake", "b"), ("Stale", "b"):
                let flag = try message.readVariant("b") { (m) throws(BusError) in try m.readBool() }
                if property == "Wake" { view.wake = flag } else { view.isStale = flag }
            default: try message.skip("v")
            }
        }
        guard let name else { return nil }
        self.init(name: name, view: view)
    }
}

extension BusMessage {
    fileprivate func readVariant<Value>(
        _ type: String, _ read: (BusMessage) throws(BusError) -> Value
    ) throws(BusError) -> Value {
        try readContainer("v", type, read)
    }
}

nonisolated extension Timestamp {
    /// A time as the bus has it: 0 where there is none. What lies after the year 9999 is none either.
    init?(busTime time: UInt64) {
        guard time > 0, time < 253_402_214_400_000_000 else { return nil }
        self.init(microseconds: Int64(time))
    }
}
