import CSystemd
import Glibc

/// The one event loop of a process (sd-event(3)): signals, timers, descriptors, files and the bus are all handled on
/// its thread, one after the other.
///
/// What a registration function returns keeps the registration alive; it ends when that value goes.
///
///     let loop = try EventLoop()
///     let term = try loop.onSignal(SIGTERM) { _ in loop.exit(0) }
///     let status = try loop.run()
public final class EventLoop {
    private let handle: OwnedHandle

    /// The handle, for the modules of libsystemd that attach to it.
    var raw: OpaquePointer { handle.raw }

    public init() throws(SystemError) {
        var raw: OpaquePointer?
        try check(sd_event_new(&raw), "make the event loop")
        handle = try OwnedHandle(raw, "make the event loop", release: sd_event_unref)
    }

    /// Handles events until ``exit(_:)`` is called; the result is what was given to it.
    public func run() throws(SystemError) -> Int32 {
        try check(sd_event_loop(raw), "run the event loop")
    }

    /// Handles what is there, waiting at most `timeout` microseconds for something to come.
    /// - Returns: whether the loop goes on.
    @discardableResult
    public func runOnce(timeout: UInt64) throws(SystemError) -> Bool {
        try check(sd_event_run(raw, timeout), "run the event loop")
        return sd_event_get_state(raw) != SD_EVENT_FINISHED
    }

    /// Ends ``run()`` after the events at hand.
    public func exit(_ code: Int32) { sd_event_exit(raw, code) }

    /// Answers the service manager's watchdog from the loop, where the unit has one (sd_event_set_watchdog(3)).
    public func answerWatchdog() throws(SystemError) {
        try check(sd_event_set_watchdog(raw, 1), "answer the watchdog")
    }
}

/// Keeps one registration with an ``EventLoop`` alive and ends it when it goes.
public final class EventSource {
    private let handle: OwnedHandle
    /// What libsystemd's `userdata` points to: it must live as long as the source.
    private let handler: AnyObject

    var raw: OpaquePointer { handle.raw }

    init(owning raw: OpaquePointer?, handler: AnyObject, _ operation: String) throws(SystemError) {
        handle = try OwnedHandle(raw, operation, release: sd_event_source_disable_unref)
        self.handler = handler
    }

    /// Events of a smaller priority are handled first; 0 is the ordinary one (sd_event_source_set_priority(3)).
    public func setPriority(_ priority: Int64) throws(SystemError) {
        try check(sd_event_source_set_priority(raw, priority), "set the priority of an event source")
    }

    /// Takes no events until ``enable()``.
    public func disable() { sd_event_source_set_enabled(raw, Int32(SD_EVENT_OFF)) }
    public func enable() { sd_event_source_set_enabled(raw, Int32(SD_EVENT_ON)) }

    /// Moves a timer to `time`, microseconds of its own clock, and arms it for one elapse.
    public func rearm(at time: UInt64) throws(SystemError) {
        try check(sd_event_source_set_time(raw, time), "set a timer")
        try check(sd_event_source_set_enabled(raw, Int32(SD_EVENT_ONESHOT)), "arm a timer")
    }
}

/// Holds a Swift closure where C wants a pointer.
final class Handler<Value> {
    let call: (Value) -> Void

    init(_ call: @escaping (Value) -> Void) { self.call = call }

    var pointer: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    /// The handler behind a `userdata`; it is kept alive for the call, so that the call may end its own registration.
    static func from(_ pointer: UnsafeMutableRawPointer?) -> Handler<Value>? {
        pointer.map { Unmanaged<Handler<Value>>.fromOpaque($0).takeUnretainedValue() }
    }
}
