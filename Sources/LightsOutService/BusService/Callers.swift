import LightsOutCore
import Systemd

/// Finds out who calls: the bus daemon knows it from each caller's socket.
final class Callers {
    /// Who calls, as the bus daemon knows it from the caller's socket.
    struct Caller {
        let uid: UInt32
        /// The process may have ended, and its number be another's: what is learnt by it holds only together with the
        /// uid, and where being wrong does no harm.
        let pid: Int32
        /// Whether somebody gave a password for what it asks.
        var hasGivenPassword = false
    }

    private struct Waiting {
        let call: BusInterface.MethodCall
        let mayBeSuperseded: Bool
        let hasDescriptor: Bool
        let then: (Caller) -> Void
    }

    /// A connection that the bus is being asked about.
    private struct Unknown {
        let id: UInt64
        let question: BusSlot
        var waiting: [Waiting]
    }

    private let bus: Bus
    /// Who is behind a unique name, which the bus gives to one connection ever.
    private var known: [String: Caller] = [:]
    private var unknown: [String: Unknown] = [:]
    private var next: UInt64 = 0

    /// Calls of one connection that wait for its identification, and those of them with a descriptor.
    private static let waitingLimit = (inAll: 64, withDescriptor: 4)
    /// Connections that are being identified at a time, and that are remembered.
    private static let connectionLimit = 512

    /// A bus that is flooded takes its time.
    private static let patience: UInt64 = 25_000_000

    init(_ bus: Bus) { self.bus = bus }

    /// Finds out who calls; the call is answered where that cannot be. Calls of one connection keep their order.
    /// - Parameters:
    ///   - mayBeSuperseded: where more wait than there is room for, the oldest of these is turned away.
    ///   - hasDescriptor: whether `then` keeps a descriptor of the caller's.
    func identify(
        _ call: BusInterface.MethodCall, mayBeSuperseded: Bool = false, hasDescriptor: Bool = false,
        then: @escaping (Caller) -> Void
    ) {
        let sender = call.message.sender ?? ""
        guard !sender.isEmpty else { return call.fail(Self.tooMany) }
        if unknown[sender] == nil, let caller = known[sender] { return then(caller) }
        let waiting = Waiting(call: call, mayBeSuperseded: mayBeSuperseded, hasDescriptor: hasDescriptor, then: then)
        if unknown[sender] != nil { return queue(waiting, of: sender) }
        // Whoever has come first has waited longest, and has had the most time to be known.
        if unknown.count >= Self.connectionLimit, let oldest = unknown.min(by: { $0.value.id < $1.value.id })?.key {
            for one in unknown.removeValue(forKey: oldest)?.waiting ?? [] { one.call.fail(Self.tooMany) }
        }
        ask(about: sender, waiting)
    }

    /// The user behind a connection, where it is known; otherwise the bus is asked, for the next time.
    func user(of sender: String) -> UInt32? {
        if let caller = known[sender] { return caller.uid }
        if unknown[sender] == nil, unknown.count < Self.connectionLimit { ask(about: sender) }
        return nil
    }

    private func ask(about sender: String, _ waiting: Waiting? = nil) {
        next += 1
        let id = next
        do throws(BusError) {
            let question = try bus.callAsync(.bus, "GetConnectionCredentials", timeout: Self.patience) {
                (message) throws(BusError) in try message.append(sender)
            } reply: { [unowned self] reply in
                if unknown[sender]?.id == id { identified(sender, Self.caller(in: reply)) }
            }
            unknown[sender] = Unknown(id: id, question: question, waiting: waiting.map { [$0] } ?? [])
        } catch { waiting?.call.fail(error) }
    }

    private func queue(_ waiting: Waiting, of sender: String) {
        guard var all = unknown[sender]?.waiting else { return }
        if waiting.hasDescriptor, all.count(where: \.hasDescriptor) >= Self.waitingLimit.withDescriptor {
            return waiting.call.fail(Self.tooMany)
        }
        all.append(waiting)
        if all.count > Self.waitingLimit.inAll {
            all.remove(at: all.firstIndex { $0.mayBeSuperseded } ?? all.count - 1).call.fail(Self.tooMany)
        }
        unknown[sender]?.waiting = all
    }

    private func identified(_ sender: String, _ caller: Caller?) {
        let waiting = unknown.removeValue(forKey: sender)?.waiting ?? []
        guard let caller else {
            for one in waiting {
                one.call.fail(BusError(name: BusError.accessDenied, message: "the bus does not say who is asking"))
            }
            return
        }
        // It is only worth keeping for a connection that calls again; which one that is nobody knows.
        if known.count >= Self.connectionLimit { known = [:] }
        known[sender] = caller
        for one in waiting { one.then(caller) }
    }

    private static func caller(in reply: Result<BusMessage, BusError>) -> Caller? {
        guard case .success(let message) = reply else { return nil }
        var uid: UInt32?
        var pid: UInt32?
        try? message.readProperties { (name, message) throws(BusError) in
            switch name {
            case "UnixUserID": uid = try message.readContainer("v", "u") { (m) throws(BusError) in try m.readUInt32() }
            case "ProcessID": pid = try message.readContainer("v", "u") { (m) throws(BusError) in try m.readUInt32() }
            default: try message.skip("v")
            }
        }
        guard let uid, let pid else { return nil }
        return Caller(uid: uid, pid: Int32(bitPattern: pid))
    }

    static let tooMany = BusError(
        name: BusError.limitsExceeded, message: "too many calls wait for an answer. Try again later")
}
