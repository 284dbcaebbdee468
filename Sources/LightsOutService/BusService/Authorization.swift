import LightsOutCore
import Systemd

/// Asks polkit whether a caller may do what it asks for (polkit(8), CheckAuthorization). The subject is the caller's
/// unique name on the bus, which cannot be used again by another process as a pid can.
final class Authorization {
    /// The actions of `org.lightsout1.policy`.
    enum Action: String {
        case start = "org.lightsout1.start"
        case stop = "org.lightsout1.stop"
        case report = "org.lightsout1.report"
        case hold = "org.lightsout1.hold"
        case reload = "org.lightsout1.reload"
        case pause = "org.lightsout1.pause"
        case sleep = "org.lightsout1.sleep"
    }

    private let bus: Bus
    /// What the bus daemon was asked.
    private var identifications: [UInt64: BusSlot] = [:]
    /// What polkit was asked, and for whom.
    private var questions: [UInt64: Question] = [:]
    private var next: UInt64 = 0
    /// Who is behind a unique name, which the bus gives to one connection ever.
    private var callers: [String: Caller] = [:]
    /// Calls of connections that the bus is being asked about, in their order.
    private var unidentified: [String: [Unidentified]] = [:]

    private struct Unidentified {
        let call: BusInterface.MethodCall
        let mayBeSuperseded: Bool
        let then: (Caller) -> Void
    }

    private struct Question {
        let uid: UInt32
        let call: BusSlot
    }

    /// Questions that wait until one of their user's is answered, in their order.
    private var waiting: [Waiting] = []

    private struct Waiting {
        let call: BusInterface.MethodCall
        let action: Action
        let caller: Caller
        let permitted: (Caller) throws(BusError) -> Void
    }

    private static let waitingLimit = 256

    /// Calls of one connection that wait for its identification.
    private static let unidentifiedLimit = 64
    /// Connections that are being identified at a time: a caller that asks and asks gets a refusal, not our memory.
    private static let identificationLimit = 256
    /// Questions that polkit has not answered, for one user and for all. They last as long as a prompt that nobody answers, and
    /// a bus takes 128 unanswered calls of a connection: what users ask must leave room for what the schedule asks.
    private static let questionLimit = (ofUser: 8, ofAll: 48)

    init(_ bus: Bus) { self.bus = bus }

    /// Who calls, as the bus daemon knows it from the caller's socket.
    struct Caller {
        let uid: UInt32
        /// The process may have ended, and its number be another's: what is learnt by it holds only together with the
        /// uid, and where being wrong does no harm.
        let pid: Int32
    }

    /// Calls `permitted` when the caller may; otherwise the call is answered with the refusal. Root may everything, and
    /// polkit is not asked, so that root is served where polkit is not installed.
    ///
    /// Nothing waits meanwhile; a caller that goes away is nobody to answer, which harms nothing.
    func check(
        _ call: BusInterface.MethodCall, _ action: Action,
        permitted: @escaping (Caller) throws(BusError) -> Void
    ) {
        identify(call) { [unowned self] caller in check(call, action, caller, permitted: permitted) }
    }

    /// The same for a caller that is identified already.
    func check(
        _ call: BusInterface.MethodCall, _ action: Action, _ caller: Caller,
        permitted: @escaping (Caller) throws(BusError) -> Void
    ) {
        if caller.uid == 0 { return Self.finish(call, caller, permitted) }
        askPolkit(call, action, caller, permitted)
    }

    /// Finds out who calls; the call is answered where that cannot be. Calls of one connection keep their order.
    /// - Parameter mayBeSuperseded: where more wait than there is room for, the oldest of these is turned away.
    func identify(
        _ call: BusInterface.MethodCall, mayBeSuperseded: Bool = false, then: @escaping (Caller) -> Void
    ) {
        let sender = call.message.sender ?? ""
        if unidentified[sender] == nil, let caller = callers[sender] { return then(caller) }
        let waiting = Unidentified(call: call, mayBeSuperseded: mayBeSuperseded, then: then)
        if unidentified[sender] != nil { return queue(waiting, of: sender) }
        guard identifications.count < Self.identificationLimit, !sender.isEmpty else { return call.fail(Self.tooMany) }
        next += 1
        let id = next
        do throws(BusError) {
            identifications[id] = try bus.callAsync(.bus, "GetConnectionCredentials", timeout: 5_000_000) {
                (message) throws(BusError) in try message.append(sender)
            } reply: { [unowned self] reply in
                identifications[id] = nil
                identified(sender, Self.caller(in: reply))
            }
            unidentified[sender] = [waiting]
        } catch { call.fail(error) }
    }

