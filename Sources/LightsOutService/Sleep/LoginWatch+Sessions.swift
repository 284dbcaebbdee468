import LightsOutCore
import Systemd

// The people who are logged in, as logind describes each session.

extension LoginWatch {
    /// Sessions that are asked about at a time.
    private static let sessionsAtOnce = 16

    func lookAtSessions(_ view: View, _ then: @escaping (View?) -> Void) {
        ask({ (bus, reply) throws(BusError) in
            try bus.callAsync(.login1, "ListSessions", timeout: Self.patience, reply: reply)
        }) { [unowned self] reply in
            let listed = try? reply?.readArray("(susso)") { (message) throws(BusError) in
                try message.readContainer("r", "susso") { (message) throws(BusError) in
                    let id = try message.readString(cutTo: Logind.longestWord)
                    let uid = try message.readUInt32()
                    let user = try message.readString(cutTo: Logind.longestWord)
                    try message.skip("s")
                    return ListedSession(id: id, uid: uid, user: user, path: try message.readObjectPath())
                }
            }
            guard let listed else { return then(nil) }
            lookAtSessions(listed[...], view, then)
        }
    }

    private struct ListedSession {
        let id: String
        let uid: UInt32
        let user: String
        let path: String

        /// What the session counts as when logind does not describe it: somebody who uses the machine.
        var unknown: LoginSession {
            LoginSession(session: UserSession(id: id, user: user, isIdle: false), uid: uid, leader: 0)
        }
    }

    /// Looks at a slice of the sessions, and then at the next: a bus takes 128 unanswered calls of a connection.
    private func lookAtSessions(_ listed: ArraySlice<ListedSession>, _ view: View, _ then: @escaping (View?) -> Void) {
        var view = view
        let slice = listed.prefix(Self.sessionsAtOnce)
        guard !slice.isEmpty else {
            view.sessions.sort { $0.session.id < $1.session.id }
            return then(view)
        }
        var open = slice.count
        for one in slice {
            lookAt(one) { [unowned self] session in
                if let session { view.sessions.append(session) }
                open -= 1
                if open == 0 { lookAtSessions(listed.dropFirst(slice.count), view, then) }
            }
        }
    }

    private func lookAt(_ listed: ListedSession, _ then: @escaping (LoginSession?) -> Void) {
        let properties = Bus.Address("org.freedesktop.login1", listed.path, "org.freedesktop.DBus.Properties")
        perform({ (bus, reply) throws(BusError) in
            try bus.callAsync(properties, "GetAll", timeout: Self.patience, { (message) throws(BusError) in
                try message.append("org.freedesktop.login1.Session")
            }, reply: reply)
        }) { reply in
            switch reply {
            case .success(let message):
                do throws(BusError) { then(try Self.session(listed.id, message)) } catch { then(listed.unknown) }
            case .failure(let error):
                // One that is gone by now is nobody's.
                let isGone = [BusError.unknownObject, "org.freedesktop.login1.NoSuchSession"].contains(error.name)
                then(isGone ? nil : listed.unknown)
            }
        }
    }

    /// A session as its properties tell it; nil where it is not a person's, or about to end.
    private static func session(_ id: String, _ properties: BusMessage) throws(BusError) -> LoginSession? {
        var session = UserSession(id: id, user: "", isIdle: false)
        var found = LoginSession(session: session, uid: 0, leader: 0)
        var isRemote = false
        var host = ""
        var sessionClass = ""
        var state = ""
        func text(_ message: BusMessage) throws(BusError) -> String {
            try message.readContainer("v", "s") { (m) throws(BusError) in
                try m.readString(cutTo: Logind.longestWord)
            }
        }
        func flag(_ message: BusMessage) throws(BusError) -> Bool {
            try message.readContainer("v", "b") { (m) throws(BusError) in try m.readBool() }
        }
        func time(_ message: BusMessage) throws(BusError) -> UInt64 {
            try message.readContainer("v", "t") { (m) throws(BusError) in try m.readUInt64() }
        }
        try properties.readProperties { (name, message) throws(BusError) in
            switch name {
            case "Name": session.user = try text(message)
            case "User":
                found.uid = try message.readContainer("v", "(uo)") { (m) throws(BusError) in
                    try m.readContainer("r", "uo") { (m) throws(BusError) in
                        let uid = try m.readUInt32()
                        try m.skip("o")
                        return uid
                    }
                }
            case "Leader":
                found.leader = try message.readContainer("v", "u") { (m) throws(BusError) in try m.readUInt32() }
            case "Timestamp": found.since = Timestamp(microseconds: Int64(clamping: try time(message)))
            case "Remote": isRemote = try flag(message)
            case "RemoteHost": host = try text(message)
            case "Class": sessionClass = try text(message)
            case "State": state = try text(message)
            case "IdleHint": session.isIdle = try flag(message)
            case "IdleSinceHintMonotonic": session.idleMark = try time(message)
            default: try message.skip("v")
            }
        }
        // `user`, `user-light`, `user-early`: a person; `greeter`, `background`, `manager`: nobody.
        guard sessionClass.hasBytes(prefix: "user"), state != "closing" else { return nil }
        session.remoteHost = isRemote ? (host.isEmpty ? "another machine" : host.plainOrQuoted) : nil
        found.session = session
        return found
    }
}
