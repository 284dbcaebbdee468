import CSystemd
import Glibc

/// A signal as it came, from signalfd(2).
public nonisolated struct ReceivedSignal: Sendable {
    public let number: Int32
    /// The process that sent it; 1 is the service manager. 0 where the kernel did or the sender is in another namespace.
    public let sender: Int32
}

/// The clocks a timer can run on.
public nonisolated enum TimerClock: Sendable {
    /// The wall clock; an elapse in the past comes at once.
    case realtime
    /// The wall clock, and the machine is woken from sleep for it; needs an RTC and CAP_WAKE_ALARM.
    case realtimeAlarm
    case monotonic
    /// Like `monotonic`, but it counts sleep.
    case boottime

    var number: clockid_t {
        switch self {
        case .realtime: CLOCK_REALTIME
        case .realtimeAlarm: CLOCK_REALTIME_ALARM
        case .monotonic: CLOCK_MONOTONIC
        case .boottime: CLOCK_BOOTTIME
        }
    }
}

/// A change that inotify(7) saw.
public nonisolated struct FileChange: Sendable {
    public let mask: UInt32
    /// The name in a watched directory; empty for the watched file itself.
    public let name: String
}

extension EventLoop {
    /// Blocks `signal` for the process's thread and hands it to `handler` from the loop (sd_event_add_signal(3)).
    public func onSignal(
        _ signal: Int32, _ handler: @escaping (ReceivedSignal) -> Void
    ) throws(SystemError) -> EventSource {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, signal)
        try retryingInterrupts("block signal \(signal)") { sigprocmask(SIG_BLOCK, &set, nil) }
        let box = Handler(handler)
        var source: OpaquePointer?
        try check(
            sd_event_add_signal(
                raw, &source, signal,
                { _, info, userdata in
                    guard let info else { return 0 }
                    let received = ReceivedSignal(
                        number: Int32(info.pointee.ssi_signo), sender: Int32(bitPattern: info.pointee.ssi_pid))
                    Handler<ReceivedSignal>.from(userdata)?.call(received)
                    return 0
                }, box.pointer), "wait for signal \(signal)")
        return try EventSource(owning: source, handler: box, "wait for a signal")
    }

    /// Calls `handler` once at `time`, microseconds of `clock`, at most `accuracy` microseconds late (0 is sd-event's
    /// default of 250 ms). ``EventSource/rearm(at:)`` sets it again.
    public func at(
        _ time: UInt64, _ clock: TimerClock, accuracy: UInt64 = 1, _ handler: @escaping () -> Void
    ) throws(SystemError) -> EventSource {
        let box = Handler<Void> { _ in handler() }
        var source: OpaquePointer?
        try check(
            sd_event_add_time(
                raw, &source, clock.number, time, accuracy,
                { _, _, userdata in
                    Handler<Void>.from(userdata)?.call(())
                    return 0
                }, box.pointer), "set a timer")
        return try EventSource(owning: source, handler: box, "set a timer")
    }

    /// Calls `handler` once, `span` microseconds from now; CLOCK_MONOTONIC, so sleep does not count.
    public func after(_ span: UInt64, _ handler: @escaping () -> Void) throws(SystemError) -> EventSource {
        let (time, overflow) = Clock.monotonic.addingReportingOverflow(span)
        return try at(overflow ? .max : time, .monotonic, handler)
    }

    /// Calls `handler` with the epoll(7) events whenever the descriptor has any of `events`. The descriptor stays the
    /// caller's and must outlive the source.
    public func onEvents(
        _ events: UInt32, of descriptor: Int32, _ handler: @escaping (UInt32) -> Void
    ) throws(SystemError) -> EventSource {
        let box = Handler(handler)
        var source: OpaquePointer?
        try check(
            sd_event_add_io(
                raw, &source, descriptor, events,
                { _, _, events, userdata in
                    Handler<UInt32>.from(userdata)?.call(events)
                    return 0
                }, box.pointer), "watch a descriptor")
        return try EventSource(owning: source, handler: box, "watch a descriptor")
    }

    /// Calls `handler` for the changes of `path` that `mask` names (inotify(7)). The watch is on when this returns:
    /// read the file after it, and nothing is missed between.
    public func onChange(
        of path: String, _ mask: UInt32, _ handler: @escaping (FileChange) -> Void
    ) throws(SystemError) -> EventSource {
        let box = Handler(handler)
        var source: OpaquePointer?
        try check(
            sd_event_add_inotify(
                raw, &source, path, mask,
                { _, event, userdata in
                    guard let event else { return 0 }
                    let name =
                        event.pointee.len == 0
                        ? ""
                        : String(
                            cString: UnsafeRawPointer(event).advanced(by: MemoryLayout<inotify_event>.size)
                                .assumingMemoryBound(to: CChar.self))
                    Handler<FileChange>.from(userdata)?.call(FileChange(mask: event.pointee.mask, name: name))
                    return 0
                }, box.pointer), "watch \(path)")
        return try EventSource(owning: source, handler: box, "watch \(path)")
    }

    /// Calls `handler` in the next turn of the loop, once.
    public func soon(_ handler: @escaping () -> Void) throws(SystemError) -> EventSource {
        let box = Handler<Void> { _ in handler() }
        var source: OpaquePointer?
        try check(
            sd_event_add_defer(
                raw, &source,
                { _, userdata in
                    Handler<Void>.from(userdata)?.call(())
                    return 0
                }, box.pointer), "defer a step")
        return try EventSource(owning: source, handler: box, "defer a step")
    }
}
