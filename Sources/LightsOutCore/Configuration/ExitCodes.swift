/// The results that a script's exit statuses stand for: those of DESIGN's table (``RunResult/init(scriptExitStatus:)``),
/// save where the configuration says otherwise.
public struct ExitCodes: Hashable, Sendable {
    /// The results that the configuration may give a status.
    public static let results: [RunResult] = [.success, .failed, .aborted, .warnings, .undefined]

    private let named: [UInt8: RunResult]

    public init(_ named: [UInt8: RunResult] = [:]) { self.named = named }

    /// The result of a script that exited with `status`, 0…255.
    public func result(ofStatus status: Int32) -> RunResult {
        UInt8(exactly: status).flatMap { named[$0] } ?? RunResult(scriptExitStatus: status)
    }

    /// The exit statuses of a program that scripts end in, with `exec` or `exit $?`.
    public enum Preset: String, Hashable, Sendable, CaseIterable {
        case borg, restic, rsync
    }

    public init(_ preset: Preset) {
        self = switch preset {
        case .borg: Self.borg
        case .restic: Self.restic
        case .rsync: Self.rsync
        }
    }

    /// BorgBackup's return codes (docs/usage/general/return-codes), old and modern (`BORG_EXIT_CODES=modern`) alike:
    ///
    /// | status | borg says | result |
    /// | --- | --- | --- |
    /// | 0 | success | success |
    /// | 1 | warning: the operation reached its end, see the log | warnings |
    /// | 2 | error, of any kind | failed |
    /// | 3…99 | error, each code one kind | failed |
    /// | 100…127 | warning, each code one kind | warnings |
    /// | 129…192 | killed by the signal status − 128 | aborted |
    private static let borg = ExitCodes([
        (1...1, .warnings), (2...99, .failed), (100...127, .warnings), (129...192, .aborted),
    ])

    /// restic's exit codes (doc/075_scripting):
    ///
    /// | status | restic says | result |
    /// | --- | --- | --- |
    /// | 0 | success | success |
    /// | 1 | the command failed | failed |
    /// | 2 | Go runtime error | failed |
    /// | 3 | `backup` could not read some source data; the snapshot is incomplete | warnings |
    /// | 10 | the repository does not exist | failed |
    /// | 11 | the repository could not be locked | failed |
    /// | 12 | wrong password | failed |
    /// | 130 | interrupted by SIGINT or SIGTERM | aborted |
    private static let restic = ExitCodes([
        (1...2, .failed), (3...3, .warnings), (4...129, .failed), (130...130, .aborted),
    ])

    /// rsync's exit values (rsync(1)):
    ///
    /// | status | rsync says | result |
    /// | --- | --- | --- |
    /// | 0 | success | success |
    /// | 1…6, 10…14 | usage, protocol, file selection, I/O and connection errors | failed |
    /// | 20 | received SIGUSR1 or SIGINT | aborted |
    /// | 21, 22 | waitpid() or memory errors | failed |
    /// | 23 | partial transfer due to an error | warnings |
    /// | 24 | partial transfer: source files vanished meanwhile | warnings |
    /// | 25 | `--max-delete` stopped deletions | warnings |
    /// | 30, 35 | timeouts of data and of the connection | failed |
    private static let rsync = ExitCodes([(1...19, .failed), (20...20, .aborted), (23...25, .warnings)])

    private init(_ ranges: [(statuses: ClosedRange<UInt8>, result: RunResult)]) {
        var named: [UInt8: RunResult] = [:]
        for (statuses, result) in ranges {
            for status in statuses { named[status] = result }
        }
        self.named = named
    }
}
