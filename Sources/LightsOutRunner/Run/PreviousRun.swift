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

    /// How it is found out that the journal has a record.
    public enum Confirmation: Sendable {
        /// By looking, and where it is not there yet, by waiting until journald has dealt with all that was sent to it.
        case waiting
        /// By looking. journald has dealt with all that was sent to it since these runs ended: what is not there of them was
        /// dropped. Of another run it may come yet.
        case afterSync(of: Set<RunIdentifier>)
        /// By looking. What is not there may come yet.
        case glance
    }

    /// - Parameters:
    ///   - reason: why a run that is found under way is aborted, where the caller knows; nil finds out.
    ///   - confirmation: how it is found out that the journal has the record.
    /// - Returns: the state, settled; nil where there is none. Where the journal does not have the record, the state says so.
    @discardableResult
    public func settle(because reason: String? = nil, confirmation: Confirmation = .waiting) -> RunState? {
        settle(confirmation) { boot in Outcome(.aborted, reason: reason ?? cause(boot: boot)) }
    }

    /// - Parameter outcome: what becomes of a run that is found under way.
    /// - Returns: the state, settled; nil where there is none.
    @discardableResult
    public func settle(as outcome: Outcome) -> RunState? { settle(.glance) { _ in outcome } }

    private func settle(_ confirmation: Confirmation, _ outcome: (_ boot: String) -> Outcome) -> RunState? {
        payOwed(confirmation)
        guard let state = read() else { return nil }
        switch state.phase {
        case .running(let boot, _):
            // The end may be in the journal although the disk took nothing more.
            if case .waiting = confirmation, RunRecords(of: state.run)?.end == nil { _ = JournalSync.wait(timeout: Self.patience) }
            if let (outcome, duration) = RunRecords(of: state.run)?.end {
                let ended = state.ended(outcome, at: state.started + duration, recorded: true)
                keep(ended)
                return ended
            }
            let ended = state.ended(outcome(boot), at: Timestamp(microseconds: Clock.realtime), recorded: false)
            keep(ended)
            send(ended)
            if case .waiting = confirmation { return confirm(ended, .waiting) }
            return ended
        case .ended(_, _, recorded: false):
            return confirm(state, confirmation)
        case .ended:
            return state
        }
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

    /// Hands the record of the ended run to the journal. Whether the journal keeps it, ``confirm(_:_:)`` finds out.
    public func send(_ state: RunState) {
        guard case .ended(let outcome, let time, _) = state.phase else { return }
        guard !state.notes.refused else {
            return _ = log.write(.refused(backup, state.run, state.trigger, reason: outcome.reason ?? ""))
        }
        log.write(
            .finished(
                backup, state.run, state.trigger, outcome, started: state.started,
                duration: time.since(state.started), reporter: state.reporter?.uid))
    }

    /// Sees to it that the journal has the records of the ended run, once each, and notes that it has.
    ///
    /// A record that was sent may be dropped (by a rate limit, a full disk, a journald that was stopped), or may be on its
    /// way. It is sent again only when it is known to have been dropped, so that there are never two.
    /// - Returns: the state, with the note where the journal has the records.
    public func confirm(_ state: RunState, _ confirmation: Confirmation) -> RunState {
        guard let records = RunRecords(of: state.run) else { return state }
        if records.areComplete(for: state) { return markRecorded(state) }
        switch confirmation {
        case .glance: return state
        case .afterSync(let runs):
            if runs.contains(state.run) { send(state, without: records) }
            return state
        case .waiting: return confirmAfterSync(state)
        }
    }

    private func confirmAfterSync(_ state: RunState) -> RunState {
        guard JournalSync.wait(timeout: Self.patience) else { return awaitRecords(of: state) }
        guard let records = RunRecords(of: state.run) else { return state }
        if records.areComplete(for: state) { return markRecorded(state) }
        send(state, without: records)
        guard JournalSync.wait(timeout: Self.patience), isInJournal(state) else { return state }
        return markRecorded(state)
    }

    private func isInJournal(_ state: RunState) -> Bool { RunRecords(of: state.run)?.areComplete(for: state) ?? false }

    /// Sends the records of the run that are not among those that the journal has.
    private func send(_ state: RunState, without records: RunRecords) {
        for kind in records.missing(for: state) {
            switch kind {
            case .started: log.write(.started(backup, state.run, state.trigger))
            case .finished, .refused: send(state)
            case .lock(let change): log.write(.lock(change, backup, state.run, message: change.lateMessage))
            }
        }
    }

    /// How long journald may take, microseconds: somebody waits for it.
    private static let patience: UInt64 = 3_000_000

    /// For whoever may not ask journald: looks a few times, and leaves the rest to others.
    private func awaitRecords(of state: RunState) -> RunState {
        for pause: UInt32 in [5_000, 20_000, 75_000, 200_000] {
            usleep(pause)
            if isInJournal(state) { return markRecorded(state) }
        }
        return state
    }

    /// Confirms the records of earlier runs that were owed when another run began.
    private func payOwed(_ confirmation: Confirmation) {
        for state in store.owed(of: backup) {
            if case .ended(_, _, recorded: true) = confirm(state, confirmation).phase {
                store.pay(state, of: backup)
            } else if case .waiting = confirmation {
                return // journald does not answer; the others would wait as long
            }
        }
    }

    /// Keeps what is owed of the last run before a new run takes its place.
    public func makeRoom(after last: RunState?) {
        guard let last, case .ended(_, _, recorded: false) = last.phase else { return }
        do throws(SystemError) { try store.owe(last, of: backup) } catch { complain(error) }
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

    func complain(_ error: SystemError) {
        log.write(
            .notice(
                "its state cannot be kept in \(store.directory): \(error). The run is not affected, but a loss of power during it would go unnoticed. Make room there, or make it writable",
                backup: backup, priority: .warning))
    }
}

extension JournalRecord.LockChange {
    /// What a record says that is sent again.
    fileprivate nonisolated var lateMessage: String {
        switch self {
        case .taken: "standby was blocked for it"
        case .lost: "the standby lock was lost"
        case .released: "standby is no longer blocked by it"
        case .refused: "no standby lock was to be had"
        }
    }
}
