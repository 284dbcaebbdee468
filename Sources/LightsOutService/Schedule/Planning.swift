import LightsOutCore
import Systemd

/// Makes the scheduler's plan of what the configuration says of a backup.
struct Planning {
    /// The zone that expressions without one of their own go by.
    let localZone: ZoneRules
    /// This machine's id for lightsout, in two halves: what `random_delay` is drawn from.
    let machine: (high: UInt64, low: UInt64)

    /// What lightsout's own machine id is made for (sd_id128_get_machine_app_specific(3)).
    private static let application: (high: UInt64, low: UInt64) = (0x6f1b_0d3c_51c4_4f0e, 0x9d5a_2f6e_84c1_7ab3)

    init(localZone: ZoneRules) {
        self.localZone = localZone
        let text = try? Identity.machine(application: Self.application)
        let id = text.flatMap { RunIdentifier($0) }
        machine = (id?.high ?? 0, id?.low ?? 0)
    }

    /// - Parameter global: what holds for backups that do not say otherwise.
    func plan(_ backup: BackupConfiguration, _ global: GlobalSettings) -> SchedulePlan {
        let expressions = backup.settings.schedule
        let zone = localZone
        return SchedulePlan(
            name: backup.name, scheduleTexts: expressions.map(\.description),
            delay: RandomDelay.delay(of: backup.name, machine: machine, upTo: backup.settings.randomDelay),
            catchUp: backup.settings.catchUp, wake: backup.settings.wake,
            wakeLead: backup.settings.wakeLead ?? global.wakeLead,
            wakeWait: backup.settings.wakeWait ?? global.wakeWait, retryAttempts: backup.settings.retry.attempts,
            retryDelay: backup.settings.retry.delay,
            staleAfter: backup.settings.staleAfter.isInfinite ? nil : backup.settings.staleAfter,
            hasRequirements: !backup.settings.requiresMounts.isEmpty || backup.settings.requiresNetwork
                || backup.settings.battery != .run
        ) { time in
            expressions.compactMap { $0.next(after: time, localZone: zone) }.min()
        }
    }
}
