import LightsOutCore
import Systemd

/// One thing that keeps the machine awake, or last of all what it is to do then: a line of `lightsout why`, and of the
/// method Why on the bus.
struct AwakeReason {
    /// `lock`, `backup`, `report`, `session`, `sleep`.
    var kind: String
    var who: String
    var what = ""
    var why: String
    /// Of a lock: `block`, or another of logind's modes.
    var mode = ""
    var uid: UInt32 = 0
    /// 0 where no process is meant.
    var pid: UInt32 = 0
    var since: Timestamp?

    func json(in zone: ZoneRules) -> [JSONValue.Member] {
        [
            .init("kind", .string(kind)), .init("who", .string(who)), .init("what", .string(what)),
            .init("why", .string(why)), .init("mode", .string(mode)), .init("user", .string(user)),
            .init("pid", pid == 0 ? .null : .integer(Int64(pid))), .init("since", .time(since, in: zone)),
        ]
    }

    /// The account's name, its number where it has none.
    var user: String { (try? User(uid: uid).name) ?? String(uid) }
}

// As it goes over the bus.
extension AwakeReason {
    static let signature = "sssssuut"

    init(from message: BusMessage) throws(BusError) {
        self = try message.readContainer("r", Self.signature) { (message) throws(BusError) in
            let (kind, who, what) = (
                try message.readString(cutTo: Logind.longestWord), try message.readString(cutTo: Logind.longestWord),
                try message.readString(cutTo: Logind.longestWord)
            )
            return AwakeReason(
                kind: kind, who: who, what: what, why: try message.readString(cutTo: BusMessage.longestText),
                mode: try message.readString(cutTo: Logind.longestWord),
                uid: try message.readUInt32(), pid: try message.readUInt32(),
                since: Timestamp(busTime: try message.readUInt64()))
        }
    }

    func append(to message: BusMessage) throws(BusError) {
        try message.container("r", Self.signature) { (message) throws(BusError) in
            for text in [kind, who, what, why, mode] { try message.append(text) }
            try message.append(uid)
            try message.append(pid)
            try message.append(UInt64(clamping: since?.microseconds ?? 0))
        }
    }
}
