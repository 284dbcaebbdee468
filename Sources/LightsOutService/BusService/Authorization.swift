import LightsOutCore
import Systemd

/// Asks polkit whether a caller may do what it asks for (polkit(8), CheckAuthorization). The subject is the caller's
/// unique name on the bus, which cannot be used again by another process as a pid can.
///
/// Each user has places of his own, for questions that polkit has not answered and for calls that wait until it has. Where
/// the places in all run out, the user who has the most gives one up.
final class Authorization {
    typealias Caller = Callers.Caller

    /// The actions of `org.lightsout1.policy`, and those of logind's that stand behind them.
    enum Action: Hashable {
        case start, stop, report, hold, reload, pause, sleep
        /// One of logind's, such as `suspend`.
        case login(String)

        var id: String {
            switch self {
            case .login(let name): "org.freedesktop.login1.\(name)"
            case .start: "org.lightsout1.start"
            case .stop: "org.lightsout1.stop"
            case .report: "org.lightsout1.report"
            case .hold: "org.lightsout1.hold"
            case .reload: "org.lightsout1.reload"
            case .pause: "org.lightsout1.pause"
            case .sleep: "org.lightsout1.sleep"
            }
        }
    }

    /// A call that asks for something, with the actions that are still to be permitted.
    private struct Request {
        let call: BusInterface.MethodCall
        var actions: ArraySlice<Action>
        var caller: Caller
        /// Whether polkit has said that it wants a password, which the caller lets it ask for.
        var isPrompting = false
        let permitted: (Caller) throws(BusError) -> Void
    }

    private struct Question {
        let request: Request
        let call: BusSlot
    }

    private let bus: Bus
    let callers: Callers
    /// What polkit was asked, by the number that cancels it.
    private var questions: [UInt64: Question] = [:]
    /// Requests that wait until a question of their user's is answered, in their order.
    private var waiting: [Request] = []
    private var next: UInt64 = 0
    private var cancellations: [UInt64: BusSlot] = [:]

    /// Questions that polkit has not answered. They last as long as a prompt that nobody answers, and a bus takes 128
    /// unanswered calls of a connection: what users ask must leave room for what the schedule asks.
    private static let questionLimit = (ofUser: 8, inAll: 48)
    private static let waitingLimit = (ofUser: 32, inAll: 512)
    /// As long as polkit's own prompt may take a person.
    private static let patience: UInt64 = 120_000_000

    init(_ bus: Bus) {
        self.bus = bus
        callers = Callers(bus)
    }

    /// See ``Callers/identify(_:mayBeSuperseded:hasDescriptor:then:)``.
    func identify(
        _ call: BusInterface.MethodCall, mayBeSuperseded: Bool = false, hasDescriptor: Bool = false,
        then: @escaping (Caller) -> Void
    ) { callers.identify(call, mayBeSuperseded: mayBeSuperseded, hasDescriptor: hasDescriptor, then: then) }

    /// Calls `permitted` when the caller may do all of `actions`; otherwise the call is answered with the refusal. Root may
    /// everything, and polkit is not asked, so that root is served where polkit is not installed.
    ///
    /// Nothing waits meanwhile; a caller that goes away is nobody to answer, which harms nothing.
    func check(
        _ call: BusInterface.MethodCall, _ actions: Action...,
        permitted: @escaping (Caller) throws(BusError) -> Void
    ) {
        callers.identify(call) { [unowned self] caller in
            check(Request(call: call, actions: actions[...], caller: caller, permitted: permitted))
        }
    }

    /// The same for a caller that is identified already.
    func check(
        _ call: BusInterface.MethodCall, _ action: Action, _ caller: Caller,
        permitted: @escaping (Caller) throws(BusError) -> Void
    ) { check(Request(call: call, actions: [action], caller: caller, permitted: permitted)) }

    private func check(_ request: Request) {
        if request.caller.uid == 0 || request.actions.isEmpty { return finish(request) }
        let uid = request.caller.uid
        if questions.values.count(where: { $0.request.caller.uid == uid }) < Self.questionLimit.ofUser, makeRoom(for: uid) {
            return ask(request)
        }
        guard waiting.count(where: { $0.caller.uid == uid }) < Self.waitingLimit.ofUser else {
            return request.call.fail(Callers.tooMany)
        }
        if waiting.count >= Self.waitingLimit.inAll,
            let most = Self.most(waiting.map(\.caller.uid))?.uid, let last = waiting.lastIndex(where: { $0.caller.uid == most })
        {
            waiting.remove(at: last).call.fail(Callers.tooMany)
        }
        waiting.append(request)
    }

