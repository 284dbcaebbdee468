import LightsOutCore
import Systemd

/// Lets each user begin reports at a rate that the journal bears: each leaves four records.
///
/// A report that comes too early waits for its turn, and its caller for the answer: a script of many short steps becomes
/// slower, and loses none of its results.
final class ReportPace {
    /// A script of a few hundred steps does not notice; without end it is four a second.
    nonisolated static let rate = UserRate(burst: 256, interval: 250_000)
    /// Reports of one user that wait: no more than may be open.
    nonisolated static let waitingPerUser = LeaseRules.openPerUser

    private let loop: EventLoop
    private let log: (JournalRecord) -> Void
    private var rate = ReportPace.rate
    private var waiting: [UInt64: (uid: UInt32, timer: EventSource)] = [:]
    private var next: UInt64 = 0
    /// Who has been slowed down, and has not had the whole burst since.
    private var slowed: Set<UInt32> = []

    init(loop: EventLoop, log: @escaping (JournalRecord) -> Void) {
        self.loop = loop
        self.log = log
    }

    /// Calls `then` when it is the turn of a report of `uid`.
    /// - Throws: ``BusError`` where too many of theirs wait.
    func wait(_ uid: UInt32, then: @escaping () -> Void) throws(BusError) {
        let ofUser = waiting.values.count { $0.uid == uid }
        guard ofUser < Self.waitingPerUser else {
            throw BusError(
                name: BusError.limitsExceeded,
                message: "\(ofUser) reports of yours wait for their turn, and that is the most. Try again later")
        }
        let now = Clock.monotonic
        if rate.isWhole(uid, now: now) { slowed.remove(uid) }
        let delay = rate.reserve(uid, now: now)
        guard delay > 0 else { return then() }
        tell(uid)
        next += 1
        let id = next
        do throws(SystemError) {
            let timer = try loop.after(delay) { [unowned self] in
                waiting[id] = nil
                then()
            }
            waiting[id] = (uid, timer)
        } catch { throw BusError(error) }
    }

    private func tell(_ uid: UInt32) {
        guard slowed.insert(uid).inserted else { return }
        let perMinute = 60_000_000 / Self.rate.interval
        log(
            .notice(
                "the user id \(uid) reports more backups than \(perMinute) a minute; each further report waits for its turn",
                priority: .warning))
    }
}
