public import LightsOutCore

/// What the sleep policy must still know after the daemon was restarted: small, one file.
nonisolated public struct SleepMemory: Hashable, Sendable {
    /// `lightsout sleep --when-done`.
    public struct Request: Hashable, Sendable {
        public var kind: SleepKind
        public var by: String
        /// Who that is, for asking later whether they still may; nil in what an earlier version wrote.
        public var asker: Asker?

        public init(kind: SleepKind, by: String, asker: Asker? = nil) {
            self.kind = kind
            self.by = by
            self.asker = asker
        }
    }

    /// The process that asked for a sleep, and its user.
    public struct Asker: Hashable, Sendable {
        public var uid: UInt32
        public var pid: Int32
        /// The kernel's ticks since boot; 0 if the process was gone already.
        public var start: UInt64
        /// Whether somebody gave a password for it.
        public var hasGivenPassword: Bool

        public init(uid: UInt32, pid: Int32, start: UInt64, hasGivenPassword: Bool) {
            self.uid = uid
            self.pid = pid
            self.start = start
            self.hasGivenPassword = hasGivenPassword
        }
    }

    /// A sleep that lightsout's lock refused, and that is to be made up for.
    public struct Refused: Hashable, Sendable {
        public var kind: SleepKind
        /// When it was wanted.
        public var at: Timestamp
        /// The sessions then: whoever comes after that cancels it.
        public var sessions: [UserSession]

        public init(kind: SleepKind, at: Timestamp, sessions: [UserSession]) {
            self.kind = kind
            self.at = at
            self.sessions = sessions
        }
    }

    /// A sleep that began.
    public struct Asleep: Hashable, Sendable {
        public var kind: SleepKind
        /// CLOCK_BOOTTIME when it began.
        public var began: TimeSpan
        /// How far ahead the alarm was then, for which backups, and when they are due.
        public var alarm: TimeSpan?
        public var backups: Set<BackupName>
        public var due: Timestamp?
        /// lightsout wanted it.
        public var isOurs: Bool
        public var sessions: [UserSession]

        public init(
            kind: SleepKind, began: TimeSpan, alarm: TimeSpan?, backups: Set<BackupName>, due: Timestamp?,
            isOurs: Bool, sessions: [UserSession]
        ) {
            self.kind = kind
            self.began = began
            self.alarm = alarm
            self.backups = backups
            self.due = due
            self.isOurs = isOurs
            self.sessions = sessions
        }
    }

    /// The machine is awake because lightsout woke it.
    public struct Woken: Hashable, Sendable {
        /// How it slept, and is to sleep again.
        public var kind: SleepKind
        /// The backups it was woken for that are to end in a return, and have not ended.
        public var pending: Set<BackupName>
        /// Those that have.
        public var ended: Set<BackupName> = []
        /// Past this, one that has not begun is no longer waited for.
        public var patience: Timestamp
        /// The sessions when it fell asleep.
        public var sessions: [UserSession]

        public init(
            kind: SleepKind, pending: Set<BackupName>, ended: Set<BackupName> = [], patience: Timestamp,
            sessions: [UserSession]
        ) {
            self.kind = kind
            self.pending = pending
            self.ended = ended
            self.patience = patience
            self.sessions = sessions
        }
    }

    /// The boot that it is about (`/proc/sys/kernel/random/boot_id`): the same after hibernation, another after a
    /// reboot, which makes all of it void.
    public var boot: String
    public var request: Request?
    public var refused: Refused?
    public var asleep: Asleep?
    public var woken: Woken?

    public init(
        boot: String, request: Request? = nil, refused: Refused? = nil, asleep: Asleep? = nil, woken: Woken? = nil
    ) {
        self.boot = boot
        self.request = request
        self.refused = refused
        self.asleep = asleep
        self.woken = woken
    }
}
