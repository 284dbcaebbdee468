import ArgumentParser
import LightsOutCore
import LightsOutService
import Systemd

struct History: Command {
    static let configuration = CommandConfiguration(
        abstract: "Show the results of backups, newest first.",
        discussion: """
            The results are those in the journal. Records that were not written by lightsout itself, whatever they say, \
            are not shown.
            """)

    @Argument(help: "The backup; all of them without it.", completion: .backupNames)
    var name: String?

    @Option(name: [.customShort("n", allowingJoined: true), .customLong("lines")], help: "Show at most so many results.")
    var count = 20

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Show results from then on, such as \"yesterday\", \"-2h\" or \"2026-11-24 02:30\".", valueName: "time"))
    var since: String?

    @Option(
        help: "Show only results of this kind: success, failed, aborted, warnings, undefined, missed, wrong-config or unknown.",
        completion: .list(RunResult.allCases.map(\.rawValue)))
    var result: String?

    @Option(
        help: ArgumentHelp(
            "Read the journals in this directory, such as systemd-journal-remote collects from other machines.",
            valueName: "path"),
        completion: .directory)
    var directory: String?

    @OptionGroup var json: JSONOption

    func run(in surroundings: Surroundings) throws {
        let query = HistoryReader.Query(
            backup: try name.map(BackupName.argument), result: try result.map(Self.result),
            since: try since.map { try surroundings.time($0, option: "--since") },
            limit: try checkedCount(count, option: "-n", upTo: 1_000_000))
        let entries = try read(query, trust: surroundings.trust)
        if json.isWanted {
            let zone = surroundings.zone
            return try surroundings.output.write(JSONValue.document(entries.map { $0.json(in: zone) }))
        }
        guard !entries.isEmpty else { return try surroundings.output.write("No results.") }
        try surroundings.output.write(
            HistoryEntry.table(
                entries, now: surroundings.now, zone: surroundings.zone, showsHost: directory != nil))
    }

    @MainActor private func read(_ query: HistoryReader.Query, trust: RecordTrust) throws(CommandFailure) -> [HistoryEntry] {
        let reader = HistoryReader(directory.map { .directory($0) } ?? .local, trust: trust)
        let entries: [HistoryEntry]
        do throws(SystemError) { entries = try reader.entries(query) } catch {
            throw CommandFailure(
                message: "\(error)", status: directory == nil ? ExitStatus.unavailable : ExitStatus.usage)
        }
        if entries.isEmpty, directory == nil, !JournalAccess.isGranted {
            throw CommandFailure(
                message: "the system's journal, which holds the results, may be read by root and the groups systemd-journal and adm only. Ask as root, or join one of them",
                status: ExitStatus.notAllowed)
        }
        return entries
    }

    private static func result(_ text: String) throws(CommandFailure) -> RunResult {
        if let result = RunResult(rawValue: text) { return result }
        let names = RunResult.allCases.map(\.rawValue)
        let hint = Spelling.closest(to: text, among: names).map { "did you mean \"\($0)\"?" }
        throw .usage(
            "--result: \(text.quotedForPeople) is no result; \(hint ?? "results are \(names.joined(separator: ", "))")")
    }
}
