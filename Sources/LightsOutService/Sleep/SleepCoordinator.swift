import LightsOutCore
import LightsOutRunner
import Systemd

/// Wakes the machine for backups and sends it to sleep after them: tells ``SleepPolicy`` what happens, and carries out
/// what it decides.
///
/// What happens comes from the daemon (runs, the schedule, the configuration), from logind (``LoginWatch``) and from
/// the clocks. Without a bus the alarm is set all the same.
final class SleepCoordinator {
    private unowned let daemon: Daemon
    private var policy: SleepPolicy
    private let store: SleepMemoryStore
    private let order: LeftOrder
    private var login: LoginWatch?
    private var refusals: RefusedSleeps?
    private var right: SleepRight?
    private lazy var alarm = WakeTimer(daemon.loop) { [unowned self] in tick() }
    private var timer: EventSource?

    /// When the machine is woken next; nil where it is not.
    private(set) var nextWakeup: Timestamp?

    private var waiting: ArraySlice<SleepEffect> = []
    private var isCarryingOut = false

    private enum Standing: Equatable {
        case awake
        /// The machine falls asleep, or sleeps; `isTold`: the policy knows.
        case asleep(isTold: Bool)
        /// It is back, and logind does not give locks yet.
        case returning
    }

    private var standing = Standing.awake
    private var isLoaded = false
    private var returnLimit: EventSource?
    private var isLooking = false
    private var lookAgain = false
    private var lookRetry: EventSource?
    /// What the policy was last told of the schedule.
    private var toldSchedule: (hasWork: Bool, nextStart: Timestamp?)?
    private var toldWake: Daemon.WakeOutlook?
    /// The longest `wake_lead` of any backup.
    private var longestLead = TimeSpan.zero

    /// After a sleep, logind is waited for as long as this; then backups start, and their runners wait.
    private static let returnPatience: UInt64 = 30_000_000

    init(_ daemon: Daemon) {
        self.daemon = daemon
        store = SleepMemoryStore(directory: daemon.directories.state)
        order = LeftOrder(daemon.directories, log: daemon.log)
        let boot = (try? Identity.boot()) ?? "unknown"
        var memory: SleepMemory?
        do throws(SystemError) {
            switch try store.read() {
            case .nothing: break
            case .memory(let found): memory = found
            case .damaged(let message): daemon.log.write(.notice(message, priority: .warning))
            }
        } catch {
            daemon.log.write(.notice("what was wanted of the machine's sleep cannot be read: \(error)", priority: .error))
        }
        policy = SleepPolicy(settings: Self.settings(of: daemon), memory: memory, boot: boot)
    }

    // MARK: The daemon's events

    /// The daemon has its configuration and knows what runs. From now on the alarm is set; what is wanted of the
    /// machine's sleep goes on when logind has said whether one is under way.
    func start() { configurationChanged() }

    func connected(to bus: Bus) {
        do throws(BusError) {
            let login = try LoginWatch(bus, loop: daemon.loop) { [unowned self] event in handle(event) }
            self.login = login
            right = SleepRight(bus)
            let refusals = RefusedSleeps(bus, loop: daemon.loop)
            refusals.onRefusal = { [unowned self] kind in refused(kind) }
            refusals.sessions = { [unowned self] then in look { then($0?.sessions ?? []) } }
            self.refusals = refusals
            login.askWhetherPreparing { [unowned self] isPreparing in nowConnected(isPreparing) }
        } catch {
            daemon.log.write(
                .notice(
                    "logind cannot be listened to: \(error). The machine neither waits for lightsout when it falls asleep nor is sent to sleep",
                    priority: .error))
        }
    }

    func disconnected() {
        login = nil
        right = nil
        refusals?.close()
        refusals = nil
        isLooking = false
        lookRetry = nil
        if standing == .returning { isBackAtWork() }
        // A machine that powers off, as it was asked to, takes the bus away first.
        if policy.asked?.kind == .poweroff, SystemState.isStopping { return }
        // Whatever was asked of logind, its answer will not come.
        if isLoaded { carryOut(policy.sleepRefused("the connection to the bus was lost", now: daemon.now)) }
    }

