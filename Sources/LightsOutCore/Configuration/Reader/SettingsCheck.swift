/// Finds what a backup's keys say that has no effect, or another one than was probably meant.
///
/// Only keys that the backup says itself are questioned: `defaults` may well say what matters to some backups and not to
/// others.
struct SettingsCheck {
    let settings: BackupSettings
    let said: SaidKeys
    /// Nil where nobody asks what becomes of the schedules.
    let calendar: CalendarContext?

    /// Warns of schedules that are over, in `defaults` as well: they are no good to any backup.
    func warnOfLastElapses(_ reading: inout FileReading) {
        guard let calendar, let position = place(of: "schedule") else { return }
        for expression in settings.schedule where calendar.elapses(of: expression, count: 1).isEmpty {
            reading.warning(
                "\(expression.description.quotedForPeople) never elapses again", at: position,
                suggestion: "look at it with: lightsout calendar \(expression.description.quotedForPeople)")
        }
    }

    /// Warns of keys that do not go together.
    /// - Parameter inheritedGap: the longest gap between elapses of the schedule that the backup has from the defaults.
    func warnOfKeys(_ reading: inout FileReading, inheritedGap: (CalendarContext) -> TimeSpan?) {
        if let calendar {
            warnOfStaleness(&reading) {
                hasOwnSchedule ? calendar.longestGap(of: settings.schedule) : inheritedGap(calendar)
            }
        }
        if settings.schedule.isEmpty {
            for key in ["wake", "random_delay", "catch_up"] {
                guard let position = place(of: key), key != "wake" || settings.wake else { continue }
                reading.warning(
                    "\(key.quotedForPeople) does nothing without a schedule", at: position,
                    suggestion: "say when: schedule: Mon..Fri 02:30")
            }
        }
        if settings.after == .return, !settings.wake, let position = place(of: "after") {
            reading.warning(
                "\"after: return\" does nothing where the machine is not woken for the backup", at: position,
                suggestion: "add wake: true, or write after: suspend")
        }
        if !settings.lockOnBattery, settings.battery != .run, let position = place(of: "lock_on_battery") {
            reading.warning(
                "\"lock_on_battery\" does nothing where the backup does not run on battery power", at: position,
                suggestion: "write battery: run, or remove the key")
        }
        if settings.leftovers != .wait, let position = place(of: "leftovers_timeout") {
            reading.warning(
                "\"leftovers_timeout\" does nothing with \"leftovers: \(settings.leftovers.rawValue)\"", at: position,
                suggestion: "write leftovers: wait, or remove the key")
        }
        if settings.timeout < settings.stopTimeout, let position = place(of: "timeout") {
            reading.warning(
                "the script may take \(settings.stopTimeout) to end after a timeout of \(settings.timeout)", at: position,
                suggestion: "give stop_timeout a shorter time")
        }
    }

    private var hasOwnSchedule: Bool { place(of: "schedule") != nil }

    private func warnOfStaleness(_ reading: inout FileReading, longestGap: () -> TimeSpan?) {
        guard let position = place(of: "stale_after") ?? place(of: "schedule") else { return }
        let longestGap = longestGap()
        // A clock change adds an hour to a gap, which is nobody's mistake.
        let hour = TimeSpan.hours(1).microseconds
        if let longestGap, longestGap.microseconds > hour,
            TimeSpan(microseconds: longestGap.microseconds - hour) > settings.staleAfter
        {
            reading.warning(
                "up to \(longestGap) pass between two elapses, longer than the \(settings.staleAfter) of \"stale_after\"",
                at: position, suggestion: "give \"stale_after\" a longer time, or schedule the backup more often")
        }
    }

    private func place(of key: String) -> SourcePosition? { BackupKeys.table.position(of: key, in: said) }
}

/// The time and zone by which schedules are judged.
public struct CalendarContext: Sendable {
    public let now: Timestamp
    public let localZone: ZoneRules

    public init(now: Timestamp, localZone: ZoneRules) {
        self.now = now
        self.localZone = localZone
    }

    /// Enough for what is due a few times a day to show its nights, and what is due on weekdays its weekend.
    private static let elapsesToCompare = 8

    /// The longest time between two of the next elapses of a schedule; nil where there are no two.
    func longestGap(of schedule: [CalendarExpression]) -> TimeSpan? {
        let elapses = schedule.flatMap { self.elapses(of: $0, count: Self.elapsesToCompare) }.sorted()
        return zip(elapses, elapses.dropFirst()).prefix(Self.elapsesToCompare).map { $1.since($0) }.max()
    }

    fileprivate func elapses(of expression: CalendarExpression, count: Int) -> [Timestamp] {
        var elapses: [Timestamp] = []
        while elapses.count < count, let next = expression.next(after: elapses.last ?? now, localZone: localZone) {
            elapses.append(next)
        }
        return elapses
    }
}
