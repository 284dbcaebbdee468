import LightsOutCore

// How a wish to sleep becomes sleep, or does not.

nonisolated extension SleepPolicy {
    /// What stands against sleeping now.
    enum Hindrance: Hashable {
        /// It will pass, and an event will say so.
        case backups(String)
        /// It will pass; it has to be looked at again.
        case passing(String)
        /// Somebody uses the machine: the wish is dropped.
        case final(String)
    }

    /// The first thing that stands against `wish`; nil for nothing.
    func hindrance(to wish: Wish, now: Timestamp) -> Hindrance? {
        backups(against: wish, now: now) ?? lostRight(to: wish) ?? people(against: wish) ?? otherPrograms(against: wish)
    }

    private func lostRight(to wish: Wish) -> Hindrance? {
        guard wish.isRequest else { return nil }
        return switch permission {
        case .granted: nil
        case .denied(let why): .final(why)
        case .unknown(let why): .passing(why)
        }
    }

    private func backups(against wish: Wish, now: Timestamp) -> Hindrance? {
        if !running.isEmpty {
            return .backups("\(running.listed) \(running.count == 1 ? "is" : "are") still running")
        }
        // What is due on battery power waits, or is what the machine goes back to sleep for.
        if wish.isForBattery { return nil }
        if hasWork { return .backups("a backup is about to start") }
        guard !wish.isRequest, let nextStart, nextStart <= now + settings.sleepGap(for: wish.backups) else { return nil }
        return .backups("a backup is due at \(settings.showTime(nextStart)), in \(nextStart.since(now).forPeople)")
    }

    private func people(against wish: Wish) -> Hindrance? {
        guard !wish.isRequest else { return nil }
        switch Presence.find(before: sessionsAtWish, now: sessions) {
        case .nobody: return nil
        case .somebody(let who): return .final(who)
        case .maybe(let who):
            switch wish.source {
            case .return, .battery, .refused: return .passing(who)
            case .after, .request: return .final(who)
            }
        }
    }

    private func otherPrograms(against wish: Wish) -> Hindrance? {
        locks.first { $0.what.contains(wish.kind.inhibited) }
            .map { .passing("\($0.who.quotedForPeople) forbids it: \($0.why.quotedForPeople)") }
    }

    /// Begins to see whether the wish can be had.
    mutating func consider() {
        phase = .considering(lookAt: .never)
        isFresh = false
        isLooking = false
        lastDelay = nil
    }

    /// Takes the wish one step on, with what is known now.
    private mutating func step(_ now: Timestamp) {
        guard let wish else {
            if phase != .asking { phase = .none }
            return
        }
        switch phase {
        case .asking, .resting: break
        case .none:
            // Wanted before a restart of the daemon.
            consider()
            step(now)
        case .considering:
            if case .backups(let why) = backups(against: wish, now: now) {
                wait(wish, why: why, lookAt: .never)
            } else if lookAgain() {
                decide(on: wish, now: now)
            }
        case .announced:
            if let hindrance = hindrance(to: wish, now: now) { withdraw(wish, hindrance, now: now) }
        case .verifying:
            guard lookAgain() else { return }
            if let hindrance = hindrance(to: wish, now: now) {
                withdraw(wish, hindrance, now: now)
            } else {
                ask(wish)
            }
        }
    }

    /// Sees to it that locks and sessions are as of now.
    /// - Returns: whether they are; otherwise the look is asked for.
    private mutating func lookAgain() -> Bool {
        if !isFresh && !isLooking {
            isLooking = true
            asksToLook = true
        }
        return isFresh
    }

    private mutating func decide(on wish: Wish, now: Timestamp) {
        switch hindrance(to: wish, now: now) {
        case nil:
            if isAtOnce(wish) { ask(wish) } else { announce(wish, now: now) }
        case .backups(let why): wait(wish, why: why, lookAt: .never)
        case .passing(let why): wait(wish, why: why, lookAt: now + Self.lookInterval)
        case .final(let who): stayAwake(wish, because: who)
        }
    }

    /// Whether the machine sleeps without an announcement. Somebody who asks for it knows; others who use it do not.
    private func isAtOnce(_ wish: Wish) -> Bool {
        if wish.isRequest { return !isSeenByOthers(wish) }
        return wish.isForBattery || settings.afterDelay(for: wish.backups) == .zero
    }

    /// Whether somebody else than the one who asked uses the machine.
    private func isSeenByOthers(_ wish: Wish) -> Bool {
        guard case .request(let by) = wish.source else { return true }
        return sessions.contains { !$0.isIdle && $0.user != by }
    }

    private mutating func wait(_ wish: Wish, why: String, lookAt: Timestamp) {
        // Once for each stretch of waiting: what stands against it may change by the minute.
        if lastDelay == nil {
            decide(.delayed, "the machine \(wish.kind.verb), \(reason(of: wish)), but not yet: \(why)")
        }
        lastDelay = why
        phase = .considering(lookAt: lookAt)
    }

    private mutating func stayAwake(_ wish: Wish, because who: String) {
        decide(.staysAwake, "the machine stays awake: \(who) (it was to \(wish.kind.infinitive), \(reason(of: wish)))")
        drop()
    }

    private mutating func announce(_ wish: Wish, now: Timestamp) {
        let delay = settings.afterDelay(for: wish.backups)
        let until = now + delay
        phase = .announced(until: until)
        if case .after = wish.source { sessionsAtWish = sessions }
        lastDelay = nil
        let text = "the machine \(wish.kind.verb) in \(delay.forPeople), \(reason(of: wish))"
        decide(.announced, "\(text); nothing stands against it")
        effects.append(.announce("lightsout: \(text). To cancel it: lightsout sleep --cancel"))
    }

    /// Takes an announcement back.
    private mutating func withdraw(_ wish: Wish, _ hindrance: Hindrance, now: Timestamp) {
        switch hindrance {
        case .final(let who):
            effects.append(.announce("lightsout: The machine stays awake: \(who)."))
            decide(.cancelled, "the machine stays awake: \(who) (it was to \(wish.kind.infinitive), \(reason(of: wish)))")
            drop()
        case .backups(let why), .passing(let why):
            effects.append(.announce("lightsout: The machine stays awake for now: \(why)."))
            decide(.cancelled, "the machine stays awake for now: \(why)")
            lastDelay = why
            phase = .considering(lookAt: now + Self.lookInterval)
        }
    }

    /// Asks logind. A request is forgotten before: a machine that was powered off must not do so again when it is up.
    private mutating func ask(_ wish: Wish) {
        phase = .asking
        asked = wish
        if wish.isRequest {
            asker = memory.request?.asker
            memory.request = nil
            effects.append(.persist(memory))
        }
        keepRefused()
        let nobody = wish.isRequest ? "" : ", nobody uses it"
        decide(
            .requested,
            "the machine \(wish.kind.verb), \(reason(of: wish)): no backup runs\(nobody), no other program forbids it")
        effects.append(.sleep(wish.kind))
    }

    /// Forgets the wish that is under way, and that lightsout woke the machine.
    mutating func drop() {
        let hadMemory = memory.request != nil || memory.woken != nil
        memory.request = nil
        memory.woken = nil
        afterWish = nil
        asked = nil
        attempts = 0
        lastDelay = nil
        phase = .none
        if hadMemory { effects.append(.persist(memory)) }
    }

    /// Keeps a sleep that was refused on the disk for as long as it is wanted and has not been asked for.
    private mutating func keepRefused() {
        var wanted: SleepMemory.Refused?
        if let wish = afterWish, case .refused(let time) = wish.source, phase != .asking {
            wanted = SleepMemory.Refused(kind: wish.kind, at: time, sessions: sessionsAtWish)
        }
        guard isLoaded, memory.refused != wanted else { return }
        memory.refused = wanted
        effects.append(.persist(memory))
    }

    /// Brings back a wish that was asked for and has not come about.
    mutating func restore(_ wish: Wish) {
        if case .request(let by) = wish.source {
            memory.request = SleepMemory.Request(kind: wish.kind, by: by, asker: asker)
            effects.append(.persist(memory))
        } else {
            afterWish = wish
        }
    }

    mutating func decide(
        _ action: SleepDecision.Action, _ message: String, backup: BackupName? = nil, isWarning: Bool = false
    ) {
        effects.append(.journal(SleepDecision(action, message, backup: backup, isWarning: isWarning)))
    }

    /// The end of each event: the wish goes on, the timers are told.
    mutating func finish(_ now: Timestamp) -> [SleepEffect] {
        if memory.asleep == nil {
            step(now)
            arm(alarm.whileAwake(now: now))
        }
        keepRefused()
        isFresh = false
        let timer = nextTimer
        if armedTimer != .some(timer) {
            armedTimer = .some(timer)
            effects.append(.armTimer(timer))
        }
        // Last, so that the answer may be given at once.
        if asksToLook { effects.append(.look) }
        asksToLook = false
        defer { effects = [] }
        return effects
    }

    mutating func arm(_ time: Timestamp?) {
        guard armedAlarm != .some(time) else { return }
        armedAlarm = .some(time)
        effects.append(.armAlarm(time))
    }

    private var nextTimer: Timestamp? {
        var times: [Timestamp] = []
        switch phase {
        case .considering(let time), .resting(let time), .announced(let time): times.append(time)
        case .none, .verifying, .asking: break
        }
        if let woken = memory.woken, !woken.pending.isEmpty, running.isEmpty, !hasWork {
            times.append(woken.patience)
        }
        if memory.asleep == nil, let move = alarm.moveAt { times.append(move) }
        return times.min().flatMap { $0 == .never ? nil : $0 }
    }
}
