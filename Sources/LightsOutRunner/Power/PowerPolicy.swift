public import LightsOutCore

/// Decides what loss and return of AC power mean for backups (`battery`, `lock_on_battery`): events in,
/// ``PowerEffect``s out.
///
/// | `battery` | due without AC power | AC power goes away during the run |
/// | --- | --- | --- |
/// | `run` | starts | goes on; with `lock_on_battery: false` without its lock, until power is back |
/// | `wait` | starts when power is back | continues: a partial backup is useless |
/// | `abort` | is missed, with the reason | is stopped, result aborted |
///
/// Power that is gone counts as gone for a run after ``settling``: a laptop that is put into its dock loses it for a moment,
/// and must not lose hours of a backup with it. Power that is back counts at once. A machine without a battery is on
/// AC power.
nonisolated public struct PowerPolicy: Sendable {
    public struct Rule: Hashable, Sendable {
        public var battery: BatteryPolicy
        public var lockOnBattery: Bool
        /// Whether `wake: ac` forbids a wake-up on battery power although the backup would run.
        public var wakesOnACOnly: Bool

        public init(battery: BatteryPolicy = .run, lockOnBattery: Bool = true, wakesOnACOnly: Bool = false) {
            self.battery = battery
            self.lockOnBattery = lockOnBattery
            self.wakesOnACOnly = wakesOnACOnly
        }

        /// Whether the machine may be woken for the backup on battery power: a backup that would only wait there is no
        /// reason to wake a laptop in its bag.
        public var wakesOnBattery: Bool { battery == .run && !wakesOnACOnly }
    }

    /// What a backup that is due is to do.
    public enum Verdict: Hashable, Sendable {
        case start
        /// Completes "waiting: …".
        case wait(String)
        /// Completes "missed: …".
        case refuse(String)
    }

    public static let settling = TimeSpan.seconds(10)

    private var rules: [BackupName: Rule]
    private var running: Set<BackupName> = []
    private var unlocked: Set<BackupName> = []
    private var stopped: Set<BackupName> = []
    /// Told to wait, and not since told that power is back.
    private var waiting: Set<BackupName> = []
    private var isOnAC: Bool
    /// When a loss of power that has just been seen will count.
    private var losesAt: Timestamp?
    private var armed: Timestamp?
    private var effects: [PowerEffect] = []

    public init(rules: [BackupName: Rule], isOnAC: Bool) {
        self.rules = rules
        self.isOnAC = isOnAC
    }

    /// Another configuration: what runs, runs on by the new rules.
    public mutating func reload(_ rules: [BackupName: Rule], now: Timestamp) -> [PowerEffect] {
        self.rules = rules
        waiting.formIntersection(rules.keys)
        applyToRuns()
        return finish()
    }

    /// Why a backup that is due waits for power, to complete "waiting: …"; nil if it need not.
    ///
    /// A loss that has not settled counts here: the runner looks at the power itself, and would not run the backup. One
    /// with `battery: abort` waits only until the loss has settled.
    public func obstacle(to battery: BatteryPolicy) -> String? {
        switch battery {
        case .run: nil
        case .wait: seesBattery ? Self.onBattery : nil
        case .abort: seesBattery && isOnAC ? Self.onBattery : nil
        }
    }

    /// Whether AC power is gone, or seems to be. A wake-up that is to be armed goes by this: the machine may sleep before
    /// the loss has settled.
    public var seesBattery: Bool { !isOnAC || losesAt != nil }

    private static let onBattery = "the machine runs on battery power"

    /// Whether `name` may start now. One that is told to wait is named by `requirementsMet` when power is back.
    public mutating func verdict(for name: BackupName) -> Verdict {
        let battery = rule(of: name).battery
        if let why = obstacle(to: battery) {
            waiting.insert(name)
            return .wait(why)
        }
        guard !isOnAC, battery == .abort else { return .start }
        return .refuse("\(Self.onBattery), and \"battery\" is \"abort\"")
    }

    /// The power supply changed, or was read anew.
    public mutating func powerChanged(isOnAC now: Bool, now time: Timestamp) -> [PowerEffect] {
        if now {
            losesAt = nil
            if isOnAC { startWaiting() } else { powerIsBack() }
        } else if isOnAC {
            losesAt = losesAt ?? time + Self.settling
        }
        return finish()
    }

    /// The armed time has come.
    public mutating func tick(now: Timestamp) -> [PowerEffect] {
        if let time = losesAt, time <= now {
            losesAt = nil
            isOnAC = false
            tell(.powerLost, Self.onBattery)
            applyToRuns()
        }
        return finish()
    }

    /// The clock was set: a loss that settles, settles by the new time.
    public mutating func clockChanged(now: Timestamp) -> [PowerEffect] {
        if losesAt != nil { losesAt = now + Self.settling }
        return finish()
    }

    /// A run began, or was found under way.
    public mutating func runStarted(_ name: BackupName) -> [PowerEffect] {
        running.insert(name)
        waiting.remove(name)
        applyToRuns()
        return finish()
    }

    public mutating func runEnded(_ name: BackupName) -> [PowerEffect] {
        running.remove(name)
        unlocked.remove(name)
        stopped.remove(name)
        return finish()
    }

    private func rule(of name: BackupName) -> Rule { rules[name] ?? Rule() }

    private mutating func applyToRuns() {
        for name in running.sorted() {
            let rule = rule(of: name)
            if !isOnAC, rule.battery == .abort, stopped.insert(name).inserted {
                tell(.powerAbort, "the run is stopped: the machine runs on battery power, and \"battery\" is \"abort\"", name)
                effects.append(.stop(name, why: "the machine lost AC power, and \"battery\" is \"abort\""))
            }
            let isUnlocked = !isOnAC && rule.battery == .run && !rule.lockOnBattery
            if isUnlocked, unlocked.insert(name).inserted {
                tell(.powerLock, "the run goes on without its lock while the machine runs on battery power: it may fall asleep", name)
                effects.append(.releaseLock(name))
            } else if !isUnlocked, unlocked.remove(name) != nil {
                effects.append(.takeLock(name))
            }
        }
    }

    private mutating func powerIsBack() {
        isOnAC = true
        tell(.powerBack, "the machine is back on AC power")
        applyToRuns()
        startWaiting()
    }

    private mutating func startWaiting() {
        for name in waiting.sorted() { effects.append(.requirementsMet(name)) }
        waiting = []
    }

    private mutating func tell(_ action: SleepDecision.Action, _ message: String, _ backup: BackupName? = nil) {
        effects.append(.journal(SleepDecision(action, message, backup: backup, isWarning: action == .powerAbort)))
    }

    private mutating func finish() -> [PowerEffect] {
        if armed != losesAt {
            armed = losesAt
            effects.append(.armTimer(losesAt))
        }
        defer { effects = [] }
        return effects
    }
}

/// What the ``PowerPolicy`` wants done.
nonisolated public enum PowerEffect: Hashable, Sendable {
    /// Call `tick` at that time; nil: nothing to wait for. Said only when it changes.
    case armTimer(Timestamp?)
    /// Stop the run; `why` is its reason in the journal.
    case stop(BackupName, why: String)
    /// Have the runner let go of the run's lock.
    case releaseLock(BackupName)
    /// Have the runner take it again.
    case takeLock(BackupName)
    /// Tell the scheduler that power is back for it.
    case requirementsMet(BackupName)
    case journal(SleepDecision)
}
