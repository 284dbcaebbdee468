import Glibc
import LightsOutCore
import LightsOutRunner
import Systemd

/// One backup that a script reports and lightsout does not run: from `-r` until `-f`, or until the process that it is
/// bound to has ended.
final class Lease {
    enum Phase {
        /// The lock is being waited for; the one who reported waits for the answer.
        case opening((BusError?) -> Void)
        case open
    }

    let backup: BackupName
    let lock: LeaseLock
    var phase: Phase
    /// The run that is reported, under way.
    private(set) var state: RunState
    /// What keeps the result from being a plain success, such as a lock that logind refused.
    var blemish: String?
    /// The machine's sleeps since the report, and the times without a lock.
    private(set) var slept = SleptTimes(.now)
    var gaps = LockGaps()
    /// What an earlier daemon knew of them.
    private let earlier: String?
    /// Why there is no lock, as the journal has been told; nil where there is one.
    var missing: String?

    private let exclusion: RunExclusion
    private let process: ReportingProcess
    private let sinceBoot: UInt64
    private var death: EventSource?
    private var throttle: ProgressThrottle?

    /// - Parameter died: called when the process has ended.
    init(
        _ backup: BackupName, _ state: RunState, phase: Phase, exclusion: consuming RunExclusion,
        process: consuming ReportingProcess, loop: EventLoop, log: @escaping (JournalRecord) -> Void,
        died: @escaping (Lease) -> Void
    ) throws(SystemError) {
        self.backup = backup
        self.state = state
        self.phase = phase
        earlier = state.notes.problem
        lock = LeaseLock(backup, reportedBy: process.pid, log: log)
        let pidfd = process.descriptor.number
        self.exclusion = consume exclusion
        self.process = consume process
        // A lease that is taken up again has only the wall clock to count from.
        let age = Timestamp(microseconds: Clock.realtime).since(state.started).microseconds
        sinceBoot = Clock.boottime - min(age, Clock.boottime)
        throttle = ProgressThrottle(loop: loop, last: state.progress) { [unowned self] percent in
            self.state.progress = percent
            note()
        }
        death = try loop.onEvents(Linux.canBeRead, of: pidfd) { [unowned self] _ in
            death?.disable()
            died(self)
        }
    }

    var reporter: UInt32 { state.reporter?.uid ?? 0 }
    var pid: Int32 { process.pid }

    /// How long it has lasted; a clock that is set does not change it.
    var duration: TimeSpan { TimeSpan(microseconds: Clock.boottime - sinceBoot) }

    /// Standby is blocked: the journal is to have a started record of it.
    func begin() { state.notes.begun = true }

    /// Tells those who watch how it stands.
    func note() { exclusion.note(state) }

    /// Keeps in mind what became of the lock: the journal is to have a record of it.
    func keep(_ change: JournalRecord.LockChange) {
        if state.notes.locks.count < RunNotes.lockLimit { state.notes.locks.append(change) }
    }

    /// Takes in what the clocks or logind tell of a sleep.
    /// - Returns: whether there was one more.
    func see(_ event: (inout SleptTimes) -> Void) -> Bool {
        let before = slept.count
        event(&slept)
        guard slept.count != before else { return false }
        tellProblem()
        return true
    }

    /// What the lock could not prevent, as one line; nil if there was nothing.
    var problem: String? {
        let texts = [earlier, gaps.text { LocalTime.short($0.microseconds) }, slept.text { LocalTime.short($0.microseconds) }]
        let all = texts.compactMap { $0 }
        return all.isEmpty ? nil : all.joined(separator: "; ")
    }

    /// Tells those who watch what the lock could not prevent.
    func tellProblem() {
        state.notes.problem = problem
        note()
    }

    /// The result with what the lock could not prevent; `policy` is `slept` of the backup.
    func outcome(_ outcome: Outcome, _ policy: SleptPolicy) -> Outcome {
        _ = see { $0.finish(.now, isPermitted: false) }
        state.notes.problem = problem
        let hadSlept = earlier?.contains(SleptTimes.phrase) == true
        let known = hadSlept && policy == .warn ? outcome.worsened(to: .warnings) : outcome
        return known.during(slept, policy, text: problem)
    }

    func report(progress: UInt8) { throttle?.report(progress) }

    /// Puts what the next daemon needs into the service manager's store.
    func store(log: (JournalRecord) -> Void) {
        LeaseStore.keep(exclusion.number, as: LeaseStore.name(.exclusion, of: backup), log: log)
        LeaseStore.keep(process.descriptor.number, as: LeaseStore.name(.process, of: backup), log: log)
    }

    /// Passes copies of all that keeps it up to the keeper.
    func handOver(to keeper: borrowing DescriptorChannel) throws(SystemError) {
        let lock = lock.number
        try keeper.send(
            .keep(backup, hasLock: lock != nil),
            [exclusion.number, process.descriptor.number] + (lock.map { [$0] } ?? []))
    }

    /// Tells those who watch how it ended and gives everything back.
    func close(_ ended: RunState?) {
        death = nil
        throttle = nil
        if let ended { exclusion.note(ended) }
        // Copies are in the store for a moment longer.
        exclusion.release()
        LeaseStore.drop(LeaseStore.name(.exclusion, of: backup))
        LeaseStore.drop(LeaseStore.name(.process, of: backup))
        lock.release()
    }
}
