import LightsOutCore
import Systemd

/// Answers GetManagedObjects, the dear question that everybody may ask: how every backup stands.
///
/// All who ask get one answer, which is made anew only when something has changed. Users take turns, so that whoever asks a
/// thousand times waits for himself; root comes first. What one user is sent per second is limited, for the bus keeps what he
/// does not read, and stops taking our answers to others when that is too much.
final class StatusAnswers {
    private unowned let daemon: Daemon
    private let bus: Bus
    private let callers: Callers
    private let loop: EventLoop
    private let write: (BusMessage) throws(BusError) -> Void

    private var answer: BusAnswer?
    private var made: UInt64 = 0
    /// The calls that wait, by connection, and the connections in the order of their turns.
    private var waiting: [String: [BusInterface.MethodCall]] = [:]
    private var turns: [String] = []
    private var lastServed: UInt32?
    private var budgets: [UInt32: Budget] = [:]
    private var step: EventSource?
    private var pause: EventSource?
    private var giveBack: EventSource?

    /// Bytes that a user may be sent, refilled as time passes.
    private struct Budget {
        var bytes: Int
        var at: UInt64
    }

    /// Stands for all connections of which the bus has not said yet whose they are.
    private static let nobody = UInt32.max
    /// Calls of one connection that wait, and connections that have any.
    private static let waitingLimit = (calls: 8, connections: 1024)
    /// Bytes that a user is sent at once, and in each second after that.
    private static let burst = 4 << 20
    private static let perSecond = 1 << 20
    /// About what a backup takes in an answer.
    private static let bytesPerBackup = 700
    /// An answer is made anew after this also when nothing seems to have changed.
    private static let longestLife: UInt64 = 5_000_000
    /// Microseconds that answers take of one turn of the loop.
    private static let slice: UInt64 = 2_000

    /// - Parameter write: writes the contents of an answer.
    init(_ daemon: Daemon, _ bus: Bus, _ callers: Callers, write: @escaping (BusMessage) throws(BusError) -> Void) {
        self.daemon = daemon
        self.bus = bus
        self.callers = callers
        loop = daemon.loop
        self.write = write
    }

    /// What was answered before is no longer so.
    func changed() { answer = nil }

    /// Answers `call` when its turn has come.
    func ask(_ call: BusInterface.MethodCall) {
        guard let sender = call.message.sender else { return }
        let count = waiting[sender]?.count ?? 0
        guard count < Self.waitingLimit.calls, count > 0 || turns.count < Self.waitingLimit.connections else {
            return call.fail(Callers.tooMany)
        }
        if count == 0 { turns.append(sender) }
        waiting[sender, default: []].append(call)
        goOn()
    }

    private func goOn() {
        guard step == nil else { return }
        step = try? loop.soon { [unowned self] in
            step = nil
            answerSome()
        }
        // After what has arrived: those who ask in the meantime get the same answer.
        try? step?.setPriority(10)
    }

    private func answerSome() {
        let end = Clock.monotonic + Self.slice
        while let index = nextTurn {
            do throws(BusError) { try answerNext(index) } catch { fail(turns[index], error) }
            if Clock.monotonic >= end { break }
        }
        if turns.isEmpty {
            forgetLater()
        } else if nextTurn == nil {
            goOnLater()
        } else {
            goOn()
        }
    }

    // MARK: Whose turn it is

    private func user(of sender: String) -> UInt32 { callers.user(of: sender) ?? Self.nobody }

    /// Root's, else that of a user other than the last, else the first.
    private var nextTurn: Int? {
        var first: Int?
        var other: Int?
        for (index, sender) in turns.enumerated() {
            let uid = user(of: sender)
            if uid == 0 { return index }
            if other == nil, mayBeSent(uid) {
                first = first ?? index
                if uid != lastServed { other = index }
            }
        }
        return other ?? first
    }

    private func answerNext(_ index: Int) throws(BusError) {
        let ready = try currentAnswer()
        let sender = turns.remove(at: index)
        guard var calls = waiting.removeValue(forKey: sender), !calls.isEmpty else { return }
        let call = calls.removeFirst()
        if !calls.isEmpty {
            waiting[sender] = calls
            turns.append(sender)
        }
        ready.send(to: call)
        let uid = user(of: sender)
        lastServed = uid
        budgets[uid]?.bytes -= daemon.shownBackups.count * Self.bytesPerBackup + 300
    }

    private func currentAnswer() throws(BusError) -> BusAnswer {
        let now = Clock.monotonic
        if let answer, now < made + Self.longestLife { return answer }
        let new = try BusAnswer(bus, write)
        (answer, made) = (new, now)
        return new
    }

    private func fail(_ sender: String, _ error: BusError) {
        for call in waiting.removeValue(forKey: sender) ?? [] { call.fail(error) }
        turns.removeAll { $0 == sender }
    }

    // MARK: How much a user is sent

    private func mayBeSent(_ uid: UInt32) -> Bool {
        let now = Clock.monotonic
        var budget = budgets[uid] ?? Budget(bytes: Self.burst, at: now)
        let refill = Double(now - min(now, budget.at)) / 1e6 * Double(Self.perSecond)
        budget = Budget(bytes: min(Self.burst, budget.bytes + Int(min(refill, Double(Self.burst)))), at: now)
        budgets[uid] = budget
        return budget.bytes > 0
    }

    private func goOnLater() {
        guard pause == nil else { return }
        pause = try? loop.after(100_000) { [unowned self] in
            pause = nil
            goOn()
        }
    }

    /// A while after the last question everything is as it was before the first.
    private func forgetLater() {
        guard giveBack == nil else { return }
        giveBack = try? loop.after(10_000_000) { [unowned self] in
            giveBack = nil
            guard turns.isEmpty else { return forgetLater() }
            answer = nil
            budgets = [:]
            Heap.giveBackFree()
        }
    }
}