    private func queue(_ waiting: Unidentified, of sender: String) {
        unidentified[sender]?.append(waiting)
        guard let all = unidentified[sender], all.count > Self.unidentifiedLimit else { return }
        let index = all.firstIndex { $0.mayBeSuperseded } ?? all.count - 1
        unidentified[sender]?.remove(at: index).call.fail(Self.tooMany)
    }

    private func identified(_ sender: String, _ caller: Caller?) {
        let waiting = unidentified.removeValue(forKey: sender) ?? []
        guard let caller else {
            for one in waiting {
                one.call.fail(BusError(name: BusError.accessDenied, message: "the bus does not say who is asking"))
            }
            return
        }
        // It is only worth keeping for a connection that calls again; which one that is nobody knows.
        if callers.count >= Self.identificationLimit { callers = [:] }
        callers[sender] = caller
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

    private static let tooMany = BusError(
        name: BusError.limitsExceeded, message: "too many questions about permissions are open. Try again later")

    private func askPolkit(
        _ call: BusInterface.MethodCall, _ action: Action, _ caller: Caller,
        _ permitted: @escaping (Caller) throws(BusError) -> Void
    ) {
        guard let sender = call.message.sender, waiting.count < Self.waitingLimit else { return call.fail(Self.tooMany) }
        guard mayAsk(for: caller.uid) else {
            return waiting.append(Waiting(call: call, action: action, caller: caller, permitted: permitted))
        }
        next += 1
        let id = next
        do throws(BusError) {
            // As long as polkit's own prompt may take a person.
            let question = try bus.callAsync(.polkit, "CheckAuthorization", timeout: 120_000_000) {
                (message) throws(BusError) in
                try message.container("r", "sa{sv}") { (message) throws(BusError) in
                    try message.append("system-bus-name")
                    try message.container("a", "{sv}") { (message) throws(BusError) in
                        try message.container("e", "sv") { (message) throws(BusError) in
                            try message.append("name")
                            try message.variant("s") { (message) throws(BusError) in try message.append(sender) }
                        }
                    }
                }
                try message.append(action.rawValue)
                try message.container("a", "{ss}") { _ in }
                try message.append(UInt32(call.message.allowsInteractiveAuthorization ? 1 : 0))
                try message.append("")
            } reply: { [unowned self] reply in
                questions[id] = nil
                askForNext()
                switch reply {
                case .success(let message):
                    let answer = try? message.readContainer("r", "bba{ss}") { (message) throws(BusError) in
                        let isPermitted = try message.readBool()
                        let isChallenge = try message.readBool()
                        try message.skip("a{ss}")
                        return (isPermitted: isPermitted, isChallenge: isChallenge)
                    }
                    switch answer {
                    case (isPermitted: true, _)?: Self.finish(call, caller, permitted)
                    case (_, isChallenge: true)?:
                        call.fail(
                            BusError(
                                name: BusError.interactiveAuthorizationRequired,
                                message: "\(action.rawValue) needs a password. Ask again from a terminal or as root"))
                    default: call.fail(Self.refusal(action))
                    }
                case .failure(let error):
                    call.fail(
                        BusError(
                            name: BusError.accessDenied,
                            message: "\(action.rawValue) is for root only while polkit does not answer (\(error))"))
                }
            }
            questions[id] = Question(uid: caller.uid, call: question)
        } catch { call.fail(error) }
    }

    private func mayAsk(for uid: UInt32) -> Bool {
        questions.count < Self.questionLimit.ofAll
            && questions.values.count { $0.uid == uid } < Self.questionLimit.ofUser
    }

    private func askForNext() {
        guard let index = waiting.firstIndex(where: { mayAsk(for: $0.caller.uid) }) else { return }
        let next = waiting.remove(at: index)
        askPolkit(next.call, next.action, next.caller, next.permitted)
    }

    private static func finish(
        _ call: BusInterface.MethodCall, _ caller: Caller, _ permitted: (Caller) throws(BusError) -> Void
    ) {
        do throws(BusError) { try permitted(caller) } catch { call.fail(error) }
    }

    private static func refusal(_ action: Action) -> BusError {
        BusError(
            name: BusError.accessDenied,
            message: "\(action.rawValue) is not permitted to you. Do it as root, or have a polkit rule made")
    }
}
