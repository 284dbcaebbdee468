import Glibc

/// Times of day as the machine's zone has them (localtime(3)), for status lines.
public nonisolated enum LocalTime {
    /// `02:30` for a wall-clock time in microseconds; with its date where it is not of today's: `2026-11-24 02:30`.
    public static func short(_ microseconds: Int64, now: Int64 = Clock.realtime) -> String {
        let time = parts(microseconds)
        let today = parts(now)
        let clock = "\(two(time.tm_hour)):\(two(time.tm_min))"
        if time.tm_year == today.tm_year && time.tm_yday == today.tm_yday { return clock }
        return "\(time.tm_year + 1900)-\(two(time.tm_mon + 1))-\(two(time.tm_mday)) \(clock)"
    }

    private static func parts(_ microseconds: Int64) -> tm {
        var seconds = time_t(microseconds / 1_000_000)
        var parts = tm()
        localtime_r(&seconds, &parts)
        return parts
    }

    private static func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
