public import LightsOutCore

/// Decides when the machine is woken, and when it goes (back) to sleep: events and "now" in, ``SleepEffect``s out.
///
/// The rules:
///
/// 1. While a backup with `wake` is to come, an alarm is armed for `wake_lead` before it is due.
/// 2. A machine that comes back from sleep when its alarm elapsed was **woken by lightsout**; one that comes back
///    earlier, or long after, was not. The lengths are measured by a clock that nobody sets.
/// 3. `after: return` sleeps again the way the machine slept before, if lightsout woke it for this backup, and once
///    **nothing stands against it**: no run under way; nothing due within `sleep_gap`; no lock of another program;
///    nobody who logged in or became active since. A backup that it was woken for and that does not begin (its disk
///    is missing) is waited for as long as `sleep_gap`.
/// 4. `after: suspend`, `hibernate`, `poweroff` ask for the same but the waking, and are dropped where somebody is at
///    the machine when the backup ends.
/// 5. Before, it is **announced** for `after_delay`; whoever logs in, becomes active or says `lightsout sleep
///    --cancel` cancels it for good; a lock or a run that comes up puts it off until that is over.
/// 6. `sleep --when-done` comes as soon as no backup runs or is about to, without announcement unless somebody else uses the
///    machine; the person who wants it is at it. It waits for the locks of others, and outlives a restart of the daemon. It is
///    dropped if that person may not have it any more when the time has come.
/// 7. A machine that was woken and finds itself **on battery power**, where none of the backups may wake it, goes back to
///    sleep at once, without an announcement: nobody is at a laptop in a bag. ``batterySettling`` gives a dock the time
///    to come back. What was due stays due.
/// 8. A sleep that was **refused** because of lightsout's lock alone is made up for by the rules of `after: return`, unless
///    `after_refused` is `nothing`: a desktop that was refused does not ask again.
/// 9. logind is asked without overriding anybody's lock. What it refuses, or a sleep that fails, is tried again,
///    ``attemptLimit`` times in all; then the machine stays awake and the journal says why.
nonisolated public struct SleepPolicy: Sendable {
    public struct Settings: Sendable {
        public var wakeLead = TimeSpan.minutes(1)
        public var sleepGap = TimeSpan.minutes(10)
        public var afterDelay = TimeSpan.minutes(2)
        public var afterRefused = AfterRefused.sleep
        /// Those of the backups that have their own. Of several backups the longest counts.
        public var sleepGaps: [BackupName: TimeSpan] = [:]
        public var afterDelays: [BackupName: TimeSpan] = [:]
        /// What follows a run of each backup; `nothing` for those not named.
        public var after: [BackupName: AfterRun] = [:]
        /// A point in time, for people: in the machine's zone.
        public var showTime: @Sendable (Timestamp) -> String

        public init(showTime: @escaping @Sendable (Timestamp) -> String) { self.showTime = showTime }

        func sleepGap(for backups: Set<BackupName>) -> TimeSpan {
            backups.map { sleepGaps[$0] ?? sleepGap }.max() ?? sleepGap
        }

        func afterDelay(for backups: Set<BackupName>) -> TimeSpan {
            backups.map { afterDelays[$0] ?? afterDelay }.max() ?? afterDelay
        }
    }

    /// Whether what somebody asked for is still permitted.
    public enum Permission: Hashable, Sendable {
        case granted
        /// It is not: why, for people.
        case denied(String)
        /// It cannot be found out now: why, for people.
        case unknown(String)
    }

    /// How the sleep that was under way came to its end.
    public enum SleepOutcome: Hashable, Sendable {
        case slept
        /// The unit that puts the machine to sleep failed: its reason.
        case failed(String)
    }

    /// How long power may take to come back after a wake-up.
    public static let batterySettling = TimeSpan.seconds(10)
    /// How often one sleep is asked for.
    public static let attemptLimit = 3
    /// While something stands against it, this long to the next look: not everything that goes away says so.
    public static let lookInterval = TimeSpan.minutes(1)

    /// Where a wish to sleep is on its way.
    enum Phase: Hashable, Sendable {
        case none
        /// Until nothing stands against it; `lookAt`: the next look, where nothing else tells when it is over.
        case considering(lookAt: Timestamp)
        /// It failed, and is considered again then.
        case resting(until: Timestamp)
        case announced(until: Timestamp)
        /// The announced time is over; one last look.
        case verifying
        /// logind has been asked.
        case asking
    }

    /// What is wanted, and for whom.
    struct Wish: Hashable, Sendable {
        enum Source: Hashable, Sendable {
            case `return`(Set<BackupName>)
            case after(BackupName)
            case request(by: String)
            /// Woken for these, and on battery power, where they do not want to wake it.
            case battery(Set<BackupName>)
            /// Somebody wanted it then, and a lock of lightsout stood against it.
            case refused(at: Timestamp)
        }

        var kind: SleepKind
        var source: Source

        /// The backups that it comes from.
        var backups: Set<BackupName> {
            switch source {
            case .return(let backups), .battery(let backups): backups
            case .after(let backup): [backup]
            case .request, .refused: []
            }
        }

        var isRequest: Bool { if case .request = source { true } else { false } }
        var isForBattery: Bool { if case .battery = source { true } else { false } }
    }

    var settings: Settings
    var memory: SleepMemory
    var alarm: WakeAlarm
    var running: Set<BackupName> = []
    /// Reported by the scheduler: whether starts are about to come, and when the next one is.
    var hasWork = false
    var nextStart: Timestamp?
    var locks: [BlockLock] = []
    var sessions: [UserSession] = []
    /// Whether the one who made the request may have it now.
    var permission = Permission.granted
    /// The wish that came from the end of a backup; a request stands before it.
    var afterWish: Wish?
    /// The sessions when the wish came up: whoever comes after that cancels it.
    var sessionsAtWish: [UserSession] = []
    var phase = Phase.none
    /// What logind was asked for, and who made the request.
    var asked: Wish?
    var asker: SleepMemory.Asker?
    var attempts = 0
    /// Whether locks and sessions are as of this event.
    var isFresh = false
    var isLooking = false
    var asksToLook = false
    /// What stands against it, as the journal was last told.
    var lastDelay: String?
    var armedAlarm: Timestamp??
    var armedTimer: Timestamp??
    var effects: [SleepEffect] = []
    /// Whether what was wanted before is taken up: until then the memory is as it was read.
    var isLoaded = false
    /// A request of an earlier boot, to be told of once.
    var forgottenRequest: SleepMemory.Request?

    /// - Parameters:
    ///   - memory: as `persist` last wrote it.
    ///   - boot: the id of this boot.
    public init(settings: Settings, memory: SleepMemory? = nil, boot: String) {
        self.settings = settings
        forgottenRequest = memory.flatMap { $0.boot == boot ? nil : $0.request }
        self.memory = memory.flatMap { $0.boot == boot ? $0 : nil } ?? SleepMemory(boot: boot)
        alarm = WakeAlarm(lead: settings.wakeLead)
    }

    /// What is to happen, for `lightsout why`: "the machine suspends when client has ended". nil for nothing.
    public var outlook: String? {
        guard let wish else { return nil }
        switch phase {
        case .announced(let until):
            return "the machine \(wish.kind.verb) at \(settings.showTime(until)), \(reason(of: wish))"
        case .verifying, .asking: return "the machine \(wish.kind.verb) now, \(reason(of: wish))"
        case .none, .considering, .resting:
            let delay = lastDelay ?? (running.isEmpty ? nil : "\(running.listed) \(running.count == 1 ? "runs" : "run")")
            return "the machine \(wish.kind.verb), \(reason(of: wish))\(delay.map { "; not yet: \($0)" } ?? "")"
        }
    }

    /// What is wanted now.
    var wish: Wish? {
        memory.request.map { Wish(kind: $0.kind, source: .request(by: $0.by)) } ?? afterWish
    }

    func reason(of wish: Wish) -> String {
        switch wish.source {
        case .return(let backups): "back to how lightsout found it before it was woken for \(backups.listed)"
        case .after(let backup): "as \(backup) has \"after: \(wish.kind.rawValue)\""
        case .battery(let backups): "because it was woken for \(backups.listed) and runs on battery power"
        case .refused(let time): "as was wanted at \(settings.showTime(time)), when lightsout's lock stood against it"
        case .request(let by): "as \(by) asked for when the backups are done"
        }
    }
}

/// What the ``SleepPolicy`` wants done, in this order.
nonisolated public enum SleepEffect: Hashable, Sendable {
    /// Arm the alarm that wakes the machine; nil: none. Said only when it changes.
    case armAlarm(Timestamp?)
    /// Call `tick` at that time; nil: nothing to wait for. Said only when it changes.
    case armTimer(Timestamp?)
    /// Read logind's locks and sessions, and say `looked`; also without being asked, whenever they change.
    case look
    /// Tell everybody (wall(1)).
    case announce(String)
    /// Ask logind for it. Say `sleepRefused` where it declines; otherwise `sleepBegins` follows.
    case sleep(SleepKind)
    /// Write it to disk, durably, before what follows.
    case persist(SleepMemory)
    case journal(SleepDecision)
    /// Let go of our delay lock on `sleep`: all is ready.
    case releaseDelayLock
    /// Take it anew.
    case takeDelayLock
}
