import LightsOutCore
import LightsOutRunner
import Systemd

// The methods of org.lightsout1.Manager for scripts that report (org.lightsout1(5)).
//
// Inside a run (a process of lightsout-backup@NAME.service) a report is about that run, and needs neither name nor
// permission. Elsewhere ReportStarted needs org.lightsout1.report; what follows is permitted to whoever began.

extension BusConnection {
    /// The name of a report from outside a run that gives none.
    static let defaultReportName = "client"

    func reportMembers(of daemon: Daemon) -> [BusInterface.Member] {
        [
            .method("ReportStarted", takes: "sh", ["name", "process"]) {
                [unowned self, unowned daemon] (call) throws(BusError) in
                let name = try Self.reportName(try call.message.readString(atMost: Self.longestWord))
                let descriptor = Held(try call.message.readDescriptor())
                authorization.identify(call, hasDescriptor: true) { [unowned self, unowned daemon] caller in
                    call.answer { () throws(BusError) in
                        if try Self.run(of: caller, named: name, daemon) != nil { return call.reply() }
                        let process = try Self.process(behind: descriptor, of: caller)
                        authorization.check(call, .report, caller) { [unowned self, unowned daemon] (caller) throws(BusError) in
                            try reportPace.wait(caller.uid) { [unowned daemon] in
                                call.answer { () throws(BusError) in
                                    try Self.open(name, by: caller.uid, process, call, daemon)
                                }
                            }
                        }
                    }
                }
            },
            .method("ReportProgress", takes: "sy", ["name", "percent"]) {
                [unowned self, unowned daemon] (call) throws(BusError) in
                let name = try Self.reportName(try call.message.readString(atMost: Self.longestWord))
                let percent = try call.message.readUInt8()
                guard percent <= 100 else {
                    throw BusError(
                        name: BusError.invalidArguments, message: "progress is 0 to 100 percent, and not \(percent)")
                }
                // Of those that come faster than we can tell who sends them, the first are turned away, never the last.
                authorization.identify(call, mayBeSuperseded: true) { [unowned daemon] caller in
                    call.answer { () throws(BusError) in
                        if let (backup, run) = try Self.run(of: caller, named: name, daemon) {
                            try daemon.forwarder.progress(percent, run, of: backup)
                        } else {
                            try daemon.leases.progress(try Self.backup(name), by: caller.uid, percent)
                        }
                        call.reply()
                    }
                }
            },
            .method("ReportFinished", takes: "si", ["name", "code"]) {
                [unowned self, unowned daemon] (call) throws(BusError) in
                let name = try Self.reportName(try call.message.readString(atMost: Self.longestWord))
                let code = try call.message.readInt32()
                guard let result = RunResult(reportCode: code) else {
                    throw BusError(
                        name: BusError.invalidArguments,
                        message: "a result is 0, 1, 2, 3, 4, 5 or 255, and not \(code)")
                }
                authorization.identify(call) { [unowned daemon] caller in
                    call.answer { () throws(BusError) in
                        if let (backup, run) = try Self.run(of: caller, named: name, daemon) {
                            try daemon.forwarder.finish(result, run, of: backup) { error in
                                if let error { call.fail(error) } else { call.reply() }
                            }
                        } else {
                            try daemon.leases.finish(try Self.backup(name), by: caller.uid, result)
                            call.reply()
                        }
                    }
                }
            },
            .method("Hold", takes: "ss", ["who", "why"], gives: "h", ["lock"]) {
                [unowned self] (call) throws(BusError) in
                let who = try Holds.checked(try call.message.readString(atMost: Holds.longestText), "who")
                let why = try Holds.checked(try call.message.readString(atMost: Holds.longestText), "why")
                // As with logind itself, whose lock it is.
                authorization.check(call, .hold, .login("inhibit-block-sleep"), .login("inhibit-handle-lid-switch")) {
                    [unowned self] (caller) throws(BusError) in
                    try holds.hold(call, who: who, why: why, by: caller.uid)
                }
            },
        ]
    }

    private static func process(
        behind descriptor: Held<Descriptor>, of caller: Callers.Caller
    ) throws(BusError) -> Held<ReportingProcess> {
        guard let descriptor = descriptor.take() else { throw ReportingProcess.Refusal.gone.busError }
        do throws(ReportingProcess.Refusal) { return Held(try ReportingProcess(descriptor, of: caller.uid)) } catch {
            throw error.busError
        }
    }

    private static func open(
        _ name: BackupName?, by uid: UInt32, _ process: Held<ReportingProcess>, _ call: BusInterface.MethodCall, _ daemon: Daemon
    ) throws(BusError) {
        guard let process = process.take() else { throw ReportingProcess.Refusal.gone.busError }
        try daemon.leases.open(try backup(name), by: uid, process) { error in
            if let error { call.fail(error) } else { call.reply() }
        }
    }

    /// The run that the caller is in.
    /// - Parameter name: the backup that it speaks of; nil for the one it is in.
    /// - Returns: nil where it is in none.
    /// - Throws: where it speaks of another, or its run is over.
    private static func run(
        of caller: Callers.Caller, named name: BackupName?, _ daemon: Daemon
    ) throws(BusError) -> (backup: BackupName, run: RunIdentifier)? {
        // The number may be another process's by now: one of another user's proves nothing, and one of the caller's own
        // in a run of his own is as good as the caller.
        guard let unit = Identity.unit(of: caller.pid), let backup = BackupName(unit: unit),
            ReportingProcess.owner(of: caller.pid) == caller.uid
        else { return nil }
        if let name, name != backup {
            throw BusError(
                name: BusError.accessDenied,
                message: "this is a run of \(backup), and its reports are about itself and not about \(name)")
        }
        // A run may report before its beginning was seen.
        if daemon.runs[backup]?.isRunning != true { daemon.tracker.look(at: backup) }
        guard let state = daemon.runs[backup], state.isRunning else {
            throw BusError(name: BusError.notRunning, message: "the run of \(backup) is over")
        }
        // The runner's inbox belongs to the user that the script runs as. A step that runs as another user inside a run of
        // root's has no say in its result.
        guard caller.uid == 0 || caller.uid == ReportSocket.owner(of: backup, runtimeDirectory: daemon.directories.runtime) else {
            throw BusError(
                name: BusError.accessDenied,
                message: "this is a run of another user. Only root and the user that its script runs as report about it")
        }
        return (backup, state.run)
    }

    /// An empty name stands for the run that the caller is in, or for ``defaultReportName``.
    private static func reportName(_ text: String) throws(BusError) -> BackupName? {
        text.isEmpty ? nil : try validName(text)
    }

    private static func backup(_ name: BackupName?) throws(BusError) -> BackupName {
        if let name { return name }
        return try validName(defaultReportName)
    }

    private static func validName(_ text: String) throws(BusError) -> BackupName {
        do throws(InvalidBackupName) { return try BackupName(text) } catch {
            throw BusError(name: BusError.invalidArguments, message: error.description)
        }
    }
}

/// Keeps what has one owner in a closure, until it is taken.
final class Held<Value: ~Copyable> {
    private var value: Value?

    init(_ value: consuming Value) { self.value = consume value }

    func take() -> Value? { value.take() }
}

extension BusInterface.MethodCall {
    /// Carries out what answers the call; an error is its answer.
    func answer(_ body: () throws(BusError) -> Void) {
        do throws(BusError) { try body() } catch { fail(error) }
    }
}
