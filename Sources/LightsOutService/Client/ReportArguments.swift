public import LightsOutCore

/// The words of a report: `-r`, `-p N`, `-f R`, alone or together, with `--name NAME`. Parsed by hand, since backup
/// scripts call it often and start-up time is theirs.
///
/// Everything is checked before anything is sent.
public nonisolated struct ReportArguments: Hashable, Sendable {
    public var name: BackupName?
    public var started = false
    /// Percent.
    public var progress: UInt8?
    /// The code of `lightsout -f`.
    public var finished: Int32?

    /// The options, each with the spellings that it has.
    private enum Option: CaseIterable {
        case started, progress, finished, name

        var words: [String] {
            switch self {
            case .started: ["-r", "--report_backup_started", "--report-backup-started"]
            case .progress: ["-p", "--report_backup_progress", "--report-backup-progress"]
            case .finished: ["-f", "--report_backup_finished", "--report-backup-finished"]
            case .name: ["--name"]
            }
        }
    }

    /// Whether a call with these arguments is a report: its first one is an option of a report.
    public static func describe(_ arguments: [String]) -> Bool {
        guard let first = arguments.first else { return false }
        return option(first) != nil
    }

    /// An option of a report in a call that is another command's: to act on one half of it would be to guess.
    public static func stray(in arguments: [String]) -> String? {
        // What begins with three dashes asks for completion, and what follows two is not ours.
        guard arguments.first?.hasPrefix("---") != true else { return nil }
        return arguments.prefix { $0 != "--" }.first { option($0) != nil }
    }

    /// Reads the arguments of a report.
    /// - Throws: ``CommandFailure`` (64) for anything that is none.
    public init(_ arguments: [String]) throws(CommandFailure) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            guard let (option, attached) = Self.option(argument) else {
                throw Self.usage("\(argument.quotedForPeople) has no place in a report")
            }
            if option == .started {
                guard attached == nil else { throw Self.usage("\(option.words[0]) takes no value") }
                started = true
                continue
            }
            guard let value = attached ?? rest.popFirst() else {
                throw Self.usage("\(argument) needs a value")
            }
            switch option {
            case .progress: progress = try Self.percent(value)
            case .finished: finished = try Self.code(value)
            default:
                do throws(InvalidBackupName) { name = try BackupName(value) } catch {
                    throw Self.usage("--name: \(error)")
                }
            }
        }
        guard started || progress != nil || finished != nil else {
            throw Self.usage("--name alone reports nothing: add -r, -p N or -f R")
        }
    }

    /// The option that `argument` is, with the value that is attached to it (`-p40`, `--name=client`).
    private static func option(_ argument: String) -> (Option, value: String?)? {
        for option in Option.allCases {
            for word in option.words {
                if argument == word { return (option, nil) }
                let isLong = word.hasPrefix("--")
                let prefix = isLong ? word + "=" : word
                guard argument.hasPrefix(prefix), isLong || !argument.hasPrefix("--") else { continue }
                return (option, String(argument.dropFirst(prefix.count)))
            }
        }
        return nil
    }

    private static func percent(_ text: String) throws(CommandFailure) -> UInt8 {
        guard let number = decimal(text), number <= 100, let percent = UInt8(exactly: number) else {
            throw usage("the progress is a number from 0 to 100, not \(text.quotedForPeople)")
        }
        return percent
    }

    private static func code(_ text: String) throws(CommandFailure) -> Int32 {
        guard let number = decimal(text), RunResult(reportCode: number) != nil else {
            throw usage(
                "the result is 0 (success), 1 (failed), 2 (aborted), 3 (warnings), 4 (missed), 5 (wrong configuration) or 255 (unknown), not \(text.quotedForPeople)")
        }
        return number
    }

    /// Digits and nothing else: `+5` and ` 5` are no numbers of this command line.
    private static func decimal(_ text: String) -> Int32? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        return Int32(text)
    }

    private static func usage(_ message: String) -> CommandFailure {
        CommandFailure(message: "\(message). Nothing was reported. See: lightsout --help", status: ExitStatus.usage)
    }
}
