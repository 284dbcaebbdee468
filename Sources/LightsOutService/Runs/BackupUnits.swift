import Glibc
import LightsOutCore
import LightsOutRunner
import Systemd

/// Starts and stops the backups' units through systemd (org.freedesktop.systemd1(5)).
final class BackupUnits {
    /// What became of a start that was asked for.
    enum StartEnd {
        /// systemd knows of no start, and its runs have ended: what they were is in the files.
        case unheard
        /// systemd would not start the unit, or the unit ended before its runner could say anything.
        case refused(String)
        /// The start job is over: for a unit of type oneshot, the run is.
        case over
    }

    private let bus: Bus
    private let loop: EventLoop
    private var subscription: BusSlot?
    private var starts: [UInt64: Start] = [:]
    private var startCount: UInt64 = 0
    /// Hears the ends of all jobs for as long as one is waited for: a daemon with nothing to do is not woken by other
    /// units' jobs. One for all, since a bus takes a few hundred rules of a connection, and more backups may be due at once.
    private var listener: BusSlot?

    private struct Start {
        let finish: (StartEnd) -> Void
        /// The job that systemd has for it; its end is what is waited for, and no other of the unit: when the daemon learns that
        /// a run has ended, the job of that run may not have.
        var job: String?
        /// Asks systemd, when it is the start's turn.
        var ask: (() throws(BusError) -> BusSlot)?
        /// What systemd has not answered yet.
        var call: BusSlot?
        var nextLook: EventSource?
    }

    /// Starts that wait for their turn to ask.
    private var turns: ArraySlice<UInt64> = []
    private var openCalls = 0
    /// The most calls to systemd at a time: a bus takes 128 unanswered ones of a connection (`max_replies_per_connection`,
    /// dbus-daemon(1)), and others than these are made on it too.
    private static let callLimit = 32

    /// A unit that is about to be inactive is looked at again after this.
    private static let lookAgain = TimeSpan.seconds(1)

    /// - Parameters:
    ///   - bus: attached to `loop`.
    ///   - unheard: told where systemd will send no signals, so that the end of a start job is not seen.
    init(_ bus: Bus, _ loop: EventLoop, unheard: @escaping (BusError) -> Void) throws(BusError) {
        self.bus = bus
        self.loop = loop
        // systemd sends its signals to those who asked for them only.
        subscription = try bus.callAsync(.systemd1, "Subscribe") { [unowned self] reply in
            subscription = nil
            if case .failure(let error) = reply { unheard(error) }
        }
    }

    /// Starts the unit of `backup`; `then` is told once, when it is refused or its job is over, `accepted` before that,
    /// when systemd has taken the job. A unit that is starting already is not started again: systemd joins the two jobs.
    func start(
        _ backup: BackupName, then: @escaping (StartEnd) -> Void, accepted: @escaping () -> Void = {}
    ) {
        begin(backup, then) { [unowned self] key in ask(toStart: backup.unit, key, accepted: accepted) }
    }

    /// Finds out what became of a start whose answer was never heard, for the daemon that asked for it ended or its connection
    /// was lost: `then` is told once, at the end of the job if systemd has one, and else when nothing of the unit goes on.
    func findStart(of backup: BackupName, then: @escaping (StartEnd) -> Void) {
        begin(backup, then) { [unowned self] key in look(at: backup.unit, key) }
    }

    /// Stops the unit of `backup`; `then` is told what systemd answered.
    ///
    /// While a restart of the machine waits for the run, systemd has a stop job already, which waits as well: then the
    /// unit's processes are told to end.
    func stop(_ backup: BackupName, then: @escaping (Result<Void, BusError>) -> Void) throws(BusError) -> BusSlot {
        let properties = Bus.Address(
            Bus.Address.systemd1.destination, Bus.Address.systemd1.path, "org.freedesktop.DBus.Properties")
        return try bus.callAsync(properties, "Get") { (message) throws(BusError) in
            try message.append(Bus.Address.systemd1.interface)
            try message.append("SystemState")
        } reply: { [unowned self] reply in
            let state = try? reply.get().readContainer("v", "s") { (message) throws(BusError) in try message.readString() }
            end(backup.unit, byKilling: state == "stopping", then)
        }
    }

    private func end(_ unit: String, byKilling: Bool, _ then: @escaping (Result<Void, BusError>) -> Void) {
        startCount += 1
        let key = startCount
        do throws(BusError) {
            stops[key] = try bus.callAsync(.systemd1, byKilling ? "KillUnit" : "StopUnit") { (message) throws(BusError) in
                try message.append(unit)
                try message.append(byKilling ? "all" : "replace")
                if byKilling { try message.append(SIGTERM) }
            } reply: { [unowned self] reply in
                stops[key] = nil
                then(reply.map { _ in })
            }
        } catch { then(.failure(error)) }
    }

    /// Stops that systemd has not answered yet.
    private var stops: [UInt64: BusSlot] = [:]

    // MARK: One start, from beginning to end

    private func begin(_ backup: BackupName, _ then: @escaping (StartEnd) -> Void, _ ask: (UInt64) -> Void) {
        startCount += 1
        let key = startCount
        starts[key] = Start(finish: then)
        do throws(BusError) {
            // Listened first, asked then: an end in between is heard.
            if listener == nil { listener = try listen() }
            ask(key)
        } catch { refuse(key, error) }
    }

