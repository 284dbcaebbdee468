public import LightsOutCore
import LightsOutRunner
import Systemd

/// `lightsout status`: how the backups stand, from the daemon in one call, or without it from files and journal.
public struct StatusQuery {
    private let surroundings: Surroundings

    public init(_ surroundings: Surroundings) { self.surroundings = surroundings }

    /// Writes how `name` stands; all backups where it is nil.
    /// - Parameter commands: what else may have been meant by a name that no backup has.
    public func show(_ name: BackupName?, json: Bool, commands: [String] = []) throws(CommandFailure) {
        var statuses = try find()
        if let name {
            let known = statuses.map(\.name.text)
            statuses = statuses.filter { $0.name == name }
            if statuses.isEmpty { throw Self.unknown(name, known + commands) }
        }
        let zone = surroundings.zone
        let output = surroundings.output
        if json { return try output.write(JSONValue.document(statuses.map { $0.json(in: zone) })) }
        if name != nil, let status = statuses.first {
            let run = RunStateStore(directory: surroundings.directories.state).peek(status.name)
            return try output.write(
                lines: status.lines(now: surroundings.now, zone: zone, run: run) { output.styled($0, $1) })
        }
        guard !statuses.isEmpty else {
            return try output.write(
                "There are no backups yet. Put a script called NAME_backup into \(surroundings.directories.scriptFolder), or name one in \(surroundings.directories.configurationFile).")
        }
        try output.write(BackupStatus.table(statuses, now: surroundings.now, zone: zone))
    }

    /// The names of all backups, for completion.
    public func names() -> [String] { ((try? find(quietly: true)) ?? []).map(\.name.text) }

    private func find(quietly: Bool = false) throws(CommandFailure) -> [BackupStatus] {
        do throws(BusError) { return try ServiceClient().statuses() } catch {
            guard error.meansNoDaemon || error.meansNoAnswer else {
                throw error.commandFailure
            }
            if !quietly {
                StandardError.say(
                    error.meansNoDaemon
                        ? "lightsoutd is not running: no backup starts by schedule. Start it with: systemctl start lightsoutd"
                        : "lightsoutd does not answer. What follows is from files; see: systemctl status lightsoutd")
            }
        }
        return StatusFromFiles(
            directories: surroundings.directories, trust: surroundings.trust, now: surroundings.now
        ).statuses()
    }

    nonisolated static func unknown(_ name: BackupName, _ known: [String]) -> CommandFailure {
        let hint = Spelling.closest(to: name.text, among: known).map { "Did you mean \($0)?" }
        return CommandFailure(
            message: "there is no backup \(name). \(hint ?? "See: lightsout status")",
            status: ExitStatus.configuration)
    }
}
