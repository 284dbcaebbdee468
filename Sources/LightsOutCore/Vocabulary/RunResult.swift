/// How a run of a backup ended: the one vocabulary of exit statuses, report codes, journal and display.
public enum RunResult: String, Hashable, Sendable, CaseIterable {
    case success, failed, aborted, warnings, undefined, missed
    case wrongConfig = "wrong-config"
    case unknown

    /// The exit status of `lightsout run`, of a waiting `lightsout start`, and of the backup's unit.
    public var exitStatus: Int32 {
        switch self {
        case .success: 0
        case .failed, .missed, .unknown: 1
        case .aborted: 2
        case .warnings: 3
        case .undefined: 4
        case .wrongConfig: 78
        }
    }

    /// The result that a script means by its exit status, where the configuration names no other.
    public init(scriptExitStatus status: Int32) {
        switch status {
        case 0: self = .success
        case 2: self = .aborted
        case 3: self = .warnings
        case 4: self = .undefined
        default: self = .failed
        }
    }

    /// The code of `lightsout -f` for the result; `undefined` has none.
    public var reportCode: Int32? {
        switch self {
        case .success: 0
        case .failed: 1
        case .aborted: 2
        case .warnings: 3
        case .missed: 4
        case .wrongConfig: 5
        case .unknown: 255
        case .undefined: nil
        }
    }

    /// The result that `lightsout -f code` reports.
    public init?(reportCode code: Int32) {
        guard let result = Self.allCases.first(where: { $0.reportCode == code }) else { return nil }
        self = result
    }

    /// The worse of two results: what counts where a report and an exit status differ.
    public func worse(than other: RunResult) -> RunResult { severity >= other.severity ? self : other }

    private var severity: Int {
        switch self {
        case .success: 0
        case .warnings: 1
        case .missed: 2
        case .undefined: 3
        case .unknown: 4
        case .aborted: 5
        case .failed: 6
        case .wrongConfig: 7
        }
    }

    /// The journal's priority for a record of this result, as in syslog(3).
    public var priority: JournalPriority {
        switch self {
        case .success: .info
        case .warnings: .notice
        case .missed, .undefined, .unknown: .warning
        case .failed, .aborted, .wrongConfig: .error
        }
    }
}

/// The priorities of syslog(3) that our records have.
public enum JournalPriority: Int32, Sendable {
    case error = 3, warning = 4, notice = 5, info = 6
}
