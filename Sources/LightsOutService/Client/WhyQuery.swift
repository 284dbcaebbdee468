import Glibc
public import LightsOutCore
import Systemd

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
                .init(reason.since, in: zone, now: surroundings.now),
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
        try client.call("Why").readArray("(\(AwakeReason.signature))") { (message) throws(BusError) in
            try AwakeReason(from: message)
        }
    }
}
