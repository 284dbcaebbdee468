import LightsOutCore

/// A session of a person, as logind tells it: local or remote, in use or idle. Sessions of the classes `greeter`,
/// `background` and `manager` are nobody's and are left out.
nonisolated public struct UserSession: Hashable, Sendable {
    public var id: String
    public var user: String
    /// Over the network: `Remote=yes`, with where from.
    public var remoteHost: String?
    /// `IdleHint`.
    public var isIdle: Bool
    /// `IdleSinceHintMonotonic`: when `isIdle` last changed. Only compared with itself, as a mark.
    public var idleMark: UInt64

    public init(id: String, user: String, remoteHost: String? = nil, isIdle: Bool, idleMark: UInt64 = 0) {
        self.id = id
        self.user = user
        self.remoteHost = remoteHost
        self.isIdle = isIdle
        self.idleMark = idleMark
    }

    /// "anna (session 3, from 192.0.2.7)".
    var person: String { "\(user.quotedUnlessPlain) (session \(id)\(remoteHost.map { ", from \($0)" } ?? ""))" }
}

/// Whether somebody has come to a machine that slept, told from the sessions before and after: without looking at a
/// clock, which may be set in between.
nonisolated struct Presence {
    enum Finding: Hashable {
        case nobody
        /// A session that was in use before, and is by its idle hint still: a desktop that was put to sleep in use
        /// says so until its idle time has passed. Nobody may be there; that time tells.
        case maybe(String)
        /// Somebody logged in, or took up an idle session.
        case somebody(String)
    }

    /// What the sessions of `now` say about the time since `before`.
    static func find(before: [UserSession], now: [UserSession]) -> Finding {
        let known = Dictionary(before.map { ($0.id, $0) }) { first, _ in first }
        for session in now {
            guard let old = known[session.id] else { return .somebody("\(session.person) has logged in") }
            let becameActive = !session.isIdle && (old.isIdle || session.idleMark != old.idleMark)
            // Idle, active and idle again, between two looks.
            let wasActive = session.isIdle && old.isIdle && session.idleMark != old.idleMark
            if becameActive || wasActive { return .somebody("\(session.person) has become active") }
        }
        guard let open = now.first(where: { !$0.isIdle }) else { return .nobody }
        return .maybe("\(open.person) does not count as idle yet")
    }
}

nonisolated extension String {
    /// User names are plain; whatever is not is quoted, as it goes to terminals.
    fileprivate var quotedUnlessPlain: String {
        let isPlain = utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "._-@\\".utf8.contains(byte)
            }
        }
        return isPlain ? self : quotedForPeople
    }
}
