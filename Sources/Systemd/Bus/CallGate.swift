import CSystemd
import Glibc

/// Keeps one connection's calls from taking the time of all others.
///
/// While the loop keeps up with what arrives, every call passes. When it has been busy without a pause for a while, each
/// connection gets an equal share, and what goes beyond is turned away at once: calls come in the order of their arrival, so
/// what must wait behind a flood waits as long as the flood takes to be dealt with.
public final class CallGate {
    private let memory: Memory
    private var gate: UnsafeMutablePointer<lo_gate> { memory.gate }
    private let exempt: (interface: String, member: String)
    private var idle: EventSource?
    private var slot: BusSlot?

    /// A loop that was busy for this long has had a flood.
    private static let flood: UInt64 = 50_000

    /// - Parameters:
    ///   - exempt: calls that pass in any case.
    ///   - onCalm: called when the loop has nothing to do after a flood.
    public init(
        _ bus: Bus, _ loop: EventLoop, exempt: (interface: String, member: String), onCalm: @escaping () -> Void
    ) throws(BusError) {
        memory = Memory()
        lo_gate_init(memory.gate, UInt32.random(in: 1 ... .max))
        self.exempt = exempt
        do throws(SystemError) {
            let source = try loop.soon { [unowned self] in
                let began = lo_gate_idle(self.gate)
                idle?.disable()
                if began > 0, Clock.monotonic - began > Self.flood { onCalm() }
            }
            // After everything else that is to be done.
            try source.setPriority(1000)
            idle = source
        } catch { throw BusError(error) }
        slot = try bus.addFilter(self) { raw, userdata, _ in
            guard let userdata else { return 0 }
            return Unmanaged<CallGate>.fromOpaque(userdata).takeUnretainedValue().judge(raw)
        }
    }

    /// What the functions in C keep, for as long as the gate.
    private nonisolated struct Memory: ~Copyable {
        let gate = UnsafeMutablePointer<lo_gate>.allocate(capacity: 1)

        deinit { gate.deallocate() }
    }

    /// - Returns: 1 for a call that is dealt with, 0 for one that passes.
    private func judge(_ raw: OpaquePointer?) -> Int32 {
        guard let sender = sd_bus_message_get_sender(raw), sd_bus_message_is_method_call(raw, nil, nil) > 0 else { return 0 }
        let now = Clock.monotonic
        if lo_gate_begins(gate, now) != 0 { idle?.enable() }
        if lo_gate_passes(gate, sender, now) != 0 || sd_bus_message_is_method_call(raw, exempt.interface, exempt.member) > 0 {
            return 0
        }
        if sd_bus_message_get_expect_reply(raw) > 0 {
            var error = sd_bus_error()
            sd_bus_error_set(
                &error, "org.freedesktop.DBus.Error.LimitsExceeded", "too many calls come at a time. Try again later")
            sd_bus_reply_method_error(raw, &error)
            sd_bus_error_free(&error)
        }
        return 1
    }
}
