import Glibc
public import LightsOutCore
public import Systemd

/// The logind inhibitor lock of one run: taken before the script starts, watched while it runs, released when the last
/// of its processes has ended.
///
/// The lock is a descriptor. In the backup's unit the service manager has a copy of it (``LockStore``), so that the lock
/// outlives this process if that is killed. Outside of the unit the kernel closes it with this process.
public final class StandbyLock {
    /// What came of asking for the lock.
    public enum Attempt: Equatable {
        case taken
        /// There is no logind to ask, or it does not answer.
        case unavailable(String)
        /// logind answered no.
        case refused(String)
        /// `shouldStop` said so while a sleep under way was waited for.
        case stopped
    }

    /// Told of what became of the lock during the run: it was lost, or taken anew.
    public var onChange: (JournalRecord.LockChange, String) -> Void = { _, _ in }
    /// Told that a sleep or resume is under way, which must be over before a lock is given.
    public var onWait: () -> Void = {}

    /// Told that the machine goes to sleep (true) and that it is back, while the lock is watched.
    public var onSleep: (Bool) -> Void = { _ in }
    /// Whether the lock was let go on purpose, so that the machine may sleep.
    public private(set) var isLetGo = false

    private let loop: EventLoop
    private let what: String
    private let why: String
    private let store: LockStore?
    private var lock: Descriptor?
    private var bus: Bus?
    private var subscriptions: [BusSlot] = []
    private var reconnect: EventSource?
    private var retake: EventSource?
    private var pendingCheck: BusSlot?
    private var storeCheck: BusSlot?

    /// The lock's name in `systemd-inhibit --list`.
    public static let who = "lightsout"

    /// - Parameters:
    ///   - what: what it inhibits, as logind takes it: `sleep:handle-lid-switch`.
    ///   - isUnit: whether this process is the main process of the backup's unit, whose manager keeps a copy.
    public init(loop: EventLoop, what: String, why: String, isUnit: Bool = false) {
        self.loop = loop
        self.what = what
        self.why = why
        store = isUnit ? LockStore() : nil
        store?.onFailure = { [unowned self] error in
            onChange(.taken, "the lock is held, but it ends with the runner if that is killed: \(error)")
        }
    }

    public var isHeld: Bool { lock != nil && !isLost }

    /// Asks until there is an answer that will stay: the lock, a refusal, or nobody to ask.
    ///
    /// A sleep or resume under way is waited for without limit, for it ends; where bus or logind are not there they are
    /// asked three times within two seconds, for they may be starting.
    public func take(shouldStop: () -> Bool) throws(SystemError) -> Attempt {
        var patience: [UInt64] = [200_000, 1_500_000]
        var saidThatItWaits = false
        while true {
            if shouldStop() { return .stopped }
            let reason: String
            do throws(BusError) {
                try acquire()
                return .taken
            } catch {
                switch error.name {
                case BusError.operationInProgress:
                    if !saidThatItWaits { onWait() }
                    saidThatItWaits = true
                    try waitForEndOfSleep(shouldStop: shouldStop)
                    continue
                case _ where isThere(after: error):
                    return .refused(error.description)
                default:
                    reason = error.message.isEmpty ? error.name : error.message
                    disconnect()
                }
            }
            guard !patience.isEmpty else { return .unavailable(reason) }
            try pause(patience.removeFirst(), shouldStop: shouldStop)
        }
    }

    /// From now on sees to it that the lock survives a restart of logind or of the bus.
    public func watch() {
        guard let bus else { return }
        do throws(BusError) {
            do throws(SystemError) { try attach(bus) } catch { throw BusError(error) }
            subscriptions = [
                try bus.matchAsync(Logind.ownerChangedRule) { [unowned self] message in ownerChanged(message) },
                try bus.onDisconnect { [unowned self] in connectionLost() },
                try bus.matchAsync(Logind.prepareForSleepRule) { [unowned self] message in
                    if let isBeginning = try? message.readBool() { onSleep(isBeginning) }
                },
            ]
            checkStore()
        } catch {
            // The lock is held all the same; only its loss would go unseen.
            onChange(.taken, "a restart of logind during the run cannot be watched for: \(error)")
        }
    }

    /// Gives the lock back: logind sees it when the service manager has closed the copy too.
    public func release() {
        retake = nil
        storeCheck = nil
        store?.drop()
        lock = nil
    }

    /// Lets the machine sleep for now; the run goes on.
    public func letGo() {
        release()
        isLetGo = true
        onChange(.released, "standby is not blocked for now")
    }

    /// Takes the lock that was let go; where logind does not give it, again every second until it does.
    public func takeAgain() {
        guard lock == nil else { return }
        isLetGo = false
        do throws(BusError) {
            try acquire()
            isLost = false
            onChange(.taken, "standby is blocked again (\(what.split(separator: ":").joined(separator: ", ")))")
            checkStore()
        } catch {
            retake = try? loop.after(1_000_000) { [unowned self] in takeAgain() }
        }
    }