    private func ask(toStart unit: String, _ key: UInt64, accepted: @escaping () -> Void) {
        inTurn(key) { [unowned self] () throws(BusError) in
            try bus.callAsync(.systemd1, "StartUnit") { (message) throws(BusError) in
                try message.append(unit)
                try message.append("replace")
            } reply: { [unowned self] reply in
                answered(key)
                do throws(BusError) {
                    starts[key]?.job = try reply.get().readObjectPath()
                    accepted()
                } catch {
                    // Not heard is not refused: systemd may start it yet.
                    if error.isUnheard { lookLater(at: unit, key) } else { refuse(key, error) }
                }
            }
        }
    }

    private func look(at unit: String, _ key: UInt64) {
        inTurn(key) { [unowned self] () throws(BusError) in
            try bus.callAsync(.systemd1, "ListUnitsByNames") { (message) throws(BusError) in
                try message.append(strings: [unit])
            } reply: { [unowned self] reply in
                answered(key)
                do throws(BusError) {
                    switch try Standing(reply.get()) {
                    case .hasJob(let path): starts[key]?.job = path
                    case .changing: lookLater(at: unit, key)
                    case .idle: finish(key, .unheard)
                    }
                } catch { if error.isUnheard { lookLater(at: unit, key) } else { refuse(key, error) } }
            }
        }
    }

    private func lookLater(at unit: String, _ key: UInt64) {
        do throws(SystemError) {
            starts[key]?.nextLook = try loop.after(Self.lookAgain.microseconds) { [unowned self] in look(at: unit, key) }
        } catch { finish(key, .refused(error.description)) }
    }

    /// Where the connection is gone nothing is known of the start: it is looked for on the next one.
    private func refuse(_ key: UInt64, _ error: BusError) {
        if bus.isOpen { finish(key, .refused(error.description)) }
    }

    private func finish(_ key: UInt64, _ end: StartEnd) {
        guard let start = starts.removeValue(forKey: key) else { return }
        if start.call != nil { openCalls -= 1 }
        if starts.isEmpty { listener = nil }
        start.finish(end)
        takeTurns()
    }

    // MARK: So many calls at a time

    private func inTurn(_ key: UInt64, _ ask: @escaping () throws(BusError) -> BusSlot) {
        starts[key]?.ask = ask
        turns.append(key)
        takeTurns()
    }

    private func takeTurns() {
        while openCalls < Self.callLimit, let key = turns.popFirst() {
            guard let ask = starts[key]?.ask else { continue }
            do throws(BusError) {
                starts[key]?.call = try ask()
                openCalls += 1
            } catch { refuse(key, error) }
        }
    }

    private func answered(_ key: UInt64) {
        guard starts[key]?.call != nil else { return }
        starts[key]?.call = nil
        openCalls -= 1
        takeTurns()
    }

    // MARK: What systemd says

    /// The rule for the end of any job of systemd's. Which one it is must be looked up in the message: libsystemd compares
    /// an argument only where everything before it is text, and the first one here is a number.
    static let jobRemovedRule = SignalRule(
        .name("org.freedesktop.systemd1"), path: "/org/freedesktop/systemd1",
        interface: "org.freedesktop.systemd1.Manager", member: "JobRemoved")

    private func listen() throws(BusError) -> BusSlot {
        try bus.matchAsync(Self.jobRemovedRule) { [unowned self] message in
            guard (try? message.readUInt32()) != nil, let job = try? message.readObjectPath(),
                (try? message.readString()) != nil, let result = try? message.readString()
            else { return }
            let end: StartEnd =
                switch result {
                case "done", "failed": .over
                default: .refused("its start job was \(result)")
                }
            for key in starts.filter({ $0.value.job == job }).keys { finish(key, end) }
        }
    }

    /// What systemd has to do with a unit, by its answer to `ListUnitsByNames`.
    private enum Standing {
        case hasJob(String)
        /// Neither has it a job nor is it at rest: what is to be done after its end goes on.
        case changing
        case idle

        init(_ reply: BusMessage) throws(BusError) {
            // Name, description, load state, active state, sub-state, followed unit, path, and the job's number, type, path.
            let found = try reply.readArray("(ssssssouso)") { (message) throws(BusError) in
                try message.readContainer("r", "ssssssouso") { (message) throws(BusError) in
                    try message.skip("sss")
                    let state = try message.readString()
                    try message.skip("sso")
                    let number = try message.readUInt32()
                    try message.skip("s")
                    let path = try message.readObjectPath()
                    return (state: state, job: number == 0 ? nil : path)
                }
            }
            self =
                switch found.first {
                case (_, let job?)?: .hasJob(job)
                case let unit? where unit.state != "inactive" && unit.state != "failed": .changing
                default: .idle
                }
        }
    }
}

extension BusError {
    /// Whether nobody answered in time, so that what was asked for may have happened or be about to.
    nonisolated fileprivate var isUnheard: Bool { name == BusError.noReply || name == BusError.timeout }
}
