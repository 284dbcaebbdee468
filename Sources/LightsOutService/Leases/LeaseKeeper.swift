import Glibc
public import LightsOutCore
import LightsOutRunner
public import Systemd

/// Holds reported backups while lightsoutd is stopped, and locks for processes that outlived their runner: the process of `lightsout-keeper.service`.
///
/// The daemon hands each open report over when it is stopped and takes it back when it is started. If the reporting process
/// ends meanwhile, the keeper lets go of its lock and records the end. Copies of what it holds are in its own descriptor store,
/// so a keeper that is killed loses nothing.
public final class LeaseKeeper {
    /// One reported backup.
    private struct Kept: ~Copyable {
        let exclusion: RunExclusion
        let process: ReportingProcess
        let lock: Descriptor?
        /// What the copy of the lock in the store is called. An earlier keeper may have stored it, and the service manager keeps
        /// a descriptor only once.
        let lockName: String

        var lockNumber: Int32? {
            switch lock {
            case .some(let lock): lock.number
            case nil: nil
            }
        }
        var numbers: [Int32] { [exclusion.number, process.descriptor.number] + (lockNumber.map { [$0] } ?? []) }
    }

    private final class Holding {
        let kept: Kept
        var death: EventSource?
        init(_ kept: consuming Kept) { self.kept = kept }
    }

    private final class Connection {
        let channel: DescriptorChannel
        var source: EventSource?
        /// What the other side was given and has not confirmed yet.
        var given: [BackupName] = []
        init(_ channel: consuming DescriptorChannel) { self.channel = channel }
    }

    private let directories: Directories
    private let loop: EventLoop
    private let log = RunLog(isUnit: true)
    private var holdings: [BackupName: Holding] = [:]
    private var listener: Descriptor?
    private var connections: [Int32: Connection] = [:]
    private var survivors: [BackupName: SurvivorLock] = [:]
    /// Those whose lock is not taken yet: that may wait, and so is not done while the loop handles an event.
    private var newSurvivors: [SurvivorLock] = []
    private var isOver = false
    private var sources: [EventSource] = []

    public init(directories: Directories) throws(SystemError) {
        self.directories = directories
        loop = try EventLoop()
    }

    /// Runs until there is nothing to hold.
    /// - Returns: the exit status.
    public func run() throws(SystemError) -> Int32 {
        sources.append(try loop.onSignal(SIGTERM) { [unowned self] _ in isOver = true })
        var stored: [(name: String, number: Int32)] = []
        for (name, number) in try ServiceManager.takeStored() {
            if name == LockKeeper.socketUnit { listener = Descriptor(owning: number) } else { stored.append((name, number)) }
        }
        guard let number = listener?.number else {
            for (_, number) in stored { close(number) }
            throw SystemError(code: ENOTCONN, operation: "take over the socket of \(LockKeeper.socketUnit)")
        }
        restore(LeaseStore.Remains(stored))
        sources.append(try loop.onEvents(Linux.canBeRead, of: number) { [unowned self] _ in accept() })
        // A connection that comes later starts another keeper.
        accept()
        while true {
            while let next = newSurvivors.popLast() { next.begin() }
            if isOver || holdings.isEmpty && connections.isEmpty && survivors.isEmpty { return 0 }
            try loop.runOnce(timeout: .max)
        }
    }

    // MARK: Connections

    private func accept() {
        guard let number = listener?.number, Readiness.wait(for: POLLIN, of: number, until: Clock.monotonic + 1000) else { return }
        do throws(SystemError) {
            let connection = Connection(try DescriptorChannel(acceptedFrom: number))
            guard connection.channel.peer == 0 else { return }
            let socket = connection.channel.number
            connection.source = try loop.onEvents(Linux.canBeRead, of: socket) { [unowned self, unowned connection] _ in
                receive(from: connection)
            }
            connections[socket] = connection
        } catch { log.write(.notice("a connection failed: \(error)", priority: .warning)) }
    }

    private func receive(from connection: Connection) {
        do throws(SystemError) {
            guard var message = try connection.channel.receive() else { return forget(connection) }
            switch LockKeeper.Message(text: message.text) {
            case .keep(let backup, let hasLock): keep(backup, hasLock: hasLock, &message)
            case .survivors(let backup): keepSurvivors(of: backup, &message)
            case .take: try giveAll(to: connection)
            case .taken:
                for backup in connection.given { drop(backup) }
                connection.given = []
            case .end, nil: forget(connection)
            }
        } catch {
            log.write(.notice("a connection failed: \(error)", priority: .warning))
            forget(connection)
        }
    }

    private func forget(_ connection: Connection) {
        connections[connection.channel.number] = nil
    }

