import Systemd

/// How often each user may do what leaves records in the journal: so often at once, and so often in the long run. Root is not
/// limited.
///
/// The records of the daemon are trusted and kept, so nobody may fill the journal with them.
nonisolated struct UserRate {
    /// So many at once.
    let burst: UInt64
    /// So long to the next one, microseconds, when the burst is used up.
    let interval: UInt64

    /// Until when each user has used what there is: the time at which the whole burst is there again, microseconds.
    private var used: [UInt32: UInt64] = [:]

    /// Users that are remembered; one who has the whole burst again is forgotten.
    private static let userLimit = 1024

    init(burst: UInt64, interval: UInt64) {
        self.burst = burst
        self.interval = interval
    }

    /// Takes one, now or in advance.
    /// - Parameter now: a time that nobody sets, microseconds.
    /// - Returns: how long to wait for it, microseconds; 0 for not at all.
    mutating func reserve(_ uid: UInt32, now: UInt64) -> UInt64 {
        guard uid != 0 else { return 0 }
        let wait = wait(uid, now: now)
        used[uid] = max(used[uid] ?? 0, now) + interval
        if used.count > Self.userLimit { used = used.filter { $0.value > now } }
        return wait
    }

    /// Takes one if it is there now.
    mutating func take(_ uid: UInt32, now: UInt64) -> Bool {
        guard wait(uid, now: now) == 0 else { return false }
        return reserve(uid, now: now) == 0
    }

    /// Whether the user has the whole burst.
    func isWhole(_ uid: UInt32, now: UInt64) -> Bool { used[uid].map { $0 <= now } ?? true }

    private func wait(_ uid: UInt32, now: UInt64) -> UInt64 {
        guard uid != 0, let used = used[uid], used > now else { return 0 }
        let most = (burst - 1) * interval
        return used - now > most ? used - now - most : 0
    }
}
