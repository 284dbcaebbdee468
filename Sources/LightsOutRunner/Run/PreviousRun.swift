import Glibc
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
    /// What the last holder of the ``RunExclusion`` noted: it knows more where the disk was full.
    let noted: RunState?

    public init(_ backup: BackupName, store: RunStateStore, noted: RunState?, log: RunLog) {
        self.backup = backup
        self.store = store
        self.noted = noted
        self.log = log
    }

    /// - Parameter reason: why a run that is found under way is aborted, where the caller knows; nil finds out.
    /// - Returns: the state, settled; nil where there is none.
    @discardableResult
    public func settle(because reason: String? = nil) -> RunState? {
        settle { boot in Outcome(.aborted, reason: reason ?? cause(boot: boot)) }
    }

    /// - Parameter outcome: what becomes of a run that is found under way.
    /// - Returns: the state, settled; nil where there is none.
    @discardableResult
    public func settle(as outcome: Outcome) -> RunState? { settle { _ in outcome } }

    private func settle(_ outcome: (_ boot: String) -> Outcome) -> RunState? {
        guard let state = read() else { return nil }
        switch state.phase {
        case .running(let boot, _):
            // The end may be in the journal although the disk took nothing more.
            if let ended = endInJournal(of: state, waiting: false) {
                keep(ended)
                return ended
            }
            let ended = state.ended(outcome(boot), at: Timestamp(microseconds: Clock.realtime), recorded: false)
            keep(ended)
            return record(ended)
        case .ended(_, _, recorded: false):
            // The runner ended between the durable state and the note that it is recorded: the journal knows.
            if endInJournal(of: state, waiting: true) == nil { return record(state) }
            return markRecorded(state)
        case .ended:
            return state
        }
    }

    /// The processes of a run whose runner is gone, where systemd did not end them: one that was started by hand.
    public static func survivors(of state: RunState) -> [Int32] {
        guard case .running(let boot, _) = state.phase, boot == (try? Identity.boot()) else { return [] }
        return ProcessTree.withEnvironment("LIGHTSOUT_RUN=\(state.run)")
    }

    /// Reads the state; a damaged one has been set aside and is reported.
    public func read() -> RunState? {
        let kept = readKept()
        guard let noted, let kept else { return kept ?? noted }
        if noted.run != kept.run { return noted.started > kept.started ? noted : kept }
        if case .running = kept.phase { return noted }
        return kept
    }

    private func readKept() -> RunState? {
        do throws(SystemError) {
            switch try store.read(backup) {
            case .nothing: return nil
            case .state(let state): return state
            case .setAside(let path, let reason):
                log.write(
                    .notice(
                        "its state file was damaged (\(reason)) and has been set aside as \(path). The last result is in the journal; nothing needs to be done",
                        backup: backup, priority: .warning))
                return nil
            }
        } catch {
            complain(error)
            return nil
        }
    }

    /// Makes `state` durable; where that cannot be, it is reported and the run goes on.
    public func keep(_ state: RunState) {
        do throws(SystemError) { try store.write(state, of: backup) } catch { complain(error) }
    }

    /// Hands the record of the ended run to the journal and notes that it has it.
    /// - Returns: the state with that note.
    public func record(_ state: RunState) -> RunState {
        guard case .ended(let outcome, let time, _) = state.phase else { return state }
        let isRecorded = log.write(
            .finished(
                backup, state.run, state.trigger, outcome, started: state.started,
                duration: time.since(state.started)))
        return isRecorded ? markRecorded(state) : state
    }

    private func markRecorded(_ state: RunState) -> RunState {
        guard case .ended(let outcome, let time, _) = state.phase else { return state }
        do throws(SystemError) { try store.markRecorded(state, of: backup) } catch { complain(error) }
        var recorded = state
        recorded.phase = .ended(outcome, at: time, recorded: true)
        return recorded
    }

    private func cause(boot: String) -> String {
        boot == (try? Identity.boot())
            ? "its runner ended without a result (killed, or out of memory)"
            : Outcome.Reason.machineWentDown
    }

    /// The end of the run as the journal has it; nil where it does not.
    /// - Parameter waiting: whether journald may be a moment behind.
    private func endInJournal(of state: RunState, waiting: Bool) -> RunState? {
        do throws(SystemError) {
            let journal = try JournalReader()
            try journal.match("MESSAGE_ID", JournalRecord.MessageID.finished)
            try journal.match(JournalRecord.Field.run, state.run.description)
            try journal.match("_UID", String(geteuid()))
            try journal.seekToEnd()
            var isFound = try journal.previous()
            if !isFound && waiting {
                try journal.wait(timeout: 300_000)
                try journal.seekToEnd()
                isFound = try journal.previous()
            }
            guard isFound, let result = journal.field(JournalRecord.Field.result).flatMap(RunResult.init(rawValue:)),
                let duration = journal.field(JournalRecord.Field.duration).flatMap(UInt64.init)
            else { return nil }
            let outcome = Outcome(
                result, exitStatus: journal.field(JournalRecord.Field.exitStatus).flatMap(Int32.init),
                signal: journal.field(JournalRecord.Field.signal).flatMap(Int32.init),
                reason: journal.field(JournalRecord.Field.reason))
            return state.ended(outcome, at: state.started + TimeSpan(microseconds: duration), recorded: true)
        } catch { return nil }
    }

    func complain(_ error: SystemError) {
        log.write(
            .notice(
                "its state cannot be kept in \(store.directory): \(error). The run is not affected, but a loss of power during it would go unnoticed. Make room there, or make it writable",
                backup: backup, priority: .warning))
    }
}
