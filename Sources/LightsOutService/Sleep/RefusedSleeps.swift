import LightsOutCore
import Systemd

/// Sees who asks logind for a sleep and is refused, while a lock of lightsout stands.
///
/// A desktop that wants to suspend an idle machine asks once; refused, it never asks again, and the machine stays on all
/// night. logind tells nobody of a refusal: it is in the answer to the one who asked. So the daemon watches these calls and
/// their answers on the bus (``BusMonitor``), and of a caller that was refused it asks polkit whether it would have been
/// let without a lock. A closed lid and `IdleAction=` need none of this: logind looks at them again by itself.
final class RefusedSleeps {
    /// Told that somebody who may was refused that kind of sleep.
    var onRefusal: (SleepKind) -> Void = { _ in }
    /// What each refusal leads to is in the journal.
    private var rate = UserRate(burst: 20, interval: 10_000_000)
    /// Finds people's sessions.
    var sessions: (@escaping ([LoginSession]) -> Void) -> Void = { $0([]) }

    private let bus: Bus
    private let loop: EventLoop
    private var monitor: BusMonitor?
    private var requests: [Key: Request] = [:]
    private var order: [Key] = []

    private struct Key: Hashable {
        var caller: String
        var serial: UInt64
    }

    private struct Request {
        var kind: SleepKind
        var wasRefused = false
        /// polkit's answer.
        var isPermitted = false
        var user: UInt32?
        var session: String?
        /// What the bus is being asked about it, and polkit.
        var identification: BusSlot?
        var question: BusSlot?
    }

    /// So many requests are followed at a time; whoever floods logind pushes out his own and others' first ones.
    private static let limit = 16

    private static let members: [String: SleepKind] = [
        "Suspend": .suspend, "SuspendWithFlags": .suspend, "Sleep": .suspend, "Hibernate": .hibernate,
        "HibernateWithFlags": .hibernate, "HybridSleep": .hybridSleep, "HybridSleepWithFlags": .hybridSleep,
        "SuspendThenHibernate": .suspendThenHibernate, "SuspendThenHibernateWithFlags": .suspendThenHibernate,
    ]

    /// What logind answers to a caller that a lock stands against: the last one since systemd 257, the others before, where
    /// a lock makes it a matter of an administrator's password.
    private static let refusals: Set<String> = [
        BusError.accessDenied, BusError.interactiveAuthorizationRequired, "org.freedesktop.login1.BlockedByInhibitorLock",
    ]

    init(_ bus: Bus, loop: EventLoop) {
        self.bus = bus
        self.loop = loop
    }

    /// Begins or ends to watch.
    /// - Throws: ``SystemError`` where it is not to be had.
    func watch(_ isWanted: Bool) throws(SystemError) {
        guard isWanted != (monitor != nil) else { return }
        close()
        guard isWanted else { return }
        let calls = Self.members.keys.sorted().map {
            "type='method_call',path='/org/freedesktop/login1',interface='org.freedesktop.login1.Manager',member='\($0)'"
        }
        monitor = try BusMonitor(calls + ["type='error',sender='org.freedesktop.login1'"], loop: loop) { [unowned self] seen in
            switch seen.kind {
            case .call(let member): if let kind = Self.members[member] { follow(seen, kind) }
            case .error(let name, let serial):
                if Self.refusals.contains(name) { refused(Key(caller: seen.destination, serial: serial)) }
            }
        }
    }

    /// Ends it; to be called before its last reference goes.
    func close() {
        requests = [:]
        order = []
        monitor?.close()
        monitor = nil
    }

    /// Asks at once whether the caller may: it may be gone as soon as it has its answer.
    private func follow(_ seen: BusMonitor.Sighting, _ kind: SleepKind) {
        let key = Key(caller: seen.sender, serial: seen.serial)
        guard seen.sender != bus.uniqueName, requests[key] == nil else { return }
        if order.count >= Self.limit { requests[order.removeFirst()] = nil }
        order.append(key)
        var request = Request(kind: kind)
        request.identification = try? identify(key)
        request.question = try? ask(.connection(seen.sender), kind, key)
        requests[key] = request
    }

    /// Finds out whose the call is, which takes the bus less time than logind needs to refuse it.
    private func identify(_ key: Key) throws(BusError) -> BusSlot {
        try bus.callAsync(.bus, "GetConnectionCredentials", timeout: Self.patience) { (message) throws(BusError) in
            try message.append(key.caller)
        } reply: { [unowned self] reply in
            var pid: UInt32?
            try? reply.get().readProperties { (name, message) throws(BusError) in
                switch name {
                case "UnixUserID":
                    requests[key]?.user = try message.readContainer("v", "u") { (m) throws(BusError) in try m.readUInt32() }
                case "ProcessID": pid = try message.readContainer("v", "u") { (m) throws(BusError) in try m.readUInt32() }
                default: try message.skip("v")
                }
            }
            requests[key]?.session = pid.flatMap { Identity.session(of: Int32(clamping: $0)) }
            requests[key]?.identification = nil
            goOn(key)
        }
    }

    private static let patience: UInt64 = 10_000_000

    private func ask(_ subject: PolkitSubject, _ kind: SleepKind, _ key: Key) throws(BusError) -> BusSlot {
        try bus.askPolkit("org.freedesktop.login1.\(kind.polkitAction)", subject: subject, timeout: Self.patience) {
            [unowned self] answer in
            requests[key]?.question = nil
            if (try? answer.get())?.isPermitted == true { requests[key]?.isPermitted = true }
            goOn(key)
        }
    }

    /// A caller that ended with its answer, as `systemctl suspend` does, is one without a session to polkit. Its session's
    /// leader still has it.
    private func askAboutLeader(_ id: String, _ user: UInt32, _ kind: SleepKind, _ key: Key) {
        sessions { [unowned self] sessions in
            guard let session = sessions.first(where: { $0.session.id == id && $0.uid == user }),
                let start = ProcessStat(of: Int32(clamping: session.leader))?.start
            else { return forget(key) }
            let leader = PolkitSubject.process(pid: session.leader, start: start, user: user)
            do throws(BusError) { requests[key]?.question = try ask(leader, kind, key) } catch { forget(key) }
        }
    }

    private func refused(_ key: Key) {
        requests[key]?.wasRefused = true
        goOn(key)
    }

    private func goOn(_ key: Key) {
        guard let request = requests[key], request.wasRefused, request.identification == nil, request.question == nil else { return }
        if request.isPermitted || request.user == 0 {
            forget(key)
            if rate.take(request.user ?? 0, now: Clock.monotonic) { onRefusal(request.kind) }
        } else if let session = request.session, let user = request.user {
            requests[key]?.session = nil
            askAboutLeader(session, user, request.kind, key)
        } else {
            forget(key)
        }
    }

    private func forget(_ key: Key) {
        requests[key] = nil
        order.removeAll { $0 == key }
    }
}

nonisolated extension SleepKind {
    /// The last part of logind's action for it, where nothing stands against it.
    fileprivate var polkitAction: String { self == .suspend ? "suspend" : "hibernate" }
}
