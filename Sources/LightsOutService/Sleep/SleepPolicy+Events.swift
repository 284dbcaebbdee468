public import LightsOutCore

// The events of the sleep policy. Each returns what is to be done about it.

// MARK: - What is to come

nonisolated extension SleepPolicy {
    /// The daemon comes up: what was wanted before goes on. Tell `scheduleChanged` and `wakeWanted` first. A wish by
    /// `after: suspend` and the like that had not come about is forgotten: the machine stays awake, which harms nobody. One
    /// that a lock of lightsout refused goes on: nobody asks for it again.
    /// - Parameters:
    ///   - running: the backups that run, reported ones included.
    ///   - isPreparingForSleep: logind's property: the machine is falling asleep, or not yet back.
    ///   - boot: CLOCK_BOOTTIME.
    public mutating func load(
        running: Set<BackupName>, isPreparingForSleep: Bool, now: Timestamp, boot: TimeSpan
    ) -> [SleepEffect] {
        self.running = running
        isLoaded = true
        if let request = forgottenRequest {
            forgottenRequest = nil
            effects.append(.persist(memory))
            decide(
                .cancelled,
                "\(request.by) wanted the machine to \(request.kind.infinitive) when the backups are done; it was rebooted meanwhile, and stays awake")
        }
        if memory.asleep != nil, !isPreparingForSleep {
            // The daemon was not there when the machine came back.
            return resumed(.slept, now: now, boot: boot)
        }
        effects.append(.takeDelayLock)
        if let woken = memory.woken, woken.pending.isEmpty {
            want(Wish(kind: woken.kind, source: .return(woken.ended)), comparedWith: woken.sessions)
        }
        // A machine that falls asleep now has had it.
        if let refused = memory.refused, settings.afterRefused == .sleep, !isPreparingForSleep {
            want(Wish(kind: refused.kind, source: .refused(at: refused.at)), comparedWith: refused.sessions)
        }
        return finish(now)
    }

    /// Another configuration.
    public mutating func reload(_ settings: Settings, now: Timestamp) -> [SleepEffect] {
        self.settings = settings
        return finish(now)
    }

    /// The scheduler's next elapse that the machine is to be woken for, and all backups to be woken for with it.
    /// - Parameters:
    ///   - lead: how long before; nil: what holds for the machine.
    ///   - heldBack: a backup that only AC power lets wake the machine, where there is none.
    ///   - overdue: what is due already, has not begun, and is still to be woken for.
    public mutating func wakeWanted(
        due: Timestamp?, backups: Set<BackupName>, lead: TimeSpan? = nil, heldBack: BackupName? = nil,
        overdue: (due: Timestamp, backups: Set<BackupName>)? = nil, now: Timestamp
    ) -> [SleepEffect] {
        alarm.heldBack = heldBack
        alarm.lead = lead ?? settings.wakeLead
        alarm.wanted = due.map { WakeAlarm.Wanted(due: $0, backups: backups) }
        alarm.overdue = overdue.map { WakeAlarm.Wanted(due: $0.due, backups: $0.backups) }
        if memory.asleep != nil { arm(alarm.forSleep(now: now)?.time) }
        return finish(now)
    }

    /// No alarm can be armed on this machine: there is no hardware clock that could, or the right is missing. Said in
    /// the journal once.
    public mutating func alarmImpossible(_ why: String, now: Timestamp) -> [SleepEffect] {
        if alarm.impossible == nil {
            decide(
                .cannotWake,
                "lightsout cannot wake this machine: \(why); backups with \"wake\" run when it is awake", isWarning: true)
        }
        alarm.impossible = why
        return finish(now)
    }

    /// The alarm elapsed, or the armed time has come.
    public mutating func tick(now: Timestamp) -> [SleepEffect] {
        if let woken = memory.woken, !woken.pending.isEmpty, woken.patience <= now, running.isEmpty, !hasWork {
            giveUpWaiting(woken, now: now)
        }
        switch phase {
        case .considering(let lookAt) where lookAt <= now: phase = .considering(lookAt: .never)
        case .resting(let until) where until <= now: consider()
        case .announced(let until) where until <= now:
            phase = .verifying
            isLooking = false
        case .none, .considering, .resting, .announced, .verifying, .asking: break
        }
        return finish(now)
    }

    /// The clock was set: what was announced is announced time again, not cut short and not put off by months.
    public mutating func clockChanged(now: Timestamp) -> [SleepEffect] {
        switch phase {
        case .announced: phase = .announced(until: now + settings.afterDelay(for: wish?.backups ?? []))
        case .considering: phase = .considering(lookAt: .never)
        case .resting: phase = .resting(until: now + Self.lookInterval)
        case .none, .verifying, .asking: break
        }
        if let woken = memory.woken { memory.woken?.patience = min(woken.patience, now + settings.sleepGap(for: woken.pending)) }
        return finish(now)
    }
}

