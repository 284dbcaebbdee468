import LightsOutCore

// What the machine is to be woken for next, by the schedule and by the power that it has.

extension Daemon {
    struct WakeOutlook: Equatable {
        /// The wake-up that comes first; nil for none.
        var wanted: WakeAlarm.Wanted?
        /// How long before.
        var lead: TimeSpan?
        /// The first backup that would wake the machine on AC power only, where it runs on battery power.
        var heldBack: BackupName?
        /// What is due already and has not begun.
        var overdue: WakeAlarm.Wanted?
    }

    /// - Parameter longestLead: the longest `wake_lead` of any backup.
    func wakeOutlook(longestLead: TimeSpan) -> WakeOutlook {
        let (due, heldBack) = firstWake()
        let (wanted, lead) = wakeWanted(due, longestLead: longestLead)
        return WakeOutlook(wanted: wanted, lead: lead, heldBack: heldBack, overdue: dueLocks.overdue)
    }

    /// The first start that the machine is to be woken for, by the power that it has, and the first that it would be
    /// woken for on AC power.
    private func firstWake() -> (due: Timestamp?, heldBack: BackupName?) {
        guard power.seesBattery, wakeTime != nil else { return (wakeTime, nil) }
        let starts = scheduler.wakeStarts(by: .never)
        let heldBack = starts.filter { !power.mayWake($0.key) }
        guard let first = heldBack.min(by: { ($0.value, $0.key) < ($1.value, $1.key) }) else { return (wakeTime, nil) }
        return (starts.filter { heldBack[$0.key] == nil }.values.min(), first.key)
    }

    /// The wake-up that comes first, each backup's own lead subtracted, and what else is due so soon after it that the
    /// machine stays awake for it.
    private func wakeWanted(_ due: Timestamp?, longestLead: TimeSpan) -> (WakeAlarm.Wanted?, TimeSpan?) {
        guard let due else { return (nil, nil) }
        var first: (name: BackupName, alarm: Timestamp, due: Timestamp, lead: TimeSpan)?
        for (name, start) in scheduler.wakeStarts(by: due + longestLead).sorted(by: { $0.key < $1.key })
        where power.mayWake(name) {
            let lead = backups[name]?.settings.wakeLead ?? settings.wakeLead
            if first.map({ start - lead < $0.alarm }) ?? true { first = (name, start - lead, start, lead) }
        }
        guard let first else { return (nil, nil) }
        let gap = backups[first.name]?.settings.sleepGap ?? settings.sleepGap
        let together = Set(scheduler.wakeStarts(by: first.due + gap).keys.filter { power.mayWake($0) })
        return (WakeAlarm.Wanted(due: first.due, backups: together), first.lead)
    }
}
