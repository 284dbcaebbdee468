public import LightsOutCore
import Systemd

/// `lightsout next`: what runs when. The daemon knows of the next elapse of each backup, with pauses, delays and retries;
/// those after it, and all of them without the daemon, are computed from the configuration.
public struct UpcomingElapses {
    /// One run to come.
    nonisolated struct Elapse: Hashable, Sendable {
        let backup: BackupName
        /// When it starts: with the backup's share of `random_delay`.
        let time: Timestamp
        let wake: Bool

        func json(in zone: ZoneRules) -> [JSONValue.Member] {
            [
                .init("backup", .string(backup.text)), .init("elapse", .time(time, in: zone)), .init("wake", .bool(wake)),
            ]
        }
    }

    private let surroundings: Surroundings

    public init(_ surroundings: Surroundings) { self.surroundings = surroundings }

    /// Writes the next `count` elapses of `name`; of all backups where it is nil.
    public func show(_ name: BackupName?, count: Int, json: Bool) throws(CommandFailure) {
        let elapses = try find(name, count: count)
        let zone = surroundings.zone
        let output = surroundings.output
        if json { return try output.write(JSONValue.document(elapses.map { $0.json(in: zone) })) }
        guard !elapses.isEmpty else { return try output.write("Nothing is scheduled.") }
        try output.write(Self.table(elapses, now: surroundings.now, zone: zone))
    }

    nonisolated static func table(_ elapses: [Elapse], now: Timestamp, zone: ZoneRules) -> Table {
        var table = Table([
            .init("WHEN", importance: 2), .init("IN", importance: 0), .init("BACKUP", minimumWidth: 12, importance: 3),
            .init("WAKES", importance: 1),
        ])
        for elapse in elapses {
            table.add([
                .init(elapse.time.text(in: zone), short: elapse.time.brief(in: zone, now: now)),
                .init(elapse.time.since(now).distanceForPeople), .init(elapse.backup.text, .heading),
                .init(elapse.wake ? "the machine" : "", short: elapse.wake ? "yes" : nil),
            ])
        }
        return table
    }

    private func find(_ name: BackupName?, count: Int) throws(CommandFailure) -> [Elapse] {
        let statuses = daemonStatuses()
        let reading = ConfigurationLoader.load(surroundings.directories)
        guard let configuration = reading.configuration else {
            guard let statuses else {
                throw CommandFailure(
                    message: "the configuration has errors, and lightsoutd does not run with an older one. See: lightsout check",
                    status: ExitStatus.configuration)
            }
            // The daemon goes on with the configuration that it has, of which only the next elapses are known.
            StandardError.say("the configuration has errors; these are the next elapses by the one that lightsoutd still has")
            return Self.merge(statuses.filter { name == nil || $0.name == name }.map { Self.known($0, plan: nil) }, count)
        }
        let planning = Planning(localZone: surroundings.machineZone)
        let catalogue = BackupCatalogue(configuration, directories: surroundings.directories)
        if let name, catalogue.backups[name] == nil {
            throw StatusQuery.unknown(name, catalogue.backups.keys.map(\.text))
        }
        let plans = catalogue.backups.values.filter { name == nil || $0.name == name }.map { planning.plan($0, configuration.global) }
        guard let statuses else {
            return Self.merge(plans.map { Series(plan: $0, first: nil, after: surroundings.now) }, count)
        }
        let byName = Dictionary(statuses.map { ($0.name, $0) }) { $1 }
        // What the daemon has not read yet is no schedule yet.
        return Self.merge(plans.compactMap { plan in byName[plan.name].map { Self.known($0, plan: plan) } }, count)
    }

    private func daemonStatuses() -> [BackupStatus]? {
        do throws(BusError) { return try ServiceClient().statuses() } catch {
            StandardError.say(
                "lightsoutd \(error.meansNoAnswer ? "does not answer" : "is not running"); these are the times by the configuration")
            return nil
        }
    }

    private static func known(_ status: BackupStatus, plan: SchedulePlan?) -> Series {
        Series(name: status.name, wake: status.view.wake, plan: plan, first: status.view.nextElapse)
    }

    /// The elapses of one backup, in order, drawn one by one.
    nonisolated struct Series {
        let name: BackupName
        let wake: Bool
        private let plan: SchedulePlan?
        private(set) var next: Timestamp?

        /// - Parameter first: the next elapse where it is known; without it there is none.
        init(name: BackupName, wake: Bool, plan: SchedulePlan?, first: Timestamp?) {
            self.name = name
            self.wake = wake
            self.plan = plan
            next = first
        }

        init(plan: SchedulePlan, first: Timestamp?, after now: Timestamp) {
            self.init(name: plan.name, wake: plan.wake, plan: plan, first: first ?? Self.elapse(of: plan, after: now))
        }

        mutating func advance() { next = next.flatMap { time in plan.flatMap { Self.elapse(of: $0, after: time) } } }

        private static func elapse(of plan: SchedulePlan, after time: Timestamp) -> Timestamp? {
            plan.nextElapse(time - plan.delay).map { $0 + plan.delay }
        }
    }

    /// The first `count` elapses of all, in order; at one instant by name.
    nonisolated static func merge(_ series: [Series], _ count: Int) -> [Elapse] {
        var series = series.filter { $0.next != nil }.sorted { $0.name < $1.name }
        var elapses: [Elapse] = []
        while elapses.count < count {
            let first = series.indices.min { (series[$0].next ?? .never) < (series[$1].next ?? .never) }
            guard let index = first, let time = series[index].next else { break }
            elapses.append(Elapse(backup: series[index].name, time: time, wake: series[index].wake))
            series[index].advance()
        }
        return elapses
    }
}
