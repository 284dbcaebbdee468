import Glibc
import LightsOutCore
import LightsOutRunner
import Systemd

// What org.lightsout1.Manager offers about sleep, as org.lightsout1(5) describes it.

extension BusError {
    static let notPossible = "org.lightsout1.NotPossible"
}

extension BusConnection {
    func sleepMembers(of daemon: Daemon) -> [BusInterface.Member] {
        [
            .method("SleepWhenDone", takes: "s", ["kind"]) { [unowned self, unowned daemon] (call) throws(BusError) in
                let kind = try Self.sleepKind(try call.message.readString(atMost: Self.longestWord))
                // The caller gets no more than from logind itself.
                authorization.check(call, .sleep, .login(kind.loginAction)) {
                    [unowned self, unowned daemon] (caller) throws(BusError) in
                    try checkRate(caller)
                    daemon.sleep.look { [unowned self, unowned daemon] view in
                        // Without an answer there may be others.
                        let areOthersThere = view.map { $0.sessions.contains { $0.uid != caller.uid } } ?? true
                        guard areOthersThere else { return request(kind, caller, call, daemon) }
                        authorization.check(call, .login("\(kind.loginAction)-multiple-sessions"), caller) {
                            [unowned self, unowned daemon] (caller) throws(BusError) in
                            request(kind, caller, call, daemon)
                        }
                    }
                }
            },
            .method("CancelSleep") { [unowned self, unowned daemon] (call) throws(BusError) in
                authorization.check(call, .sleep) { [unowned self, unowned daemon] (caller) throws(BusError) in
                    try checkRate(caller)
                    daemon.sleep.cancel(by: Self.name(of: caller.uid))
                    call.reply()
                }
            },
            .method("Why", gives: "a(sssssuut)", ["reasons"]) { [unowned daemon] (call) throws(BusError) in
                daemon.sleep.look { [unowned daemon] view in
                    call.reply { (message) throws(BusError) in
                        try message.container("a", "(\(AwakeReason.signature))") { (message) throws(BusError) in
                            for reason in daemon.awakeReasons(view) { try reason.append(to: message) }
                        }
                    }
                }
            },
            .property("NextWakeup", "t") { [unowned daemon] (_, message) throws(BusError) in
                try message.append(UInt64(clamping: daemon.sleep.nextWakeup?.microseconds ?? 0))
            },
        ]
    }

    func nextWakeupChanged() { try? bus.emitPropertiesChanged(Self.path, Self.managerInterface, ["NextWakeup"]) }

    /// Each wish, and each that is taken back, is in the journal and may be announced.
    private func checkRate(_ caller: Callers.Caller) throws(BusError) {
        guard sleepRate.take(caller.uid, now: Clock.monotonic) else {
            throw BusError(
                name: BusError.limitsExceeded, message: "too many wishes for sleep, and against it. Try again in a few seconds")
        }
    }

    private func request(_ kind: SleepKind, _ caller: Callers.Caller, _ call: BusInterface.MethodCall, _ daemon: Daemon) {
        daemon.sleep.askWhetherPossible(kind) { [unowned daemon] isPossible in
            guard isPossible else {
                return call.fail(
                    BusError(
                        name: BusError.notPossible,
                        message: "this machine cannot \(kind.infinitive), as logind says. See: busctl call org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager Can\(kind.loginMethod)"))
            }
            daemon.sleep.request(kind, by: Self.name(of: caller.uid), asker: caller.asker)
            call.reply()
        }
    }

    private static func sleepKind(_ text: String) throws(BusError) -> SleepKind {
        guard let kind = SleepKind(word: text) else {
            let known = SleepKind.allCases.map(\.rawValue).joined(separator: ", ")
            throw BusError(
                name: BusError.invalidArguments, message: "\(text.quotedForPeople) is no kind of sleep. Known are: \(known)")
        }
        return kind
    }

    private static func name(of uid: UInt32) -> String { (try? User(uid: uid).name) ?? "the user with the id \(uid)" }
}

extension Callers.Caller {
    /// As it is asked about again before the sleep. A pid that is another's by now is that of a process of another user, or as
    /// good as the caller.
    fileprivate var asker: SleepMemory.Asker {
        let start = ReportingProcess.owner(of: pid) == uid ? ProcessStat(of: pid)?.start ?? 0 : 0
        return SleepMemory.Asker(uid: uid, pid: pid, start: start, hasGivenPassword: hasGivenPassword)
    }
}

extension Daemon {
    /// What keeps the machine awake: locks, runs, people; last, what is to come when they are gone.
    /// - Parameter view: logind's; nil where it does not answer.
    func awakeReasons(_ view: LoginWatch.View?) -> [AwakeReason] {
        var reasons = (view?.blockLocks ?? []).map { lock in
            AwakeReason(
                kind: "lock", who: lock.who, what: lock.what, why: lock.why, mode: lock.mode, uid: lock.uid, pid: lock.pid)
        }
        for (name, run) in runs.sorted(by: { $0.key < $1.key }) {
            guard case .running(_, let pid) = run.phase else { continue }
            let isReport = run.trigger == .report
            reasons.append(
                AwakeReason(
                    kind: isReport ? "report" : "backup", who: name.text,
                    why: (isReport ? "It reported that it began" : "Started \(run.trigger.phrase)")
                        + (run.notes.problem.map { "; \($0)" } ?? ""),
                    pid: UInt32(clamping: pid), since: run.started))
        }
        for session in view?.sessions ?? [] {
            let place = session.session.remoteHost.map { "from \($0)" } ?? "at the machine"
            reasons.append(
                AwakeReason(
                    kind: "session", who: session.session.user, what: "session \(session.session.id)",
                    why: "Logged in \(place), \(session.session.isIdle ? "idle" : "active")", uid: session.uid,
                    pid: session.leader, since: session.since))
        }
        if let outlook = sleep.outlook {
            reasons.append(
                AwakeReason(kind: "sleep", who: "lightsout", what: sleep.outlookKind?.rawValue ?? "", why: outlook))
        }
        return reasons
    }
}
