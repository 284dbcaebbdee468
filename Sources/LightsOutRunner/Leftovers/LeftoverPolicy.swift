public import LightsOutCore

/// Decides what a run does about the processes that its script left behind: events and "now" in, effects out.
///
/// `now` is a time that nobody sets, in microseconds (CLOCK_MONOTONIC).
public nonisolated struct LeftoverPolicy: Sendable {
    public enum Effect: Hashable, Sendable {
        /// The script has ended and processes of it live on: let those know who plan by it.
        case note
        /// Tell people which they are.
        case tell
        /// Let them live on outside the run, and end the run.
        case detach
        /// Ask them to end, by SIGTERM.
        case terminate
        /// End them by SIGKILL.
        case kill
        /// See which of them SIGKILL has not ended: ``LeftoverPolicy/seen(areAllStuck:now:)``.
        case look
        /// End the run although they are still there.
        case abandon
        /// Call `tick` at that time.
        case arm(UInt64)
    }

    private enum Phase: Hashable, Sendable {
        case script
        case waiting(tellAt: UInt64?, endAt: UInt64?)
        case terminated(killAt: UInt64)
        case killed(at: UInt64, lookAt: UInt64)
        case over
    }

    /// How long what is left behind is nobody's business.
    public static let tellAfter: UInt64 = 60_000_000
    /// How long SIGKILL usually takes at most, and after what time a process in uninterruptible sleep is told of.
    static let firstLook: UInt64 = 1_000_000
    /// How long the run waits for processes in uninterruptible sleep after SIGKILL.
    public static let patience: UInt64 = 10_000_000

    private let rule: LeftoversPolicy
    private let timeout: TimeSpan
    private let stopTimeout: TimeSpan
    private var phase = Phase.script

    public init(rule: LeftoversPolicy, timeout: TimeSpan, stopTimeout: TimeSpan) {
        self.rule = rule
        self.timeout = timeout
        self.stopTimeout = stopTimeout
    }

    /// Whether the policy itself has begun to end them.
    public var isEnding: Bool {
        switch phase {
        case .terminated, .killed: true
        case .script, .waiting, .over: false
        }
    }

    /// The script has ended, and processes of it live on.
    public mutating func scriptEnded(now: UInt64) -> [Effect] {
        guard phase == .script else { return [] }
        switch rule {
        case .wait:
            let endAt = timeout.isInfinite ? nil : now &+ timeout.microseconds
            phase = .waiting(tellAt: now + Self.tellAfter, endAt: endAt)
            return [.note] + armed
        case .kill: return [.note] + terminate(now)
        case .detach:
            phase = .waiting(tellAt: now + Self.tellAfter, endAt: nil)
            return [.note, .detach] + armed
        }
    }

    /// They cannot be detached: the run waits for them.
    public mutating func detachFailed(now: UInt64) -> [Effect] {
        phase = .waiting(tellAt: nil, endAt: timeout.isInfinite ? nil : now &+ timeout.microseconds)
        return [.tell] + armed
    }

    /// They have left the run.
    public mutating func detached() -> [Effect] {
        phase = .over
        return [.abandon]
    }

    /// The time that was armed has come.
    public mutating func tick(now: UInt64) -> [Effect] {
        switch phase {
        case .script, .over: return []
        case .waiting(let tellAt, let endAt):
            if let endAt, endAt <= now { return (tellAt == nil ? [] : [.tell]) + terminate(now) }
            guard let tellAt, tellAt <= now else { return armed }
            phase = .waiting(tellAt: nil, endAt: endAt)
            return [.tell] + armed
        case .terminated(let killAt):
            guard killAt <= now else { return armed }
            return [.kill]
        case .killed(_, let lookAt): return lookAt <= now ? [.look] : armed
        }
    }

    /// SIGKILL was sent to all processes of the run, by this policy or for a stop.
    public mutating func killed(now: UInt64) -> [Effect] {
        guard phase != .over else { return [] }
        if case .killed = phase { return [] }
        phase = .killed(at: now, lookAt: now + Self.firstLook)
        return armed
    }

    /// A stop has begun: it sends SIGTERM and SIGKILL itself.
    public mutating func stopBegan() {
        switch phase {
        case .waiting, .terminated: phase = .waiting(tellAt: nil, endAt: nil)
        case .script, .killed, .over: break
        }
    }

    /// What was seen after SIGKILL.
    /// - Parameter areAllStuck: whether every process that is left is in uninterruptible sleep. Others are ending: freeing
    ///   the memory of a large one takes a while.
    public mutating func seen(areAllStuck: Bool, now: UInt64) -> [Effect] {
        guard case .killed(let at, _) = phase else { return [] }
        if areAllStuck, now >= at + Self.patience {
            phase = .over
            return [.abandon]
        }
        phase = .killed(at: at, lookAt: max(at + Self.patience, now + Self.firstLook))
        return armed
    }

    private mutating func terminate(_ now: UInt64) -> [Effect] {
        if stopTimeout == .zero { return [.terminate, .kill] }
        guard !stopTimeout.isInfinite else {
            phase = .waiting(tellAt: nil, endAt: nil)
            return [.terminate]
        }
        phase = .terminated(killAt: now &+ stopTimeout.microseconds)
        return [.terminate] + armed
    }

    private var armed: [Effect] {
        switch phase {
        case .script, .over: []
        case .waiting(let tellAt, let endAt): [tellAt, endAt].compactMap { $0 }.min().map { [.arm($0)] } ?? []
        case .terminated(let killAt): [.arm(killAt)]
        case .killed(_, let lookAt): [.arm(lookAt)]
        }
    }
}
