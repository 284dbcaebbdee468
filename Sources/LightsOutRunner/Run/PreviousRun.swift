public import Glibc
public import LightsOutCore
import Systemd

/// Brings a backup's state into order before a new run or after the end of its unit: a run that lost its runner gets
/// the end that the runner could not write, and an end that the journal does not have is recorded now. So each run has
/// exactly one finished record, whatever happened in between.
///
/// Only the holder of the backup's ``RunExclusion`` may call it.
public struct PreviousRun {
    let backup: BackupName
    let store: RunStateStore
    let log: RunLog

    public init(_ backup: BackupName, store: RunStateStore, log: RunLog) {
        self.backup = backup
        self.store = store
        self.log = log
    }

    /// - Parameter reason: why a run that is found under way is aborted, where the caller knows; nil finds out.
    /// - Returns: the state, settled; nil where there is none.
    @discardableResult
    public func settle(because reason: String? = nil) -> RunState? {
        guard let state = read() else { return nil }
        switch state.phase {
        case .running(let boot, _):
            let outcome = Outcome(.aborted, reason: reason ?? cause(boot: boot))
            let ended = state.ended(outcome, at: Timestamp(microseconds: Clock.realtime), recorded: false)
            do throws(SystemError) { try store.write(ended, of: backup) } catch { complain(error) }
            record(ended)
            return ended
        case .ended(_, _, recorded: false):
            // The runner ended between the durable state and the note that it is recorded: the journal knows.
            if !isInJournal(state) { record(state) } else { markRecorded() }
            return state
        case .ended:
            return state
        }
    }

    /// The processes of a run whose runner is gone, where systemd did not end them: one that was started by hand.
    public static func survivors(of state: RunState) -> [pid_t] {
        guard case .running(let boot, _) = state.phase, boot == (try? Identity.boot()) else { return [] }
        return ProcessTree.withEnvironment("LIGHTSOUT_RUN=\(state.run)")
    }

    /// Reads the state; a damaged one has been set aside and is reported.
    public func read() -> RunState? {
        do throws(SystemError) {
            switch try store.read(backup) {
            case .nothing: return nil
            case .state(let state): return state
            case .setAside(let path, let reason):
                log.write(
                    .notice(
                        "its state file was damaged (\(reason)) and has been set aside as \(path); the last result is in the journal",
                        backup: backup, priority: .warning))
                return nil
            }
        } catch {
            complain(error)
            return nil
        }
    }

    /// Hands the record of the ended run to the journal and notes that it has it.
    func record(_ state: RunState) {
        guard case .ended(let outcome, let time, _) = state.phase else { return }
        let isRecorded = log.write(
            .finished(
                backup, state.run, state.trigger, outcome, started: state.started,
                duration: time.since(state.started)))
        if isRecorded { markRecorded() }
    }

    private func markRecorded() {
        do throws(SystemError) { try store.markRecorded(backup) } catch where error.code == ENOENT {
            // There is no state to mark: it could not be written, and that has been reported.
        } catch { complain(error) }
    }

    private func cause(boot: String) -> String {
        boot == (try? Identity.boot())
            ? "its runner ended without a result (killed, or out of memory)"
            : Outcome.Reason.machineWentDown
    }

    private func isInJournal(_ state: RunState) -> Bool {
        do throws(SystemError) {
            let journal = try JournalReader()
            try journal.match("MESSAGE_ID", JournalRecord.MessageID.finished)
            try journal.match(JournalRecord.Field.run, state.run.description)
            try journal.match("_UID", String(geteuid()))
            try journal.seekToEnd()
            if try journal.previous() { return true }
            // journald may not have got to it yet: it takes milliseconds, and this is a rare way to be on.
            try journal.wait(timeout: 300_000)
            try journal.seekToEnd()
            return try journal.previous()
        } catch { return false }
    }

    func complain(_ error: SystemError) {
        log.write(
            .notice(
                "its state cannot be kept in \(store.directory): \(error). The run is not affected, but a crash or a loss of power during it would go unnoticed. Make room there, or make it writable",
                backup: backup, priority: .warning))
    }
}
