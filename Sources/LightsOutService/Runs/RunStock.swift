import LightsOutCore
import LightsOutRunner

/// The last run of every backup, as the daemon finds it when it comes up: by the durable states, and by the lock files of
/// this boot, which are newer.
///
/// Each file is read once, for there may be tens of thousands. Who changes a run afterwards says so (``refresh(_:)``).
struct RunStock {
    struct Entry {
        /// What the lock file says; nothing where the backup has not run since the boot.
        var look: RunExclusion.Look
        /// The last run; nil where none can be read.
        var state: RunState?

        /// The run that is under way; nil where none is.
        var underWay: RunState? { look.underWay }
    }

    private(set) var entries: [BackupName: Entry] = [:]
    private let runtimeDirectory: String
    private let store: RunStateStore
    private let log: RunLog

    init(_ directories: Directories, log: RunLog) {
        runtimeDirectory = directories.runtime
        store = RunStateStore(directory: directories.state)
        self.log = log
        let ranInThisBoot = RunExclusion.backups(inRuntimeDirectory: runtimeDirectory)
        for backup in ranInThisBoot { refresh(backup) }
        for backup in store.backups() where entries[backup] == nil {
            take(backup, .noFile)
        }
    }

    /// Reads the files of `backup` again.
    mutating func refresh(_ backup: BackupName) {
        take(backup, RunExclusion.look(at: backup, runtimeDirectory: runtimeDirectory))
    }

    private mutating func take(_ backup: BackupName, _ look: RunExclusion.Look) {
        let previous = PreviousRun(backup, store: store, noted: look.state, log: log)
        entries[backup] = Entry(look: look, state: previous.read())
    }
}