    /// Ends the watch and the connection.
    public func close() {
        release()
        disconnect()
    }

    /// Finds out whether the service manager kept the copy of the lock; if not, that is said.
    private func checkStore() {
        guard let bus, store != nil, lock != nil else { return }
        storeCheck = try? DescriptorStore.count(bus) { [unowned self] count in
            storeCheck = nil
            guard count == 0, lock != nil else { return }
            onChange(
                .taken,
                "the lock is held, but it ends with the runner if that is killed: the service manager did not keep a copy of it. FileDescriptorStoreMax= of the unit must be 2 or more"
            )
        }
    }

    // MARK: Asking

    private func acquire() throws(BusError) {
        let taken = try Logind(try connection()).inhibit(
            what: what, who: Self.who, why: why, mode: "block", timeout: 5_000_000)
        store?.keep(taken)
        lock = consume taken
    }

    private func connection() throws(BusError) -> Bus {
        if let bus { return bus }
        do throws(SystemError) {
            let bus = try Bus.system()
            self.bus = bus
            return bus
        } catch { throw BusError(name: BusError.disconnected, message: error.description) }
    }

    private var isAttached = false

    private func attach(_ bus: Bus) throws(SystemError) {
        guard !isAttached else { return }
        try bus.attach(to: loop)
        isAttached = true
    }

    private func disconnect() {
        subscriptions = []
        pendingCheck = nil
        storeCheck = nil
        bus?.close()
        bus = nil
        isAttached = false
    }

    /// Whether an error came from a logind that answers. Of one that cannot be started the error may have any name.
    private func isThere(after error: BusError) -> Bool {
        guard let bus, bus.isOpen, ![BusError.noReply, BusError.timeout].contains(error.name) else { return false }
        return (try? Logind(bus).isRunning(timeout: 5_000_000)) == true
    }

    /// Returns when logind says that the sleep is over, and after a quarter of a second in any case: the signal may
    /// have gone before we listened, and only asking again tells for sure.
    private func waitForEndOfSleep(shouldStop: () -> Bool) throws(SystemError) {
        guard let bus else { return }
        try attach(bus)
        var over = false
        let listener = try? bus.matchAsync(Logind.prepareForSleepRule) { message in
            if (try? message.readBool()) == false { over = true }
        }
        let timer = try loop.after(250_000) { over = true }
        while !over && !shouldStop() { try loop.runOnce(timeout: .max) }
        withExtendedLifetime((listener, timer)) {}
    }

    private func pause(_ span: UInt64, shouldStop: () -> Bool) throws(SystemError) {
        var over = false
        let timer = try loop.after(span) { over = true }
        while !over && !shouldStop() { try loop.runOnce(timeout: .max) }
        withExtendedLifetime(timer) {}
    }

    // MARK: Watching

    /// logind keeps its locks across a restart; one whose notes are gone (/run/systemd/inhibit) does not.
    private func ownerChanged(_ message: BusMessage) {
        guard let bus, message.readOwnerChange()?.isEmpty == false else { return }
        pendingCheck = try? bus.callAsync(.login1, "ListInhibitors", timeout: 5_000_000) { [unowned self] reply in
            switch reply {
            case .success(let message): lookUp(in: Logind.readInhibitors(message))
            case .failure: checkLater() // not ready yet: it owns its name before it answers
            }
        }
    }

    private func connectionLost() {
        disconnect()
        checkLater()
    }

    private func checkLater() {
        reconnect = try? loop.after(1_000_000) { [unowned self] in
            do throws(BusError) {
                let inhibitors = try Logind(try connection()).inhibitors(timeout: 5_000_000)
                if subscriptions.isEmpty { watch() }
                lookUp(in: inhibitors)
            } catch {
                disconnect()
                checkLater()
            }
        }
    }

    /// Takes the lock anew where logind does not list it.
    private func lookUp(in inhibitors: [Logind.Inhibitor]) {
        let pid = UInt32(getpid())
        guard lock != nil, !inhibitors.contains(where: { $0.pid == pid && $0.mode == "block" && $0.who.hasSameBytes(as: Self.who) })
        else { return }
        if !isLost {
            isLost = true
            onChange(.lost, "standby is not blocked any more: logind lost the lock when it was restarted")
        }
        do throws(BusError) {
            try acquire()
            isLost = false
            onChange(.taken, "standby is blocked again (\(what.split(separator: ":").joined(separator: ", ")))")
            checkStore()
        } catch {
            checkLater()
        }
    }

    /// Whether the loss has been told of and no new lock has been had yet.
    private var isLost = false
}
