public import LightsOutCore

/// The part of `random_delay` that one backup on one machine always waits.
///
/// The delay keeps a fleet's machines from calling on their server in the same second, and has to be the same every
/// day: a backup that ran 02:41 yesterday and 02:33 today would be "late" or "early" for whoever reads the journal,
/// and a restart of the daemon would draw again and run it twice or never. So nothing is drawn: the delay is
/// SipHash-2-4 of the backup's name under the machine id as the key (what systemd does for `FixedRandomDelay=`),
/// spread evenly from zero to the configured span, both included.
nonisolated public enum RandomDelay {
    /// The delay of `backup` on the machine with the id `machine` (machine-id(5), its first 16 hexadecimal digits
    /// and its last 16), from zero to `span`: in whole seconds where the span has a minute or more, as people read
    /// these times, else in microseconds. Zero for an infinite span, which the configuration refuses.
    public static func delay(
        of backup: BackupName, machine: (high: UInt64, low: UInt64), upTo span: TimeSpan
    ) -> TimeSpan {
        guard !span.isInfinite else { return .zero }
        let unit: UInt64 = span >= .minutes(1) ? 1_000_000 : 1
        let choices = span.microseconds / unit + 1
        let hash = SipHash.hash(backup.text.utf8, key: (machine.high, machine.low))
        return TimeSpan(microseconds: hash.multipliedFullWidth(by: choices).high * unit)
    }
}