    private func finish(_ request: Request) {
        do throws(BusError) { try request.permitted(request.caller) } catch { request.call.fail(error) }
    }

    // MARK: Places

    /// Whether a question may be asked for `uid`. One who has none open gets the place of one who has several.
    private func makeRoom(for uid: UInt32) -> Bool {
        if questions.count < Self.questionLimit.inAll { return true }
        let users = questions.values.map(\.request.caller.uid)
        guard !users.contains(uid), let most = Self.most(users), most.count > 1,
            let newest = questions.filter({ $0.value.request.caller.uid == most.uid }).keys.max()
        else { return false }
        let question = questions.removeValue(forKey: newest)
        cancel(newest)
        question?.request.call.fail(Callers.tooMany)
        return true
    }

    /// The user who is there most often.
    private static func most(_ users: [UInt32]) -> (uid: UInt32, count: Int)? {
        Dictionary(grouping: users) { $0 }.map { (uid: $0.key, count: $0.value.count) }
            .max { ($0.count, $0.uid) < ($1.count, $1.uid) }
    }

    private func askForNext() {
        let index = waiting.firstIndex { request in
            questions.values.count { $0.request.caller.uid == request.caller.uid } < Self.questionLimit.ofUser
        }
        guard questions.count < Self.questionLimit.inAll, let index else { return }
        ask(waiting.remove(at: index))
    }

    // MARK: polkit

    private func ask(_ request: Request) {
        guard let sender = request.call.message.sender, let action = request.actions.first else { return finish(request) }
        next += 1
        let id = next
        do throws(BusError) {
            let question = try bus.askPolkit(
                action.id, subject: .connection(sender),
                interactive: request.isPrompting, cancellation: Self.cancellation(id),
                timeout: Self.patience
            ) { [unowned self] reply in
                guard questions.removeValue(forKey: id) != nil else { return }
                // One that took too long would keep its prompt, and its place with polkit.
                if case .failure(let error) = reply, [BusError.noReply, BusError.timeout].contains(error.name) { cancel(id) }
                answered(request, action, reply)
                askForNext()
            }
            questions[id] = Question(request: request, call: question)
        } catch { request.call.fail(error) }
    }

    private func answered(_ request: Request, _ action: Action, _ reply: Result<PolkitAnswer, BusError>) {
        switch reply {
        case .success(let answer) where answer.isPermitted:
            var request = request
            if request.isPrompting { request.caller.hasGivenPassword = true }
            request.isPrompting = false
            request.actions.removeFirst()
            check(request)
        case .success(let answer)
        where answer.isChallenge && !request.isPrompting && request.call.message.allowsInteractiveAuthorization:
            // Asked without a prompt first, so that it is known what a password was given for.
            var request = request
            request.isPrompting = true
            check(request)
        case .success(let answer) where answer.isChallenge:
            request.call.fail(
                BusError(
                    name: BusError.interactiveAuthorizationRequired,
                    message: "\(action.id) needs a password. Ask again from a terminal or as root"))
        case .success: request.call.fail(Self.refusal(action))
        case .failure(let error):
            request.call.fail(
                BusError(
                    name: BusError.accessDenied,
                    message: "\(action.id) is for root only while polkit does not answer (\(error))"))
        }
    }

    private static func cancellation(_ id: UInt64) -> String { "lightsout-\(id)" }

    /// Takes a question back from polkit, which would show its prompt for longer.
    private func cancel(_ id: UInt64) {
        cancellations[id] = try? bus.callAsync(.polkit, "CancelCheckAuthorization", timeout: 5_000_000) {
            (message) throws(BusError) in try message.append(Self.cancellation(id))
        } reply: { [unowned self] _ in cancellations[id] = nil }
    }

    private static func refusal(_ action: Action) -> BusError {
        BusError(
            name: BusError.accessDenied,
            message: "\(action.id) is not permitted to you. Do it as root, or have a polkit rule made")
    }
}
