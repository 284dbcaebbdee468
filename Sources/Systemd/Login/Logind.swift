import Glibc

/// logind's side of sleep: inhibitor locks and the sleep that is under way (org.freedesktop.login1(5)).
public struct Logind {
    let bus: Bus

    public init(_ bus: Bus) { self.bus = bus }

    /// A lock as `systemd-inhibit --list` shows it.
    public nonisolated struct Inhibitor: Equatable, Sendable {
        /// What is inhibited, colon-separated: `sleep:handle-lid-switch`.
        public let what: String
        public let who: String
        public let why: String
        /// `block`, `delay`, or a mode of a later systemd.
        public let mode: String
        public let uid: UInt32
        public let pid: UInt32

        public init(what: String, who: String, why: String, mode: String, uid: UInt32, pid: UInt32) {
            self.what = what
            self.who = who
            self.why = why
            self.mode = mode
            self.uid = uid
            self.pid = pid
        }
    }

    /// Takes an inhibitor lock; it is held until the descriptor, and every copy of it, is closed.
    /// - Parameter timeout: microseconds to wait for logind.
    /// - Throws: ``BusError``; ``BusError/operationInProgress`` while the machine goes to sleep or comes back.
    public func inhibit(
        what: String, who: String, why: String, mode: String, timeout: UInt64 = 0
    ) throws(BusError) -> Descriptor {
        let reply = try bus.call(.login1, "Inhibit", timeout: timeout) { (message) throws(BusError) in
            try message.append(what)
            try message.append(who)
            try message.append(why)
            try message.append(mode)
        }
        return try reply.readDescriptor()
    }

    /// Whether there is a logind on the bus; asking does not start one.
    public func isRunning(timeout: UInt64 = 0) throws(BusError) -> Bool {
        let reply = try bus.call(.bus, "NameHasOwner", timeout: timeout) { (message) throws(BusError) in
            try message.append(Bus.Address.login1.destination)
        }
        return try reply.readBool()
    }

    /// Every lock that is held now.
    public func inhibitors(timeout: UInt64 = 0) throws(BusError) -> [Inhibitor] {
        Self.readInhibitors(try bus.call(.login1, "ListInhibitors", timeout: timeout))
    }

    /// The most bytes that are read of a lock's `who`, `what` and `mode`. Any user may take a lock.
    public nonisolated static let longestWord = 256
    /// The most bytes that are read of a lock's `why`.
    public nonisolated static let longestReason = 512

    /// The locks in the answer to ListInhibitors; none where the answer is not of its form.
    public static func readInhibitors(_ reply: BusMessage) -> [Inhibitor] { (try? inhibitors(in: reply)) ?? [] }

    /// The locks in the answer to ListInhibitors.
    public static func inhibitors(in reply: BusMessage) throws(BusError) -> [Inhibitor] {
        try reply.readArray("(ssssuu)") { (message) throws(BusError) in
            try message.readContainer("r", "ssssuu") { (message) throws(BusError) in
                Inhibitor(
                    what: try message.readString(cutTo: Self.longestWord), who: try message.readString(cutTo: Self.longestWord),
                    why: try message.readString(cutTo: Self.longestReason),
                    mode: try message.readString(cutTo: Self.longestWord), uid: try message.readUInt32(), pid: try message.readUInt32())
            }
        }
    }

    /// The rule for the signal that logind sends before a sleep (`true`) and after it (`false`).
    public nonisolated static let prepareForSleepRule = SignalRule(
        .name("org.freedesktop.login1"), path: "/org/freedesktop/login1", interface: "org.freedesktop.login1.Manager",
        member: "PrepareForSleep")

    /// The rule for logind's going and coming back.
    public nonisolated static let ownerChangedRule = SignalRule.ownerChanged(of: "org.freedesktop.login1")
}
