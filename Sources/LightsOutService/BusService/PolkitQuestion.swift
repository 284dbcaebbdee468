import Systemd

/// polkit's answer about one action (CheckAuthorization of org.freedesktop.PolicyKit1.Authority).
nonisolated struct PolkitAnswer: Hashable, Sendable {
    /// It may, without anybody being asked.
    var isPermitted: Bool
    /// It might, if somebody gave a password.
    var isChallenge: Bool
}

/// Who wants to do something, as polkit tells people apart.
nonisolated enum PolkitSubject: Hashable, Sendable {
    /// A unique name on the bus.
    case connection(String)
    /// A process, in its session, and the user for whom it is asked. Its start, in the kernel's ticks since boot, tells it from
    /// a later one with its pid.
    case process(pid: UInt32, start: UInt64, user: UInt32)
}

extension BusMessage {
    fileprivate func append(_ subject: PolkitSubject) throws(BusError) {
        try container("r", "sa{sv}") { (message) throws(BusError) in
            switch subject {
            case .connection(let name):
                try message.append("system-bus-name")
                try message.container("a", "{sv}") { (message) throws(BusError) in
                    try message.detail("name", "s") { (m) throws(BusError) in try m.append(name) }
                }
            case .process(let pid, let start, let user):
                try message.append("unix-process")
                try message.container("a", "{sv}") { (message) throws(BusError) in
                    try message.detail("pid", "u") { (m) throws(BusError) in try m.append(pid) }
                    try message.detail("start-time", "t") { (m) throws(BusError) in try m.append(start) }
                    try message.detail("uid", "i") { (m) throws(BusError) in try m.append(Int32(bitPattern: user)) }
                }
            }
        }
    }

    private func detail(
        _ key: String, _ type: String, _ write: (BusMessage) throws(BusError) -> Void
    ) throws(BusError) {
        try container("e", "sv") { (message) throws(BusError) in
            try message.append(key)
            try message.variant(type) { (message) throws(BusError) in try write(message) }
        }
    }
}

extension Bus {
    /// Asks polkit whether `subject` may do `action`.
    /// - Parameters:
    ///   - interactive: whether a person may be asked for a password; otherwise nobody is.
    ///   - cancellation: what the question can be taken back by (CancelCheckAuthorization); empty for nothing.
    ///   - timeout: microseconds.
    ///   - reply: told the answer, or why there is none. One that cannot be read permits nothing.
    func askPolkit(
        _ action: String, subject: PolkitSubject, interactive: Bool = false, cancellation: String = "", timeout: UInt64,
        reply: @escaping (Result<PolkitAnswer, BusError>) -> Void
    ) throws(BusError) -> BusSlot {
        try callAsync(.polkit, "CheckAuthorization", timeout: timeout) { (message) throws(BusError) in
            try message.append(subject)
            try message.append(action)
            try message.container("a", "{ss}") { _ in }
            try message.append(UInt32(interactive ? 1 : 0))
            try message.append(cancellation)
        } reply: { result in reply(result.map { PolkitAnswer($0) }) }
    }
}

extension PolkitAnswer {
    @MainActor fileprivate init(_ message: BusMessage) {
        let answer = try? message.readContainer("r", "bba{ss}") { (message) throws(BusError) in
            let isPermitted = try message.readBool()
            let isChallenge = try message.readBool()
            try message.skip("a{ss}")
            return PolkitAnswer(isPermitted: isPermitted, isChallenge: isChallenge)
        }
        self = answer ?? PolkitAnswer(isPermitted: false, isChallenge: false)
    }
}
