import LightsOutCore
import LightsOutRunner
import Systemd

/// Finds out right before a sleep whether the one who asked for it may still have it.
///
/// A wish waits for hours, and its right may go meanwhile: the user logs out, another session becomes the active one,
/// somebody else logs in, a rule of polkit's changes. So polkit is asked again, about every action that the wish needs now.
/// The subject is a session of the user's, by its leader; a user who has none is asked about by the process that made the
/// wish, which polkit counts as one without a session.
final class SleepRight {
    private let bus: Bus
    private var question: BusSlot?
    private var round = 0

    private static let patience: UInt64 = 10_000_000
    /// Sessions of one user that are asked about.
    private static let sessionLimit = 8

    init(_ bus: Bus) { self.bus = bus }

    /// - Parameter then: told once, unless another question comes before the answer.
    func ask(
        _ request: SleepMemory.Request, _ sessions: [LoginSession], then: @escaping (SleepPolicy.Permission) -> Void
    ) {
        round += 1
        guard let user = request.asker?.uid ?? (try? User(named: request.by).uid) else {
            return then(.denied("\(request.by) has no account here any more"))
        }
        guard user != 0 else { return then(.granted) }
        var actions: [Authorization.Action] = [.sleep, .login(request.kind.loginAction)]
        if sessions.contains(where: { $0.uid != user }) {
            actions.append(.login("\(request.kind.loginAction)-multiple-sessions"))
        }
        let own = sessions.filter { $0.uid == user }
        var subjects = own.prefix(Self.sessionLimit).compactMap { session -> PolkitSubject? in
            ProcessStat(of: Int32(clamping: session.leader)).map {
                .process(pid: session.leader, start: $0.start, user: user)
            }
        }
        if let asker = request.asker, asker.start > 0 { subjects.append(.process(pid: UInt32(clamping: asker.pid), start: asker.start, user: user)) }
        let isLoggedIn = !own.isEmpty
        ask(Case(
            actions: actions, subjects: subjects[...], hasGivenPassword: isLoggedIn && request.asker?.hasGivenPassword == true,
            refusal: isLoggedIn ? "\(request.by) may not have that any more" : "\(request.by) has logged out",
            round: round, then: then))
    }

    /// What is being found out.
    private struct Case {
        let actions: [Authorization.Action]
        var subjects: ArraySlice<PolkitSubject>
        /// How many of the actions the first subject may do.
        var permitted = 0
        /// Whether what polkit wants a password for counts as permitted: it was given when the wish was made.
        let hasGivenPassword: Bool
        let refusal: String
        let round: Int
        let then: (SleepPolicy.Permission) -> Void
    }

    private func ask(_ one: Case) {
        guard one.round == round else { return }
        guard let subject = one.subjects.first else { return one.then(.denied(one.refusal)) }
        guard one.permitted < one.actions.count else { return one.then(.granted) }
        let action = one.actions[one.permitted]
        do throws(BusError) {
            question = try bus.askPolkit(action.id, subject: subject, timeout: Self.patience) { [unowned self] reply in
                answered(one, reply)
            }
        } catch { one.then(.unknown("polkit cannot be asked whether it is still permitted: \(error)")) }
    }

    private func answered(_ one: Case, _ reply: Result<PolkitAnswer, BusError>) {
        var next = one
        switch reply {
        case .success(let answer) where answer.isPermitted || answer.isChallenge && one.hasGivenPassword: next.permitted += 1
        case .failure(let error) where Self.isSilence(error):
            return one.then(.unknown("polkit does not answer whether it is still permitted (\(error))"))
        case .success, .failure:
            next.permitted = 0
            next.subjects = one.subjects.dropFirst()
        }
        ask(next)
    }

    /// Whether polkit said nothing at all: the error is the bus's, or time's.
    private static func isSilence(_ error: BusError) -> Bool {
        [
            BusError.noReply, BusError.timeout, "org.freedesktop.DBus.Error.ServiceUnknown",
            "org.freedesktop.DBus.Error.NameHasNoOwner", "org.freedesktop.DBus.Error.Disconnected",
        ].contains(error.name) || error.name.hasPrefix("org.freedesktop.DBus.Error.Spawn.")
    }
}
