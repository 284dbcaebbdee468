import LightsOutCore
import Systemd

/// Asks logind for a block lock from the event loop, until there is an answer that will stay. It ends with its last
/// reference, or with the answer.
///
/// It asks as the runner's ``StandbyLock`` does, which may wait: a sleep or resume under way is waited for without limit,
/// for it ends; a logind that does not answer is asked three times within two seconds, for it may be starting.
final class LockRequest {
    enum Answer: ~Copyable {
        case taken(Descriptor)
        case missing(Missing)
    }

    /// Why there is no lock.
    nonisolated enum Missing: Hashable, CustomStringConvertible {
        /// There is no logind to ask, or it does not answer.
        case unavailable(String)
        /// logind answered no.
        case refused(String)

        var description: String {
            switch self {
            case .unavailable(let reason): "there is no logind to block standby with (\(reason))"
            case .refused(let reason): "logind refused to block standby (\(reason))"
            }
        }
    }

    struct Lock {
        /// What is inhibited, colon-separated.
        var what: String
        var who: String
        var why: String
    }

    /// Told that a sleep or resume is under way, once.
    var onWait: () -> Void = {}

    private let bus: Bus
    private let loop: EventLoop
    private let lock: Lock
    private let answer: (consuming Answer) -> Void
    private var call: BusSlot?
    private var listener: BusSlot?
    private var timer: EventSource?
    private var patience: [UInt64] = [200_000, 1_500_000]

    /// How often a logind that is busy with a sleep is asked: its signal may have gone before we listened.
    private static let pollInterval: UInt64 = 250_000

    init(_ lock: Lock, bus: Bus, loop: EventLoop, answer: @escaping (consuming Answer) -> Void) {
        self.lock = lock
        self.bus = bus
        self.loop = loop
        self.answer = answer
    }

    func start() { ask() }

    private func ask() {
        timer = nil
        do throws(BusError) {
            call = try Logind(bus).inhibitAsync(
                what: lock.what, who: lock.who, why: lock.why, mode: "block", timeout: 5_000_000
            ) { [unowned self] reply in
                let lock: Descriptor
                do throws(BusError) { lock = try reply.get().readDescriptor() } catch { return failed(error) }
                answer(.taken(lock))
            }
        } catch { failed(error) }
    }

    private func failed(_ error: BusError) {
        if error.name == BusError.operationInProgress { return waitForEndOfSleep() }
        guard bus.isOpen, ![BusError.noReply, BusError.timeout].contains(error.name) else { return nobodyThere(error) }
        // An answer of logind's counts. Of one that cannot be started the error may have any name.
        do throws(BusError) {
            call = try Logind(bus).isRunningAsync(timeout: 5_000_000) { [unowned self] reply in
                if case .success(true) = reply { answer(.missing(.refused(error.description))) } else { nobodyThere(error) }
            }
        } catch { nobodyThere(error) }
    }

    private func nobodyThere(_ error: BusError) {
        guard !patience.isEmpty, again(after: patience.removeFirst()) else {
            return answer(.missing(.unavailable(error.description)))
        }
    }

    private func waitForEndOfSleep() {
        if listener == nil {
            onWait()
            listener = try? bus.matchAsync(Logind.prepareForSleepRule) { [unowned self] message in
                if (try? message.readBool()) == false { _ = again(after: 0) }
            }
        }
        if !again(after: Self.pollInterval) { answer(.missing(.unavailable("the end of a sleep cannot be waited for"))) }
    }

    private func again(after span: UInt64) -> Bool {
        timer = try? loop.after(span) { [unowned self] in ask() }
        return timer != nil
    }
}
