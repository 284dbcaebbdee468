import Glibc
import LightsOutCore
import LightsOutRunner
import Systemd

/// A session of a person, with what `lightsout why` shows beside.
nonisolated struct LoginSession {
    var session: UserSession
    var uid: UInt32
    var leader: UInt32
    var since: Timestamp?
}

/// logind, as the sleep of the machine sees it: the sleep under way, who forbids one, who is there
/// (org.freedesktop.login1(5)). One lives as long as a connection to the bus; nothing in it waits.
final class LoginWatch {
    enum Event {
        /// `PrepareForSleep(true)`: the machine goes to sleep as soon as our delay lock is let go.
        case fallsAsleep
        /// `PrepareForSleep(false)`
        case isBack
        /// systemd begins that kind of sleep.
        case sleepKind(SleepKind)
        /// We have our delay lock: logind gives locks.
        case locksAreGiven
        /// Locks or sessions have changed.
        case changed
    }

    /// The locks and people at one time.
    struct View {
        var locks: [Logind.Inhibitor] = []
        var sessions: [LoginSession] = []

        /// The block locks of other programs. Our own are those that a process of our user says are lightsout's: the
        /// backups behind them are known better than by their locks.
        var othersLocks: [BlockLock] {
            blockLocks.filter { $0.uid != geteuid() || !$0.who.hasSameBytes(as: StandbyLock.who) }
                .map { BlockLock(what: Set($0.what.split(separator: ":").map(String.init)), who: $0.who, why: $0.why) }
        }

        /// Whether lightsout holds a lock that stands against `kind`.
        func hasOwnLock(against kind: SleepKind) -> Bool {
            blockLocks.contains {
                $0.who == StandbyLock.who && $0.uid == geteuid() && $0.what.split(separator: ":").contains(kind.inhibited[...])
            }
        }

        var blockLocks: [Logind.Inhibitor] { locks.filter { $0.mode.hasBytes(prefix: "block") } }
    }

    private let bus: Bus
    private let loop: EventLoop
    private let onEvent: (Event) -> Void
    private var subscriptions: [BusSlot] = []

    private var lock: Descriptor?
    private var wantsLock = false
    private var lockRequest: BusSlot?
    private var lockRetry: EventSource?

    /// Whether logind said that the machine goes to sleep, and not yet that it is back.
    private var isAsleep = false
    private var beliefCheck: EventSource?

    private var calls: [UInt64: BusSlot] = [:]
    private var nextCall: UInt64 = 0
    /// Who waits for the look under way, and who for the one after it.
    private var lookers: [(View?) -> Void] = []
    private var nextLookers: [(View?) -> Void] = []

    /// An answer later than this is none.
    static let patience: UInt64 = 20_000_000
    /// While logind goes through a sleep it refuses locks; so long to the next try.
    private static let retryDelay: UInt64 = 250_000

    /// After this time awake, logind is asked whether the sleep that it announced is over.
    private static let beliefLasts: UInt64 = 10_000_000

    init(_ bus: Bus, loop: EventLoop, onEvent: @escaping (Event) -> Void) throws(BusError) {
        self.bus = bus
        self.loop = loop
        self.onEvent = onEvent
        subscriptions = [
            try bus.matchAsync(Logind.prepareForSleepRule) { [unowned self] message in
                guard let begins = try? message.readBool() else { return }
                if begins { fallsAsleep() } else { isBack() }
            },
            try bus.matchAsync(Logind.ownerChangedRule) { [unowned self] message in ownerChanged(message) },
            try bus.matchAsync(Self.sessionRule("SessionNew")) { _ in onEvent(.changed) },
            try bus.matchAsync(Self.sessionRule("SessionRemoved")) { _ in onEvent(.changed) },
            try bus.matchAsync(.propertiesChanged(Self.logind, pathNamespace: "/org/freedesktop/login1")) { _ in
                onEvent(.changed)
            },
        ]
        // logind does not say what kind of sleep it begins; the target that it starts does. (JobNew says it too, but
        // libsystemd matches no argument that comes after a number.)
        for kind in SleepKind.allCases where kind != .poweroff {
            guard let path = Bus.path("/org/freedesktop/systemd1/unit", encoding: "\(kind.rawValue).target") else { continue }
            subscriptions.append(
                try bus.matchAsync(.propertiesChanged(.name("org.freedesktop.systemd1"), path: path)) { _ in
                    onEvent(.sleepKind(kind))
                })
        }
    }

    private static let logind = SignalRule.Sender.name("org.freedesktop.login1")