    private func giveAll(to connection: Connection) throws(SystemError) {
        for (backup, holding) in holdings {
            try connection.channel.send(.keep(backup, hasLock: holding.kept.lockNumber != nil), holding.kept.numbers)
            connection.given.append(backup)
        }
        try connection.channel.send(.end)
    }

    // MARK: What is held

    private func keep(_ backup: BackupName, hasLock: Bool, _ message: inout DescriptorChannel.Message) {
        guard message.count == (hasLock ? 3 : 2), let exclusion = message.takeDescriptor(),
            let process = message.takeDescriptor()
        else { return }
        let lock = hasLock ? message.takeDescriptor() : nil
        keep(backup, RunExclusion(adopting: exclusion), process, lock, named: LeaseStore.name(.lock, of: backup))
    }

    private func keep(
        _ backup: BackupName, _ exclusion: consuming RunExclusion, _ pidfd: consuming Descriptor?, _ lock: consuming Descriptor?,
        named lockName: String
    ) {
        guard let state = exclusion.previous, let reporter = state.reporter, case .running(_, let pid) = state.phase else { return }
        guard let process = ReportingProcess(again: pid, start: reporter.processStart, stored: pidfd) else {
            return end(backup, exclusion, pid, lockName)
        }
        let number = process.descriptor.number
        LeaseStore.keep(exclusion.number, as: LeaseStore.name(.exclusion, of: backup)) { [log] in log.write($0) }
        LeaseStore.keep(number, as: LeaseStore.name(.process, of: backup)) { [log] in log.write($0) }
        if let lock = lock?.number {
            LeaseStore.keep(lock, as: lockName) { [log] in log.write($0) }
        }
        let holding = Holding(Kept(exclusion: exclusion, process: process, lock: lock, lockName: lockName))
        holdings[backup] = holding
        holding.death = try? loop.onEvents(Linux.canBeRead, of: number) { [unowned self] _ in died(backup) }
        if holding.death == nil {
            log.write(.notice("the end of process \(pid) cannot be watched for", backup: backup, priority: .error))
        }
    }

    private func keepSurvivors(of backup: BackupName, _ message: inout DescriptorChannel.Message) {
        guard survivors[backup] == nil, let exclusion = message.takeDescriptor() else { return }
        let held = SurvivorLock(
            backup, RunExclusion(adopting: exclusion), directories: directories, loop: loop, log: log,
            onEnd: { [unowned self] in survivors[backup] = nil })
        guard let held else { return }
        survivors[backup] = held
        newSurvivors.append(held)
    }

    private func died(_ backup: BackupName) {
        guard let holding = holdings[backup] else { return }
        let pid = holding.kept.process.pid
        // The record comes first, the lock goes last.
        settle(backup, noted: holding.kept.exclusion.previous, pid) { holding.kept.exclusion.note($0) }
        holding.kept.exclusion.release()
        drop(backup)
    }

    private func end(_ backup: BackupName, _ exclusion: borrowing RunExclusion, _ pid: Int32, _ lockName: String) {
        settle(backup, noted: exclusion.previous, pid) { exclusion.note($0) }
        exclusion.release()
        unstore(backup, lockName)
    }

    private func settle(_ backup: BackupName, noted: RunState?, _ pid: Int32, note: (RunState) -> Void) {
        let previous = PreviousRun(backup, store: RunStateStore(directory: directories.state), noted: noted, log: log)
        let reason = "process \(pid) that reported it ended without reporting a result while the daemon was stopped"
        if let state = previous.settle(as: Outcome(.unknown, reason: reason)) { note(state) }
    }

    private func drop(_ backup: BackupName) {
        guard let holding = holdings.removeValue(forKey: backup) else { return }
        holding.death = nil
        unstore(backup, holding.kept.lockName)
    }

    private func unstore(_ backup: BackupName, _ lockName: String) {
        LeaseStore.drop(LeaseStore.name(.exclusion, of: backup))
        LeaseStore.drop(LeaseStore.name(.process, of: backup))
        LeaseStore.drop(lockName)
    }

    /// Takes up what a keeper that was killed left in the store.
    private func restore(_ remains: LeaseStore.Remains) {
        for backup in remains.backups(with: .exclusion) {
            guard let exclusion = remains.take(.exclusion, of: backup) else { continue }
            let process = remains.take(.process, of: backup).map { Descriptor(owning: $0.number) }
            let lock = remains.take(.lock, of: backup)
            keep(
                backup, RunExclusion(adopting: Descriptor(owning: exclusion.number)), process,
                lock.map { Descriptor(owning: $0.number) }, named: lock?.name ?? LeaseStore.name(.lock, of: backup))
        }
        remains.dropRest()
    }
}
