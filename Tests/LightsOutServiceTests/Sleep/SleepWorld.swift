import LightsOutCore
import Testing

@testable import LightsOutService

/// What the sleep policy asked for, and the machine it believes to be on.
struct SleepWorld {
    var policy: SleepPolicy
    var now: Timestamp
    /// CLOCK_BOOTTIME runs with `now`, but is not set with it.
    var boot = TimeSpan.hours(5)

    var alarm: Timestamp?
    var timer: Timestamp?
    var slept: [SleepKind] = []
    var wall: [String] = []
    var journal: [SleepDecision] = []
    var disk: SleepMemory?
    var holdsDelayLock = false
    var locks: [BlockLock] = []
    var sessions: [UserSession] = []
    /// logind can be asked.
    var isConnected = true
    var permission = SleepPolicy.Permission.granted

    /// At midnight, `server` is due 02:30 and wakes the machine.
    init(after: [BackupName: AfterRun] = [server: .return], wake: Bool = true) {
        now = at(0)
        policy = SleepPolicy(settings: Self.settings(after), boot: "boot")
        carryOut(policy.load(running: [], isPreparingForSleep: false, now: now, boot: boot))
        if wake { want(at(2, 30), [server]) }
    }

    static func settings(_ after: [BackupName: AfterRun]) -> SleepPolicy.Settings {
        var settings = SleepPolicy.Settings { time in
            let minutes = (time.microseconds - midnight.microseconds) / 60_000_000
            return "\(minutes / 60):\(minutes % 60)"
        }
        settings.after = after
        return settings
    }

    mutating func carryOut(_ effects: [SleepEffect]) {
        for effect in effects {
            switch effect {
            case .armAlarm(let time): alarm = time
            case .armTimer(let time): timer = time
            case .look: if isConnected { looks() }
            case .announce(let text): wall.append(text)
            case .sleep(let kind): slept.append(kind)
            case .persist(let memory): disk = memory
            case .journal(let decision): journal.append(decision)
            case .releaseDelayLock: holdsDelayLock = false
            case .takeDelayLock: holdsDelayLock = true
            }
        }
    }

    mutating func want(_ due: Timestamp?, _ backups: Set<BackupName>) {
        carryOut(policy.wakeWanted(due: due, backups: backups, now: now))
    }

    mutating func set(_ time: Timestamp) {
        boot = TimeSpan(microseconds: boot.microseconds + time.since(now).microseconds)
        now = time
    }

    /// Lets time pass while awake.
    mutating func pass(to time: Timestamp) {
        while let timer, timer <= time {
            set(max(now, timer))
            carryOut(policy.tick(now: now))
        }
        set(time)
    }

    mutating func fallAsleep(_ kind: SleepKind? = .suspend) {
        carryOut(policy.sleepBegins(kind, now: now, boot: boot, sessions: sessions))
    }

    mutating func wake(at time: Timestamp, _ outcome: SleepPolicy.SleepOutcome = .slept) {
        set(time)
        carryOut(policy.resumed(outcome, now: now, boot: boot))
    }

    /// Asleep until the alarm, then the backup runs for five minutes.
    mutating func sleepUntilBackupEnds(_ kind: SleepKind = .suspend) {
        fallAsleep(kind)
        wake(at: at(2, 29, 2))
        want(at(day: 1, 2, 30), [server])
        set(at(2, 30))
        run(server, until: at(2, 35))
    }

    mutating func run(_ name: BackupName, until end: Timestamp) {
        carryOut(policy.runStarted(name, now: now))
        pass(to: end)
        carryOut(policy.runEnded(name, now: now))
    }

    mutating func looks() {
        carryOut(policy.looked(locks: locks, sessions: sessions, permission: permission, now: now))
    }

    /// The daemon is killed and comes up again.
    mutating func restart(running: Set<BackupName> = [], isPreparingForSleep: Bool = false, boot id: String = "boot") {
        let settings = policy.settings
        let wanted = policy.alarm.wanted
        policy = SleepPolicy(settings: settings, memory: disk, boot: id)
        alarm = nil
        timer = nil
        // In the daemon's order: the configuration and the schedule come first, and then the bus.
        isConnected = false
        carryOut(policy.reload(settings, now: now))
        want(wanted?.due, wanted?.backups ?? [])
        isConnected = true
        carryOut(policy.load(running: running, isPreparingForSleep: isPreparingForSleep, now: now, boot: boot))
        if policy.wish != nil { looks() }
    }

    var actions: [SleepDecision.Action] { journal.map(\.action) }
    func told(_ action: SleepDecision.Action) -> String? { journal.last { $0.action == action }?.message }
}

nonisolated let anna = UserSession(id: "3", user: "anna", isIdle: true, idleMark: 10)