    private static func sessionRule(_ member: String) -> SignalRule {
        SignalRule(logind, path: "/org/freedesktop/login1", member: member)
    }

    // MARK: The delay lock

    /// Takes the lock that makes a sleep wait for us, as soon as logind gives it.
    func takeDelayLock() {
        wantsLock = true
        askForLock()
    }

    func releaseDelayLock() {
        wantsLock = false
        lockRequest = nil
        lock = nil
    }

    private func askForLock() {
        lockRetry = nil
        guard wantsLock, lock == nil, lockRequest == nil else { return }
        do throws(BusError) {
            lockRequest = try Logind(bus).inhibitAsync(
                what: "sleep", who: StandbyLock.who, why: "The wake-up alarm is set before the machine sleeps", mode: "delay",
                timeout: Self.patience
            ) { [unowned self] reply in
                lockRequest = nil
                do throws(BusError) {
                    lock = try reply.get().readDescriptor()
                    onEvent(.locksAreGiven)
                } catch {
                    // Otherwise there is no logind, and its coming is seen.
                    if error.name == BusError.operationInProgress || error.name == BusError.noReply { askForLockLater() }
                }
            }
        } catch { askForLockLater() }
    }

    private func askForLockLater() {
        lockRetry = try? loop.after(Self.retryDelay) { [unowned self] in askForLock() }
    }

    private func ownerChanged(_ message: BusMessage) {
        guard message.readOwnerChange()?.isEmpty == false else { return }
        // logind keeps its locks across a restart; only the one that it never gave is asked for.
        askForLock()
        if isAsleep { checkBelief() }
        onEvent(.changed)
    }

    // MARK: Questions

    /// Whether the machine is falling asleep or not yet back; false where there is no logind, or it does not answer.
    ///
    /// Either answer is checked again while the machine is believed to be asleep.
    func askWhetherPreparing(_ then: @escaping (Bool) -> Void) {
        askForPreparing { [unowned self] isPreparing in
            believe(isAsleep: isPreparing ?? false)
            then(isPreparing ?? false)
        }
    }

    /// - Parameter then: told nil if there is no answer.
    private func askForPreparing(_ then: @escaping (Bool?) -> Void) {
        let properties = Bus.Address("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.DBus.Properties")
        ask({ (bus, reply) throws(BusError) in
            try bus.callAsync(properties, "Get", timeout: Self.patience, { (message) throws(BusError) in
                try message.append("org.freedesktop.login1.Manager")
                try message.append("PreparingForSleep")
            }, reply: reply)
        }) { reply in
            then(try? reply?.readContainer("v", "b") { (message) throws(BusError) in try message.readBool() })
        }
    }

    // MARK: The sleep under way

    private func fallsAsleep() {
        believe(isAsleep: true)
        onEvent(.fallsAsleep)
    }

    private func isBack() {
        believe(isAsleep: false)
        onEvent(.isBack)
    }

    private func believe(isAsleep: Bool) {
        self.isAsleep = isAsleep
        beliefCheck = nil
        if isAsleep { checkBeliefLater() }
    }

    /// The signal of the end may be lost: logind may be killed in between. The clock of this timer stands while the machine sleeps.
    private func checkBeliefLater() {
        beliefCheck = try? loop.after(Self.beliefLasts) { [unowned self] in checkBelief() }
    }

    private func checkBelief() {
        beliefCheck = nil
        askForPreparing { [unowned self] isPreparing in
            guard isAsleep, beliefCheck == nil else { return }
            if isPreparing == false { isBack() } else { checkBeliefLater() }
        }
    }

    /// How a sleep of `kind` ended, by the unit that made it.
    func askForOutcome(of kind: SleepKind, _ then: @escaping (SleepPolicy.SleepOutcome) -> Void) {
        let unit = "systemd-\(kind.rawValue).service"
        ask({ (bus, reply) throws(BusError) in
            try bus.callAsync(.systemd1, "ListUnitsByNames", timeout: Self.patience, { (message) throws(BusError) in
                try message.append(strings: [unit])
            }, reply: reply)
        }) { reply in
            let state = try? reply?.readArray("(ssssssouso)") { (message) throws(BusError) in
                try message.readContainer("r", "ssssssouso") { (message) throws(BusError) in
                    try message.skip("sss")
                    let state = try message.readString()
                    try message.skip("ssouso")
                    return state
                }
            }.first
            then(state == "failed" ? .failed("\(unit) failed, see: systemctl status \(unit)") : .slept)
        }
    }

