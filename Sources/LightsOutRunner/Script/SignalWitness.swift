import CSpawn
import Glibc
import Systemd

/// Finds out whether a signal from systemd went to all processes of the unit or to the runner alone.
///
/// `systemctl stop` signals them all, but with `KillMode=mixed` or `process`, and with `systemctl kill --kill-whom=main`, it
/// signals the main process only; the signal itself does not tell. The witness is a process in the unit's cgroup that does
/// nothing but die by such a signal.
final class SignalWitness {
    /// The process, which is none of the script's.
    let pid: pid_t
    private let descriptor: Descriptor
    private let loop: EventLoop
    private var sources: [EventSource] = []

    /// systemd signals the main process first and the others at once after it.
    private static let patience: UInt64 = 300_000

    init(_ loop: EventLoop) throws(SystemError) {
        self.loop = loop
        var pid: pid_t = 0
        descriptor = Descriptor(owning: try Self.check(lo_witness_start(&pid)))
        self.pid = pid
    }

    private static func check(_ result: Int32) throws(SystemError) -> Int32 {
        guard result >= 0 else { throw SystemError(code: -result, operation: "start the witness of signals") }
        return result
    }

    /// Calls `then` once: with true where the signal that the runner has just got went to all processes of the unit.
    func wereAllSignalled(_ then: @escaping (Bool) -> Void) {
        guard sources.isEmpty else { return }
        var isTold = false
        let tell = { (all: Bool) in
            guard !isTold else { return }
            isTold = true
            then(all)
        }
        do throws(SystemError) {
            sources = [
                try loop.onEvents(Linux.canBeRead, of: descriptor.number) { [unowned self] _ in
                    sources = []
                    tell(true)
                },
                try loop.after(Self.patience) { [unowned self] in
                    sources = []
                    tell(false)
                },
            ]
        } catch { tell(true) }
    }

    /// Ends it.
    func dismiss() {
        sources = []
        lo_witness_stop(descriptor.number)
    }
}
