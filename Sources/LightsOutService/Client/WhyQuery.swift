import Glibc
public import LightsOutCore
import Systemd

/// One thing that keeps the machine awake: a line of `lightsout why`.
struct AwakeReason {
    /// `lock`, `backup`, `report`, `session`.
    let kind: String
    let who: String
    let what: String
    let why: String
    let mode: String
    let uid: UInt32
    /// 0 where no process is meant.
    let pid: UInt32
    let since: Timestamp?

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

/// `lightsout why`: what keeps the machine awake.
public struct WhyQuery {
    private let surroundings: Surroundings

    public init(_ surroundings: Surroundings) { self.surroundings = surroundings }

    public func show(json: Bool) throws(CommandFailure) {
        let reasons = try find()
        let zone = surroundings.zone
        let output = surroundings.output
        if json { return try output.write(JSONValue.document(reasons.map { $0.json(in: zone) })) }
        guard !reasons.isEmpty else { return try output.write("Nothing keeps the machine awake.") }
        var table = Table([
            .init("KIND"), .init("WHO", minimumWidth: 10), .init("WHY", minimumWidth: 16), .init("WHAT", minimumWidth: 8),
            .init("MODE"), .init("USER", minimumWidth: 6), .init("PID", isRightAligned: true), .init("SINCE"),
        ])
        for reason in reasons {
            table.add([
                .init(reason.kind), .init(reason.who, .heading), .init(reason.why), .init(reason.what, .faint),
                .init(reason.mode, .faint), .init(reason.user), .init(reason.pid == 0 ? "" : String(reason.pid)),
                .init(reason.since?.briefAndRelative(in: zone, now: surroundings.now) ?? ""),
            ])
        }
        try output.write(table)
    }

    private func find() throws(CommandFailure) -> [AwakeReason] {
        let client = try ServiceClient.connect()
        do throws(BusError) { return try askDaemon(client) } catch {
            guard error.meansNoDaemon else { throw error.commandFailure }
            StandardError.say("lightsoutd is not running; these are logind's locks alone")
        }
        do throws(BusError) {
            return try Logind(client.bus).inhibitors(timeout: 10_000_000).filter { $0.mode != "delay" }.map { lock in
                AwakeReason(
                    kind: "lock", who: lock.who, what: lock.what, why: lock.why, mode: lock.mode, uid: lock.uid,
                    pid: lock.pid, since: nil)
            }
        } catch {
            throw CommandFailure(
                message: "logind cannot be asked: \(error)", status: ExitStatus.unavailable)
        }
    }

    private func askDaemon(_ client: ServiceClient) throws(BusError) -> [AwakeReason] {
        try client.call("Why").readArray("(sssssuut)") { (message) throws(BusError) in
            try message.readContainer("r", "sssssuut") { (message) throws(BusError) in
                AwakeReason(
                    kind: try message.readString(), who: try message.readString(), what: try message.readString(),
                    why: try message.readString(), mode: try message.readString(), uid: try message.readUInt32(),
                    pid: try message.readUInt32(), since: Timestamp(busTime: try message.readUInt64()))
            }
        }
    }
}
