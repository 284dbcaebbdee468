/// Finds what a backup's keys say that has no effect, or another one than was probably meant.
///
/// Only keys that the backup says itself are questioned: `defaults` may well say what matters to some backups and not to
/// others.
struct SettingsCheck {
    let settings: BackupSettings
    let said: SaidKeys

    func warn(_ reading: inout FileReading) {
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
        if settings.timeout < settings.stopTimeout, let position = place(of: "timeout") {
            reading.warning(
                "the script may take \(settings.stopTimeout) to end after a timeout of \(settings.timeout)", at: position,
                suggestion: "give stop_timeout a shorter time")
        }
    }

    private func place(of key: String) -> SourcePosition? { BackupKeys.table.position(of: key, in: said) }
}