    /// Looks at all locks and sessions; nil where logind does not answer. However many ask, there is one look at a time: who
    /// asks during one has the answer of the next, which begins after the question.
    func look(_ then: @escaping (View?) -> Void) {
        guard lookers.isEmpty else { return nextLookers.append(then) }
        lookers = [then]
        lookNow()
    }

    private func lookNow() {
        lookAtLocks { [unowned self] view in
            let told = lookers
            lookers = nextLookers
            nextLookers = []
            if !lookers.isEmpty { lookNow() }
            for then in told { then(view) }
        }
    }

    private func lookAtLocks(_ then: @escaping (View?) -> Void) {
        ask({ (bus, reply) throws(BusError) in
            try bus.callAsync(.login1, "ListInhibitors", timeout: Self.patience, reply: reply)
        }) { [unowned self] reply in
            guard let locks = reply.flatMap({ try? Logind.inhibitors(in: $0) }) else { return then(nil) }
            lookAtSessions(View(locks: locks), then)
        }
    }

    /// Asks whether the machine can do it at all: "yes", "no", "challenge", or "na" where it cannot.
    func askWhetherPossible(_ kind: SleepKind, _ then: @escaping (Bool) -> Void) {
        ask({ (bus, reply) throws(BusError) in
            try bus.callAsync(.login1, "Can\(kind.loginMethod)", timeout: Self.patience, reply: reply)
        }) { reply in
            let answer = try? reply?.readString()
            then(answer != nil && answer != "na")
        }
    }

    // MARK: Deeds

    /// Asks logind for it, without dialogue. `refused` is told what stands against it.
    func sleep(_ kind: SleepKind, refused: @escaping (String) -> Void) {
        perform({ (bus, reply) throws(BusError) in
            try bus.callAsync(.login1, kind.loginMethod, timeout: Self.patience, { (message) throws(BusError) in
                try message.append(false)
            }, reply: reply)
        }) { if case .failure(let error) = $0 { refused(error.description) } }
    }

    /// Tells everybody who is logged in, by wall(1). It runs in a unit of its own: from the daemon's confinement no
    /// terminal is within reach.
    func announce(_ text: String, failed: @escaping (BusError) -> Void) {
        nextCall += 1
        let unit = "lightsout-announcement-\(nextCall).service"
        perform({ (bus, reply) throws(BusError) in
            try bus.callAsync(.systemd1, "StartTransientUnit", timeout: Self.patience, { (message) throws(BusError) in
                try message.append(unit)
                try message.append("replace")
                try message.container("a", "(sv)") { (message) throws(BusError) in
                    try Self.property("Description", "s", message) { (m) throws(BusError) in
                        try m.append("Announcement of lightsout")
                    }
                    try Self.property("Type", "s", message) { (m) throws(BusError) in try m.append("oneshot") }
                    try Self.property("CollectMode", "s", message) { (m) throws(BusError) in
                        try m.append("inactive-or-failed")
                    }
                    try Self.property("ExecStart", "a(sasb)", message) { (m) throws(BusError) in
                        try m.container("a", "(sasb)") { (m) throws(BusError) in
                            try m.container("r", "sasb") { (m) throws(BusError) in
                                try m.append("/usr/bin/wall")
                                try m.append(strings: ["wall", text])
                                try m.append(false)
                            }
                        }
                    }
                }
                try message.container("a", "(sa(sv))") { _ in }
            }, reply: reply)
        }) { if case .failure(let error) = $0 { failed(error) } }
    }

    private static func property(
        _ name: String, _ type: String, _ message: BusMessage, _ write: (BusMessage) throws(BusError) -> Void
    ) throws(BusError) {
        try message.container("r", "sv") { (message) throws(BusError) in
            try message.append(name)
            try message.variant(type, write)
        }
    }

    // MARK: Calls

    typealias Reply = (Result<BusMessage, BusError>) -> Void

    func ask(
        _ call: (Bus, @escaping Reply) throws(BusError) -> BusSlot, _ then: @escaping (BusMessage?) -> Void
    ) {
        perform(call) { then(try? $0.get()) }
    }

    /// Makes a call and keeps it until its answer has come.
    func perform(_ call: (Bus, @escaping Reply) throws(BusError) -> BusSlot, _ then: @escaping Reply) {
        nextCall += 1
        let key = nextCall
        do throws(BusError) {
            calls[key] = try call(bus) { [unowned self] reply in
                calls[key] = nil
                then(reply)
            }
        } catch { then(.failure(error)) }
    }
}
