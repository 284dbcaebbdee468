import LightsOutCore
import Systemd

/// Brings the schedule's memories to the disk: a few at once, and many, as of ten thousand backups that are all new, in
/// slices between the loop's other events, those that are due soonest first.
///
/// What is not written yet is nothing but the instant from which a new backup counts; who is due soonest has that on the
/// disk before the others. What has to be on the disk before a start is written at once, however much it is.
final class ScheduleMemoryWriter {
    /// Told when nothing can be written, once until it can again; then with nil.
    var onFailure: (SystemError?) -> Void = { _ in }

    private let store: ScheduleMemoryStore
    private let loop: EventLoop
    private var later: [BackupName: ScheduleMemory] = [:]
    /// Who is written next is last.
    private var order: [BackupName] = []
    private var slice: EventSource?
    /// What could not be written the last time that it was tried.
    private var failing: Set<BackupName> = []
    private var failingPause: Timestamp??
    private var hasFailed: Bool { !failing.isEmpty || failingPause != nil }
    private static let retryDelay = TimeSpan.seconds(30)

    /// The most that is written in one turn of the loop, where nothing depends on it.
    static let sliceSize = 256

    init(_ store: ScheduleMemoryStore, _ loop: EventLoop) {
        self.store = store
        self.loop = loop
    }

    typealias Memories = [(backup: BackupName, memory: ScheduleMemory)]

    /// Writes `memories`; they are on the disk when this returns, or it is tried again until they are.
    func write(_ memories: Memories) {
        telling { () -> SystemError? in
            var failures: ScheduleMemoryStore.Failures
            do throws(SystemError) { failures = try store.write(memories) } catch {
                failures = [:]
                for (backup, _) in memories { failures[backup] = error }
            }
            for (backup, memory) in memories {
                if failures[backup] == nil {
                    later[backup] = nil
                    failing.remove(backup)
                } else {
                    later[backup] = memory
                    failing.insert(backup)
                }
            }
            return failures.values.first
        }
    }

    /// Writes down until when everything is paused; the same holds for it.
    func writePause(until end: Timestamp?) {
        telling { () -> SystemError? in
            do throws(SystemError) {
                try store.writePause(until: end)
                failingPause = nil
                return nil
            } catch {
                failingPause = .some(end)
                return error
            }
        }
    }

    /// Tells of the first failure, and of the end of all; sees to it that it is tried again.
    private func telling(_ write: () -> SystemError?) {
        let hadFailed = hasFailed
        let error = write()
        if let error, !hadFailed { onFailure(error) }
        if hadFailed, !hasFailed { onFailure(nil) }
        if hasFailed, slice == nil { writeSoon(in: Self.retryDelay) }
    }

    /// Writes `memories`, the last of them perhaps some turns of the loop later.
    /// - Parameter due: when each is due.
    func writeInTime(_ memories: Memories, due: (BackupName) -> Timestamp?) {
        guard memories.count > Self.sliceSize else { return write(memories) }
        for (backup, memory) in memories { later[backup] = memory }
        let times = later.keys.map { backup in (due: due(backup) ?? .never, backup: backup) }
        order = times.sorted { left, right in left.due > right.due }.map(\.backup)
        writeSlice()
    }

    /// Writes what is still to be written.
    func finish() {
        if let failingPause { writePause(until: failingPause) }
        if !later.isEmpty { write(later.map { (backup: $0.key, memory: $0.value) }) }
    }

    /// Removes what is remembered of a backup that is no more.
    func forget(_ backup: BackupName) {
        later[backup] = nil
        failing.remove(backup)
        store.forget(backup)
    }

    private func writeSlice() {
        slice = nil
        if let failingPause { writePause(until: failingPause) }
        var memories: Memories = []
        while memories.count < Self.sliceSize, let backup = order.popLast() {
            if let memory = later[backup] { memories.append((backup, memory)) }
        }
        write(memories)
        if !order.isEmpty { writeSoon(in: .zero) }
    }

    private func writeSoon(in span: TimeSpan) {
        do throws(SystemError) {
            let next = try loop.after(span.microseconds) { [unowned self] in
                if order.isEmpty { order = Array(later.keys) }
                writeSlice()
            }
            // Everything else goes first.
            try next.setPriority(100)
            slice = next
        } catch { onFailure(error) }
    }
}
