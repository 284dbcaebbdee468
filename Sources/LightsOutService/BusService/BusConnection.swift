import LightsOutCore
import LightsOutRunner
import Systemd

/// The daemon on the system bus: its name, its objects, and the way to systemd. One lives as long as one connection;
/// when the bus is lost it goes with everything in it, and another is made when the bus is back.
final class BusConnection {
    static let name = "org.lightsout1"
    static let path = "/org/lightsout1"
    static let backupPrefix = "/org/lightsout1/backup"
    static let managerInterface = "org.lightsout1.Manager"
    static let backupInterface = "org.lightsout1.Backup"
    /// The most bytes of a name or kind in a call.
    static let longestWord = 64

    let bus: Bus
    let units: BackupUnits
    let authorization: Authorization
    let holds: Holds
    let reportPace: ReportPace
    /// What users want of the machine's sleep, and what they take back.
    var sleepRate = UserRate(burst: 20, interval: 5_000_000)
    private unowned let daemon: Daemon
    private var registrations: [BusRegistration] = []
    private lazy var answers = StatusAnswers(daemon, bus, authorization.callers) { [unowned self] (message) throws(BusError) in
        try writeManagedObjects(daemon, to: message)
    }
    /// The paths of all backups, sorted, until one comes or goes.
    private var paths: [String]?
    /// How backups stood when they were looked at in this turn of the loop.
    private var views: [BackupName: BackupView] = [:]
    private var viewsEnd: EventSource?
    private var slots: [BusSlot] = []
    private var gate: CallGate?
    private var calm: EventSource?
    private var nameRequest: BusSlot?
    /// Calls to systemd that are under way for somebody else's call.
    var pending: [UInt64: BusSlot] = [:]
    private var nextPending: UInt64 = 0
    /// Backups that systemd was asked to start for a caller and of which no run has come yet.
    var startsForCallers: Set<BackupName> = []
    /// Backups whose change is to be told in the next turn of the loop, once.
    private var changed: Set<BackupName> = []
    /// How each backup stood when listeners were last told.
    private var told: [BackupName: BackupView] = [:]
    private var teller: EventSource?
    /// Whether anybody can have read how things stand: not before the answer to the request for our name.
    private var hasListeners = false
    /// The backup whose change is being told, so that its properties are of one look.
    private var beingTold: (backup: BackupName, view: BackupView)?

    /// Connects, offers the objects and asks for the name, in this order: who sees the name finds the objects. Nothing
    /// waits for the bus; what is called before it has answered is sent when it has.
    init(_ daemon: Daemon) throws(BusError) {
        self.daemon = daemon
        do throws(SystemError) {
            bus = try Bus.system()
            try bus.attach(to: daemon.loop)
        } catch { throw BusError(error) }
        units = try BackupUnits(bus, daemon.loop) { [unowned daemon] error in daemon.systemdIsMute(error) }
        authorization = Authorization(bus)
        holds = Holds(bus: bus, loop: daemon.loop)
        reportPace = ReportPace(loop: daemon.loop) { [unowned daemon] in daemon.log.write($0) }
        slots.append(try bus.onDisconnect { [unowned daemon] in daemon.busWasLost() })
        registrations = [
            try bus.serveObjectManager(at: Self.path),
            try bus.serve(managerInterface(of: daemon), at: Self.path),
            try bus.serve(
                backupInterface(of: daemon), below: Self.backupPrefix,
                exists: { [unowned daemon] path in Self.backup(at: path).map { daemon.isShown($0) } ?? false },
                children: { [unowned self] in allPaths }),
        ]
        slots.append(
            try bus.intercept(Self.path, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects") { [unowned self] call in
                // An answer that nobody waits for is not made.
                guard call.expectsReply else { return }
                answers.ask(call)
            })
        // Last, so that it comes before everything else.
        gate = try CallGate(bus, daemon.loop, exempt: (Self.managerInterface, "ReportProgress")) { [unowned self] in
            giveBackMemory()
        }
        nameRequest = try bus.requestNameAsync(Self.name) { [unowned self, unowned daemon] answer in
            nameRequest = nil
            hasListeners = true
            daemon.nameWasAnswered(answer)
        }
    }

    isolated deinit { bus.close() }

    /// The object of `backup`; its name is escaped as sd_bus_path_encode(3) does.
    static func path(of backup: BackupName) -> String? { Bus.path(backupPrefix, encoding: backup.text) }

    static func backup(at path: String) -> BackupName? {
        Bus.name(in: path, below: backupPrefix).flatMap { try? BackupName($0) }
    }

    /// A while after a flood the heap is as it was before.
    private func giveBackMemory() {
        guard calm == nil else { return }
        calm = try? daemon.loop.after(5_000_000) { [unowned self] in
            calm = nil
            Heap.giveBackFree()
        }
    }

    /// The paths of all backups, sorted.
    var allPaths: [String] {
        if let paths { return paths }
        let found = daemon.shownBackups.sorted().compactMap { Self.path(of: $0) }
        paths = found
        return found
    }

    /// Keeps `slot` until it is taken by its key: for an answer that arrives later.
    func keep(_ make: (UInt64) throws(BusError) -> BusSlot) throws(BusError) {
        nextPending += 1
        let key = nextPending
        pending[key] = try make(key)
    }

    // MARK: Changes

    /// Tells listeners how `backup` stands, once for all changes of this turn of the loop.
    func standingChanged(of backup: BackupName) {
        changed.insert(backup)
        answers.changed()
        views[backup] = nil
        guard teller == nil else { return }
        teller = try? daemon.loop.soon { [unowned self] in tellChanges() }
    }

    private func tellChanges() {
        teller = nil
        for backup in changed {
            // A reload looks at every backup, and changes few. At the start all are new, and there is nobody to tell.
            guard let view = daemon.view(of: backup), told.updateValue(view, forKey: backup) != view, hasListeners,
                let path = Self.path(of: backup)
            else { continue }
            beingTold = (backup, view)
            try? bus.emitPropertiesChanged(path, Self.backupInterface, Self.changingProperties)
        }
        beingTold = nil
        changed = []
    }

    /// How `backup` stands; nil where there is no such backup.
    func view(of backup: BackupName) -> BackupView? {
        if let beingTold, beingTold.backup == backup { return beingTold.view }
        if let known = views[backup] { return known }
        guard let view = daemon.view(of: backup) else { return nil }
        // Fourteen properties that are read together are of one look.
        if viewsEnd == nil {
            viewsEnd = try? daemon.loop.soon { [unowned self] in
                viewsEnd = nil
                views = [:]
            }
        }
        if viewsEnd != nil { views[backup] = view }
        return view
    }

    /// Tells listeners which backups came and went.
    func backupsChanged(from before: Set<BackupName>, to after: Set<BackupName>) {
        paths = nil
        views = [:]
        answers.changed()
        for backup in after.subtracting(before) {
            if let path = Self.path(of: backup) { try? bus.emitObjectAdded(path) }
        }
        for backup in before.subtracting(after) {
            told[backup] = nil
            guard let path = Self.path(of: backup) else { continue }
            // libsystemd lists the interfaces of objects that still are; this one is gone already.
            try? bus.emitSignal(Self.path, "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved") {
                (message) throws(BusError) in
                try message.append(objectPath: path)
                try message.append(strings: [Self.backupInterface])
            }
        }
        for backup in after.intersection(before) { standingChanged(of: backup) }
        if before != after { try? bus.emitPropertiesChanged(Self.path, Self.managerInterface, ["Backups"]) }
    }
}