    /// The configuration, or the zone that times are told in, is another one.
    func configurationChanged() {
        toldWake = nil
        longestLead =
            daemon.backups.values.map { $0.settings.wakeLead ?? daemon.settings.wakeLead }.max() ?? daemon.settings.wakeLead
        carryOut(policy.reload(Self.settings(of: daemon), now: daemon.now))
        if let obstacle = alarm.obstacle, daemon.backups.values.contains(where: { $0.settings.wake }) {
            carryOut(policy.alarmImpossible(obstacle, now: daemon.now))
        }
        tellSchedule()
    }

    func runStarted(_ name: BackupName) {
        guard isLoaded else { return }
        tellSchedule()
        carryOut(policy.runStarted(name, now: daemon.now))
        watchRefusals()
    }

    func runEnded(_ name: BackupName) {
        guard isLoaded else { return }
        tellSchedule()
        carryOut(policy.runEnded(name, now: daemon.now))
        watchRefusals()
    }

    /// What the scheduler has before it may be another thing than before.
    func scheduleChanged() { tellSchedule() }

    /// AC power went away or came back.
    func powerChanged() {
        guard isLoaded else { return }
        tellWake()
        if !daemon.power.seesBattery { carryOut(policy.powerIsBack(now: daemon.now)) }
    }

    /// CLOCK_REALTIME was set.
    func clockChanged() {
        guard standing == .awake else { return }
        carryOut(policy.clockChanged(now: daemon.now))
    }

    /// Whether the machine sleeps, or has not come back to work.
    var isAsleep: Bool { standing != .awake }

    /// The daemon ends.
    func end() { order.daemonEnds() }

    // MARK: Requests

    func request(_ kind: SleepKind, by who: String, asker: SleepMemory.Asker) {
        carryOut(policy.request(kind, by: who, asker: asker, now: daemon.now))
    }

    func cancel(by who: String) { carryOut(policy.cancel(by: who, now: daemon.now)) }

    /// What the machine is to do, for people; nil for nothing.
    var outlook: String? { policy.outlook }

    /// What it is to do.
    var outlookKind: SleepKind? { policy.wish?.kind }

    /// Looks at locks and sessions for whoever asks; nil where logind does not answer.
    func look(_ then: @escaping (LoginWatch.View?) -> Void) {
        guard let login else { return then(nil) }
        login.look(then)
    }

    /// Whether the machine can do it at all.
    func askWhetherPossible(_ kind: SleepKind, _ then: @escaping (Bool) -> Void) {
        guard let login else { return then(false) }
        login.askWhetherPossible(kind, then)
    }

    // MARK: logind's events

    private func handle(_ event: LoginWatch.Event) {
        switch event {
        case .fallsAsleep: fallsAsleep()
        case .sleepKind(let kind): carryOut(policy.sleepKindKnown(kind, now: daemon.now))
        case .isBack: isBack()
        case .locksAreGiven: if standing == .returning { isBackAtWork() }
        case .changed: if policy.wish != nil { look() }
        }
    }

    private func nowConnected(_ isPreparing: Bool) {
        defer {
            watchRefusals()
            if policy.wish != nil { look() }
        }
        guard isLoaded else { return load(isPreparing: isPreparing) }
        if isPreparing {
            if standing == .awake { fallsAsleep() }
        } else if standing != .awake {
            isBack()
        } else {
            login?.takeDelayLock()
        }
    }

    private func load(isPreparing: Bool) {
        isLoaded = true
        if isPreparing {
            standing = .asleep(isTold: true)
            daemon.carryOut(daemon.scheduler.sleepBegins(now: daemon.now))
        }
        let running = Set(daemon.runs.filter { $0.value.isRunning }.keys)
        tellSchedule()
        carryOut(
            policy.load(
                running: running, isPreparingForSleep: isPreparing, now: daemon.now, boot: Self.boottime))
    }

    private func fallsAsleep() {
        returnLimit = nil
        standing = .asleep(isTold: false)
        daemon.carryOut(daemon.scheduler.sleepBegins(now: daemon.now))
        guard let login else { return tellSleepBegins(nil) }
        login.look { [unowned self] view in
            if standing == .asleep(isTold: false) { tellSleepBegins(view) }
        }
    }

    private func tellSleepBegins(_ view: LoginWatch.View?) {
        standing = .asleep(isTold: true)
        tellSchedule()
        carryOut(
            policy.sleepBegins(
                nil, now: daemon.now, boot: Self.boottime,
                sessions: view?.sessions.map(\.session) ?? policy.sessions, offObstacle: AlarmUnit.obstacle(to: .hibernate)))
    }

