import Glibc
import LightsOutCore
import Systemd

/// Locks for any command (`lightsout hold`): taken in the caller's words and handed over; the daemon keeps nothing of
/// them, so they need no daemon to go on, and end with the caller.
///
/// Being root's in logind's list, each says in its `why` whose it is; by that they are counted.
final class Holds {
    nonisolated static let perUser = 16
    nonisolated static let inAll = 64
    /// What a lock holds off.
    nonisolated static let what = "sleep:handle-lid-switch"
    /// The most bytes of the caller's words.
    nonisolated static let longestText = 200

    private let bus: Bus
    private let loop: EventLoop
    private var pending: [UInt64: Pending] = [:]
    private var next: UInt64 = 0

    private struct Pending {
        let uid: UInt32
        var list: BusSlot?
        var request: LockRequest?
    }

    init(bus: Bus, loop: EventLoop) {
        self.bus = bus
        self.loop = loop
    }

    /// Takes the lock for `call` and answers it. Root's are not counted.
    func hold(_ call: BusInterface.MethodCall, who: String, why: String, by uid: UInt32) throws(BusError) {
        let why = why + Self.mark(uid)
        next += 1
        let id = next
        pending[id] = Pending(uid: uid)
        if uid == 0 { return take(call, LockRequest.Lock(what: Self.what, who: who, why: why), id) }
        do throws(BusError) {
            pending[id]?.list = try Logind(bus).inhibitorsAsync(timeout: 5_000_000) { [unowned self] reply in
                pending[id]?.list = nil
                do throws(BusError) {
                    try checkCount(try reply.get(), uid)
                    take(call, LockRequest.Lock(what: Self.what, who: who, why: why), id)
                } catch {
                    pending[id] = nil
                    call.fail(error)
                }
            }
        } catch {
            pending[id] = nil
            throw error
        }
    }

    private func take(_ call: BusInterface.MethodCall, _ lock: LockRequest.Lock, _ id: UInt64) {
        let request = LockRequest(lock, bus: bus, loop: loop) { [unowned self] answer in
            pending[id] = nil
            switch consume answer {
            case .taken(let descriptor):
                let number = descriptor.number
                call.reply { (message) throws(BusError) in try message.append(descriptor: number) }
                // The message has a copy of its own until it is sent; ours ends here.
                withExtendedLifetime(descriptor) {}
            case .missing(let missing):
                call.fail(BusError(name: BusError.failed, message: "\(missing)"))
            }
        }
        pending[id]?.request = request
        request.start()
    }

    private func checkCount(_ inhibitors: [Logind.Inhibitor], _ uid: UInt32) throws(BusError) {
        let held = inhibitors.compactMap { $0.uid == 0 ? Self.holder(in: $0.why) : nil }
        // This one is among the pending.
        let ofUser = held.count { $0 == uid } + pending.values.count { $0.uid == uid }
        if ofUser > Self.perUser {
            throw BusError(
                name: BusError.limitsExceeded, message: "\(Self.perUser) holds of yours are open, and that is the most. End one")
        }
        // Nobody is shut out by what others hold.
        if held.count + pending.count > Self.inAll && ofUser > 1 {
            throw BusError(
                name: BusError.limitsExceeded,
                message: "\(Self.inAll) holds are open, and that is the most. Try again when one has ended")
        }
    }

    // MARK: Words

    private nonisolated static let markBegin = " (lightsout hold, user id "

    nonisolated static func mark(_ uid: UInt32) -> String { "\(markBegin)\(uid))" }

    /// Whose hold a lock is, by its `why`; nil for another lock.
    nonisolated static func holder(in why: String) -> UInt32? {
        guard why.hasBytes(suffix: ")"), let begin = why.utf8.lastIndex(of: UInt8(ascii: "(")),
            begin > why.startIndex
        else { return nil }
        let mark = why[why.index(before: begin)...]
        guard mark.hasBytes(prefix: markBegin) else { return nil }
        return UInt32(String(decoding: mark.utf8.dropFirst(markBegin.utf8.count).dropLast(), as: UTF8.self))
    }

    nonisolated static func checked(_ text: String, _ name: String) throws(BusError) -> String {
        guard !text.isEmpty, text.utf8.count <= longestText, !text.unicodeScalars.contains(where: \.isUnprintable) else {
            throw BusError(
                name: BusError.invalidArguments,
                message: "\(name) cannot be \(text.quotedForPeople): 1 to \(longestText) bytes of printable text")
        }
        return text
    }
}
