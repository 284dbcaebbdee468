import LightsOutCore
import LightsOutRunner
import Systemd

// org.lightsout1.Manager, as org.lightsout1(5) describes it.

extension BusError {
    static let noSuchBackup = "org.lightsout1.NoSuchBackup"
    static let alreadyRunning = "org.lightsout1.AlreadyRunning"
    static let notRunning = "org.lightsout1.NotRunning"
    /// The backup is reported, not run.
    static let reported = "org.lightsout1.Reported"
    static let badConfiguration = "org.lightsout1.BadConfiguration"
}

extension BusConnection {
    func managerInterface(of daemon: Daemon) -> BusInterface {
        BusInterface(
            Self.managerInterface,
            members: [
                .method("StartBackup", takes: "s", ["name"], gives: "o", ["backup"]) {
                    [unowned self, unowned daemon] (call) throws(BusError) in
                    let name = try Self.knownBackup(try call.message.readString(atMost: Self.longestWord), daemon)
                    authorization.check(call, .start) { [unowned self, unowned daemon] (_) throws(BusError) in
                        try start(name, daemon, call)
                    }
                },
                .method("StopBackup", takes: "s", ["name"]) {
                    [unowned self, unowned daemon] (call) throws(BusError) in
                    let name = try Self.shownBackup(try call.message.readString(atMost: Self.longestWord), daemon)
                    authorization.check(call, .stop) { [unowned self, unowned daemon] (_) throws(BusError) in
                        try stop(name, daemon, call)
                    }
                },
                .method("Reload") { [unowned self, unowned daemon] (call) throws(BusError) in
                    authorization.check(call, .reload) { [unowned daemon] (_) throws(BusError) in
                        if let problem = daemon.reload() {
                            throw BusError(name: BusError.badConfiguration, message: problem)
                        }
                        call.reply()
                    }
                },
                .method("Pause", takes: "st", ["name", "until"]) {
                    [unowned self, unowned daemon] (call) throws(BusError) in
                    let name = try Self.backupOrAll(try call.message.readString(atMost: Self.longestWord), daemon)
                    let until = try call.message.readUInt64()
                    authorization.check(call, .pause) { [unowned daemon] (_) throws(BusError) in
                        daemon.pause(name, until: until == 0 ? nil : Timestamp(microseconds: Int64(clamping: until)))
                        call.reply()
                    }
                },
                .method("Resume", takes: "s", ["name"]) { [unowned self, unowned daemon] (call) throws(BusError) in
                    let name = try Self.backupOrAll(try call.message.readString(atMost: Self.longestWord), daemon)
                    authorization.check(call, .pause) { [unowned daemon] (_) throws(BusError) in
                        daemon.resume(name)
                        call.reply()
                    }
                },
                .property("Backups", "ao") { [unowned self] (_, message) throws(BusError) in
                    try message.container("a", "o") { (message) throws(BusError) in
                        for path in allPaths { try message.append(objectPath: path) }
                    }
                },
            ] + reportMembers(of: daemon) + sleepMembers(of: daemon))
    }

    // MARK: What the methods do

    private func start(
        _ name: BackupName, _ daemon: Daemon, _ call: BusInterface.MethodCall
    ) throws(BusError) {
        guard let path = Self.path(of: name) else { throw BusError(name: BusError.failed, message: "no path") }
        if daemon.tracker.isRunning(name), let run = daemon.runs[name] {
            throw BusError(
                name: BusError.alreadyRunning,
                message: run.leftoversText(of: name).map { "\(name) is running already: \($0)" }
                    ?? "\(name) is running already, since \(LocalTime.short(run.started.microseconds))")
        }
        // systemd would join the two starts, and both callers would have the one run for theirs.
        guard daemon.starting[name] == nil, startsForCallers.insert(name).inserted else {
            throw BusError(name: BusError.alreadyRunning, message: "\(name) is being started already")
        }
        var isAnswered = false
        units.start(name) { [unowned self] end in
            startsForCallers.remove(name)
            guard !isAnswered, case .refused(let why) = end else { return }
            isAnswered = true
            call.fail(BusError(name: BusError.failed, message: "systemd does not start \(name): \(why)"))
        } accepted: {
            guard !isAnswered else { return }
            isAnswered = true
            call.reply { (message) throws(BusError) in try message.append(objectPath: path) }
        }
    }

    private func stop(_ name: BackupName, _ daemon: Daemon, _ call: BusInterface.MethodCall) throws(BusError) {
        guard !daemon.leases.isOpen(name) else {
            throw BusError(
                name: BusError.reported,
                message: "\(name) is reported by a process that lightsout did not start, and cannot stop. Stop that process")
        }
        guard daemon.tracker.isRunning(name) || daemon.starting[name] != nil else {
            throw BusError(name: BusError.notRunning, message: "\(name) is not running")
        }
        try keep { [unowned self] (key) throws(BusError) in
            try units.stop(name) { [unowned self] result in
                pending[key] = nil
                switch result {
                case .success: call.reply()
                case .failure(let error):
                    call.fail(BusError(name: BusError.failed, message: "systemd does not stop \(name): \(error)"))
                }
            }
        }
    }

    // MARK: Names from outside

    /// A backup of the configuration.
    private static func knownBackup(_ text: String, _ daemon: Daemon) throws(BusError) -> BackupName {
        try backup(text) { daemon.backups[$0] != nil }
    }

    /// One that has an object; it may be there by its run alone.
    private static func shownBackup(_ text: String, _ daemon: Daemon) throws(BusError) -> BackupName {
        try backup(text) { daemon.isShown($0) }
    }

    private static func backup(_ text: String, where exists: (BackupName) -> Bool) throws(BusError) -> BackupName {
        let name: BackupName
        do throws(InvalidBackupName) { name = try BackupName(text) } catch {
            throw BusError(name: BusError.invalidArguments, message: error.description)
        }
        guard exists(name) else {
            throw BusError(
                name: BusError.noSuchBackup,
                message: "there is no backup \(name): neither the configuration nor a script \(name)_backup says so. After a change: lightsout reload")
        }
        return name
    }

    /// An empty text stands for all backups.
    private static func backupOrAll(_ text: String, _ daemon: Daemon) throws(BusError) -> BackupName? {
        text.isEmpty ? nil : try knownBackup(text, daemon)
    }
}