    private func isBack() {
        // So short that the look had no answer.
        if standing == .asleep(isTold: false) { tellSleepBegins(nil) }
        standing = .returning
        returnLimit = try? daemon.loop.after(Self.returnPatience) { [unowned self] in isBackAtWork() }
        guard let login else { return tellResumed(.slept) }
        login.askForOutcome(of: policy.memory.asleep?.kind ?? .suspend) { [unowned self] outcome in
            tellResumed(outcome)
        }
    }

    private func tellResumed(_ outcome: SleepPolicy.SleepOutcome) {
        daemon.power.look()
        tellSchedule()
        let unpowered = (policy.memory.asleep?.backups ?? []).filter { !daemon.power.mayWake($0) }
        carryOut(policy.resumed(outcome, unpowered: unpowered, now: daemon.now, boot: Self.boottime))
    }

    /// logind gives locks again: what is due may start.
    private func isBackAtWork() {
        returnLimit = nil
        let grace = wakeGrace
        standing = .awake
        daemon.carryOut(daemon.scheduler.resumed(now: daemon.now, grace: grace))
    }

    /// The longest that any of the backups wants that are due, or that the machine was woken for.
    private var wakeGrace: TimeSpan {
        let now = daemon.now
        var concerned = policy.memory.woken?.pending ?? []
        for name in daemon.backups.keys {
            guard let standing = daemon.scheduler.standing(of: name, now: now) else { continue }
            let isDue = standing.nextDue.map { $0 <= now } ?? false
            if isDue || standing.state == .queued { concerned.insert(name) }
        }
        let own = concerned.map { daemon.backups[$0]?.settings.wakeGrace ?? daemon.settings.wakeGrace }
        return own.max() ?? daemon.settings.wakeGrace
    }

    private nonisolated static var boottime: TimeSpan { TimeSpan(microseconds: Clock.boottime) }

    // MARK: What the policy is told of the schedule

    private func tellSchedule() {
        daemon.dueLocks.look()
        tellWake()
        watchRefusals()
        // The next start matters only to a machine that is to sleep.
        let matters = policy.wish != nil || policy.memory.woken != nil
        let schedule = (
            hasWork: daemon.scheduler.hasWork || !daemon.starting.isEmpty || daemon.dueLocks.keepsAwake,
            nextStart: matters ? daemon.scheduler.nextStart : nil
        )
        if let toldSchedule, toldSchedule == schedule { return }
        toldSchedule = schedule
        carryOut(policy.scheduleChanged(hasWork: schedule.hasWork, nextStart: schedule.nextStart, now: daemon.now))
    }

    private func tellWake() {
        defer { order.leave(policy.alarm.order) }
        let outlook = daemon.wakeOutlook(longestLead: longestLead)
        guard outlook != toldWake else { return }
        toldWake = outlook
        carryOut(
            policy.wakeWanted(
                due: outlook.wanted?.due, backups: outlook.wanted?.backups ?? [], lead: outlook.lead,
                heldBack: outlook.heldBack, overdue: outlook.overdue.map { ($0.due, $0.backups) }, now: daemon.now))
    }

    /// A sleep that lightsout's lock stands against is made up for when that is gone.
    private func watchRefusals() {
        guard isLoaded, let refusals else { return }
        let isWanted = daemon.settings.afterRefused == .sleep && (!policy.running.isEmpty || daemon.dueLocks.holdsAny)
        do throws(SystemError) { try refusals.watch(isWanted) } catch {
            daemon.log.write(
                .notice("sleeps that a backup's lock refuses are not seen, and not made up for: \(error)", priority: .info))
        }
    }

    private func refused(_ kind: SleepKind) {
        guard let login else { return }
        login.look { [unowned self] view in
            guard let view, view.hasOwnLock(against: kind) else { return }
            carryOut(
                policy.refused(
                    kind, locks: view.othersLocks, sessions: view.sessions.map(\.session), now: daemon.now))
        }
    }