// MARK: - Sleep and resume

nonisolated extension SleepPolicy {
    /// `PrepareForSleep(true)`: whoever wanted it, the machine goes to sleep, and waits for our delay lock.
    /// - Parameters:
    ///   - kind: how; nil where that is not known yet: `sleepKindKnown` may follow.
    ///   - boot: CLOCK_BOOTTIME.
    ///   - sessions: as they are now.
    ///   - offObstacle: why the machine cannot be woken from hibernation; nil where it can.
    public mutating func sleepBegins(
        _ kind: SleepKind?, now: Timestamp, boot: TimeSpan, sessions: [UserSession], offObstacle: String? = nil
    ) -> [SleepEffect] {
        let isOurs = phase == .asking
        let told = kind ?? (isOurs ? asked?.kind : nil)
        let kind = told ?? .suspend
        self.sessions = sessions
        if !isOurs {
            // Somebody was faster: what was to come after a backup has come.
            afterWish = nil
            phase = .none
            if running.isEmpty { memory.request = nil }
        }
        let wakeUp = alarm.forSleep(now: now)
        let time = wakeUp?.time
        memory.woken = nil
        memory.refused = nil
        memory.asleep = SleepMemory.Asleep(
            kind: kind, began: boot, alarm: time.map { $0.since(now) },
            backups: wakeUp?.wanted.backups ?? [], due: wakeUp?.wanted.due,
            isOurs: isOurs, sessions: sessions)
        arm(time)
        effects.append(.persist(memory))
        if let (time, wanted) = wakeUp {
            let promise = promise(of: time, for: wanted, told, offObstacle)
            decide(.sleeping, "the machine \(told?.verb ?? "goes to sleep"); \(promise)")
        } else {
            let why =
                if alarm.impossible != nil && alarm.wanted != nil {
                    "lightsout cannot wake it"
                } else if let name = alarm.heldBack {
                    "it runs on battery power, so \(name) does not wake it"
                } else {
                    "no backup is to wake it"
                }
            decide(.sleeping, "the machine \(told?.verb ?? "goes to sleep"); \(why)")
        }
        effects.append(.releaseDelayLock)
        return finish(now)
    }

    /// What is said of the alarm that is set: no more than it can do. The kernel sets the hardware clock for suspend; for
    /// hibernation another unit does, if it can.
    private func promise(
        of time: Timestamp, for wanted: WakeAlarm.Wanted, _ kind: SleepKind?, _ offObstacle: String?
    ) -> String {
        let wakes = "lightsout wakes it at \(settings.showTime(time)) for \(wanted.backups.listed), due \(settings.showTime(wanted.due))"
        guard let offObstacle else { return wakes }
        return switch kind {
        case .suspend: wakes
        case .hibernate, .poweroff: "lightsout cannot wake it from that for \(wanted.backups.listed): \(offObstacle)"
        case .hybridSleep, .suspendThenHibernate, nil: "\(wakes), if it is suspended then; it cannot wake it from hibernation: \(offObstacle)"
        }
    }

    /// How the machine that is falling asleep does so: seen when systemd begins it.
    public mutating func sleepKindKnown(_ kind: SleepKind, now: Timestamp) -> [SleepEffect] {
        guard let asleep = memory.asleep, asleep.kind != kind else { return finish(now) }
        memory.asleep?.kind = kind
        effects.append(.persist(memory))
        return finish(now)
    }

    /// `PrepareForSleep(false)`: the machine is back, or did not sleep after all.
    /// - Parameter unpowered: those of the backups that it may have been woken for that may not wake it now, on battery.
    public mutating func resumed(
        _ outcome: SleepOutcome, unpowered: Set<BackupName> = [], now: Timestamp, boot: TimeSpan
    ) -> [SleepEffect] {
        effects.append(.takeDelayLock)
        let asleep = memory.asleep
        memory.asleep = nil
        switch (asleep, outcome) {
        case (nil, _):
            decide(.resumed, "the machine is back from a sleep that nobody announced; it stays awake")
        case (let asleep?, .failed(let why)):
            failed(asleep, why: why, now: now)
        case (let asleep?, .slept):
            phase = .none
            afterWish = nil
            asked = nil
            attempts = 0
            tellWhoWoke(asleep, unpowered: unpowered, now: now, boot: boot)
        }
        effects.append(.persist(memory))
        return finish(now)
    }

    private mutating func tellWhoWoke(
        _ asleep: SleepMemory.Asleep, unpowered: Set<BackupName>, now: Timestamp, boot: TimeSpan
    ) {
        let slept = TimeSpan(microseconds: boot.microseconds - min(boot.microseconds, asleep.began.microseconds))
        guard let ahead = asleep.alarm else {
            return decide(.resumed, "the machine is back after \(slept.forPeople); no alarm of lightsout was set")
        }
        guard WakeAlarm.woke(ahead: ahead, slept: slept, kind: asleep.kind) else {
            let when =
                slept < ahead
                ? "before lightsout's alarm"
                : "\(TimeSpan(microseconds: slept.microseconds - ahead.microseconds).forPeople) after lightsout's alarm, which did not wake it"
            return decide(
                .resumed, "the machine is back after \(slept.forPeople), \(when); it stays awake",
                isWarning: slept > ahead)
        }
        let due = asleep.due ?? now
        decide(.woken, "lightsout woke the machine for \(asleep.backups.listed), due \(settings.showTime(due))")
        let pending = asleep.backups.filter { settings.after[$0] == .return }
        if !pending.isEmpty {
            memory.woken = SleepMemory.Woken(
                kind: asleep.kind, pending: pending, patience: max(due, now) + settings.sleepGap(for: pending),
                sessions: asleep.sessions)
        }
        if asleep.backups.isSubset(of: unpowered) { goBackOnBattery(asleep, now: now) }
    }

    /// The machine was woken for backups that do not want that on battery power.
    private mutating func goBackOnBattery(_ asleep: SleepMemory.Asleep, now: Timestamp) {
        let wish = Wish(kind: asleep.kind, source: .battery(asleep.backups))
        decide(
            .announced,
            "the machine \(wish.kind.verb) again unless AC power is back within \(Self.batterySettling.forPeople), \(reason(of: wish)); what is due stays due")
        want(wish, comparedWith: asleep.sessions)
        phase = .resting(until: now + Self.batterySettling)
    }

    /// AC power is back: a machine that was to go back to sleep for want of it stays awake for what is due.
    public mutating func powerIsBack(now: Timestamp) -> [SleepEffect] {
        guard let wish = afterWish, wish.isForBattery, phase != .asking else { return finish(now) }
        decide(.cancelled, "the machine stays awake: AC power is back (it was to \(wish.kind.infinitive), \(reason(of: wish)))")
        afterWish = nil
        asked = nil
        attempts = 0
        lastDelay = nil
        phase = .none
        return finish(now)
    }

    /// logind declined what it was asked for.
    public mutating func sleepRefused(_ why: String, now: Timestamp) -> [SleepEffect] {
        if phase == .asking { tryAgain("logind refused it: \(why)", now: now) }
        return finish(now)
    }

    private mutating func failed(_ asleep: SleepMemory.Asleep, why: String, now: Timestamp) {
        guard asleep.isOurs else {
            decide(.failed, "the machine could not sleep: \(why)", isWarning: true)
            return
        }
        tryAgain("it failed: \(why)", now: now)
    }

    private mutating func tryAgain(_ why: String, now: Timestamp) {
        guard let wish = asked ?? wish else {
            phase = .none
            return
        }
        attempts += 1
        guard attempts < Self.attemptLimit else {
            decide(
                .failed, "the machine was to \(wish.kind.infinitive) and could not: \(why); after \(attempts) attempts it stays awake",
                isWarning: true)
            return drop()
        }
        decide(
            .failed, "the machine was to \(wish.kind.infinitive) and could not: \(why); tried again in \(Self.lookInterval.forPeople)",
            isWarning: true)
        if afterWish == nil, memory.request == nil { restore(wish) }
        phase = .resting(until: now + Self.lookInterval)
    }
}