    private static func settings(of daemon: Daemon) -> SleepPolicy.Settings {
        var settings = SleepPolicy.Settings { LocalTime.short($0.microseconds) }
        settings.wakeLead = daemon.settings.wakeLead
        settings.sleepGap = daemon.settings.sleepGap
        settings.afterDelay = daemon.settings.afterDelay
        settings.afterRefused = daemon.settings.afterRefused
        settings.after = daemon.backups.mapValues(\.settings.after)
        settings.sleepGaps = daemon.backups.compactMapValues(\.settings.sleepGap)
        settings.afterDelays = daemon.backups.compactMapValues(\.settings.afterDelay)
        return settings
    }

    // MARK: What the policy wants

    private func tick() { carryOut(policy.tick(now: daemon.now)) }

    /// Carries out what was decided, in its order; what is decided meanwhile comes after it.
    private func carryOut(_ effects: [SleepEffect]) {
        waiting += effects
        guard !isCarryingOut else { return }
        isCarryingOut = true
        defer { isCarryingOut = false }
        while let effect = waiting.popFirst() {
            switch effect {
            case .armAlarm(let time): armAlarm(time)
            case .armTimer(let time): armTimer(time)
            case .look: look()
            case .announce(let text): announce(text)
            case .sleep(let kind): sleep(kind)
            case .persist(let memory): persist(memory)
            case .journal(let decision): daemon.log.write(.decision(decision))
            case .releaseDelayLock: login?.releaseDelayLock()
            case .takeDelayLock: login?.takeDelayLock()
            }
        }
    }

    private func armAlarm(_ time: Timestamp?) {
        do throws(SystemError) { try alarm.arm(time) } catch {
            daemon.log.write(
                .decision(
                    SleepDecision(
                        .cannotWake, "the alarm that wakes the machine cannot be set: \(error)", isWarning: true)))
        }
        nextWakeup = alarm.obstacle == nil ? time : nil
        daemon.bus?.nextWakeupChanged()
    }

    private func armTimer(_ time: Timestamp?) {
        guard let time else {
            timer?.disable()
            return
        }
        let microseconds = UInt64(max(0, time.microseconds))
        do throws(SystemError) {
            if let timer {
                try timer.rearm(at: microseconds)
            } else {
                timer = try daemon.loop.at(microseconds, .realtime) { [unowned self] in tick() }
            }
        } catch {
            daemon.log.write(
                .notice("the timer of the machine's sleep cannot be set: \(error). It stays awake", priority: .error))
        }
    }

    private func look() {
        guard let login else { return }
        guard !isLooking else {
            lookAgain = true
            return
        }
        isLooking = true
        lookAgain = false
        login.look { [unowned self] view in
            isLooking = false
            // Changed meanwhile: what was seen may be half old, half new.
            if lookAgain { return look() }
            guard let view else {
                lookRetry = try? daemon.loop.after(SleepPolicy.lookInterval.microseconds) { [unowned self] in look() }
                return
            }
            askForRight(view) { [unowned self] permission in
                carryOut(
                    policy.looked(
                        locks: view.othersLocks, sessions: view.sessions.map(\.session), permission: permission, now: daemon.now))
            }
        }
    }

    /// Whether the one who asked for a sleep may still have it. What is seen later is seen anew.
    private func askForRight(_ view: LoginWatch.View, _ then: @escaping (SleepPolicy.Permission) -> Void) {
        guard let request = policy.memory.request, policy.isReadyForRequest, let right else { return then(.granted) }
        isLooking = true
        right.ask(request, view.sessions) { [unowned self] permission in
            isLooking = false
            if lookAgain || policy.memory.request != request { return look() }
            then(permission)
        }
    }

    private func announce(_ text: String) {
        login?.announce(text) { [unowned self] error in
            daemon.log.write(
                .notice("people who are logged in cannot be told that \(text.quotedForPeople): \(error)", priority: .warning))
        }
    }

    private func sleep(_ kind: SleepKind) {
        guard let login else {
            return carryOut(policy.sleepRefused("the system bus cannot be reached", now: daemon.now))
        }
        login.sleep(kind) { [unowned self] why in carryOut(policy.sleepRefused(why, now: daemon.now)) }
    }

    private func persist(_ memory: SleepMemory) {
        do throws(SystemError) { try store.write(memory) } catch {
            daemon.log.write(
                .notice(
                    "what is wanted of the machine's sleep cannot be kept in \(daemon.directories.state): \(error). After a restart of lightsoutd the machine stays awake",
                    priority: .error))
        }
    }
}