// MARK: - Backups, people, locks

nonisolated extension SleepPolicy {
    /// What the scheduler has before it: whether a start is about to come, and when the next one is.
    public mutating func scheduleChanged(hasWork: Bool, nextStart: Timestamp?, now: Timestamp) -> [SleepEffect] {
        self.hasWork = hasWork
        self.nextStart = nextStart
        return finish(now)
    }

    /// A run, or a reported backup, began.
    public mutating func runStarted(_ name: BackupName, now: Timestamp) -> [SleepEffect] {
        running.insert(name)
        return finish(now)
    }

    /// It ended: what is to follow it?
    public mutating func runEnded(_ name: BackupName, now: Timestamp) -> [SleepEffect] {
        running.remove(name)
        switch settings.after[name] ?? .nothing {
        case .nothing: break
        case .return: returnAfter(name)
        case .suspend: want(Wish(kind: .suspend, source: .after(name)), comparedWith: sessions)
        case .hibernate: want(Wish(kind: .hibernate, source: .after(name)), comparedWith: sessions)
        case .poweroff: want(Wish(kind: .poweroff, source: .after(name)), comparedWith: sessions)
        }
        return finish(now)
    }

    private mutating func returnAfter(_ name: BackupName) {
        guard var woken = memory.woken, woken.pending.contains(name) || woken.ended.contains(name) else {
            return decide(
                .staysAwake, "lightsout did not wake the machine for this backup; it stays awake", backup: name)
        }
        woken.pending.remove(name)
        woken.ended.insert(name)
        memory.woken = woken
        effects.append(.persist(memory))
        guard woken.pending.isEmpty else { return }
        want(Wish(kind: woken.kind, source: .return(woken.ended)), comparedWith: woken.sessions)
    }

    private mutating func giveUpWaiting(_ woken: SleepMemory.Woken, now: Timestamp) {
        // As long as `sleep_gap`, or as the machine was kept awake for it.
        let gap = settings.sleepGap(for: woken.pending)
        let waited = TimeSpan(microseconds: gap.microseconds + now.since(woken.patience).microseconds)
        decide(
            .delayed,
            "\(woken.pending.listed) did not begin within \(waited.forPeople); not waited for any longer",
            isWarning: true)
        memory.woken?.ended.formUnion(woken.pending)
        memory.woken?.pending = []
        effects.append(.persist(memory))
        want(
            Wish(kind: woken.kind, source: .return(woken.ended.union(woken.pending))), comparedWith: woken.sessions)
    }

    private mutating func want(_ wish: Wish, comparedWith sessions: [UserSession]) {
        if let known = afterWish, known.kind.reach > wish.kind.reach { return }
        afterWish = wish
        sessionsAtWish = sessions
        attempts = 0
        switch phase {
        case .none, .considering, .resting, .announced, .verifying: consider()
        case .asking: break
        }
    }

    /// Whether no backup stands against what somebody asked for, so that it matters whether they may still have it.
    var isReadyForRequest: Bool { running.isEmpty && !hasWork }

    /// `look` has looked: all block locks of others, all sessions of people.
    /// - Parameter permission: whether the one who made the request may have it now; matters if ``isReadyForRequest``.
    public mutating func looked(
        locks: [BlockLock], sessions: [UserSession], permission: Permission = .granted, now: Timestamp
    ) -> [SleepEffect] {
        self.locks = locks
        self.permission = permission
        self.sessions = sessions
        isFresh = true
        isLooking = false
        return finish(now)
    }

    /// Somebody who may wanted that kind of sleep, and logind refused it while a lock of lightsout stood against it.
    /// - Parameter locks: those of other programs; where one of them is against it too, it is not ours to make up for.
    public mutating func refused(
        _ kind: SleepKind, locks: [BlockLock], sessions: [UserSession], now: Timestamp
    ) -> [SleepEffect] {
        self.locks = locks
        self.sessions = sessions
        let isOurs = !locks.contains { $0.what.contains(kind.inhibited) }
        guard settings.afterRefused == .sleep, isOurs, memory.asleep == nil, phase != .asking else { return finish(now) }
        if let wish, case .refused = wish.source, wish.kind == kind {
            // It is wanted still; whoever came in between does not stand against it.
            sessionsAtWish = sessions
        } else if wish == nil {
            want(Wish(kind: kind, source: .refused(at: now)), comparedWith: sessions)
        }
        return finish(now)
    }

    /// `lightsout sleep --when-done`.
    /// - Parameter asker: the process of the one who wants it, and its user.
    public mutating func request(
        _ kind: SleepKind, by: String, asker: SleepMemory.Asker? = nil, now: Timestamp
    ) -> [SleepEffect] {
        memory.request = SleepMemory.Request(kind: kind, by: by, asker: asker)
        effects.append(.persist(memory))
        decide(.whenDone, "\(by) wants the machine to \(kind.infinitive) when the backups are done")
        attempts = 0
        consider()
        return finish(now)
    }

    /// `lightsout sleep --cancel`, or a person who is seen to be there. Without anything to cancel it does nothing.
    public mutating func cancel(by: String, now: Timestamp) -> [SleepEffect] {
        guard let wish, phase != .asking else { return finish(now) }
        decide(.cancelled, "the machine stays awake: \(by) cancelled it (it was to \(wish.kind.infinitive), \(reason(of: wish)))")
        if case .announced = phase { effects.append(.announce("lightsout: The machine stays awake: \(by) cancelled it.")) }
        drop()
        return finish(now)
    }
}
