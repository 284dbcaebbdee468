import ArgumentParser

struct Lightsout: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lightsout",
        abstract: "Backups that run although the machine sleeps, and under a lock that keeps it awake.",
        usage: """
            lightsout [status] [<name>]
                   lightsout <subcommand> …
                   lightsout -r | -p <0…100> | -f <result>  [--name <name>]
            """,
        version: "0.1.0",
        groupedSubcommands: [
            CommandGroup(
                name: "Status", subcommands: [Status.self, History.self, Next.self, Why.self]),
            CommandGroup(
                name: "Action",
                subcommands: [Start.self, Stop.self, Pause.self, Resume.self, Sleep.self, HoldAwake.self]),
            CommandGroup(name: "Configuration", subcommands: [Check.self, Reload.self, Calendar.self]),
            CommandGroup(
                name: "Unit",
                subcommands: [
                    Run.self, Conclude.self, HoldLeases.self, HoldReboot.self, WakeAlarmCommand.self, Names.self,
                ]),
        ],
        defaultSubcommand: Status.self)

    /// The names of the subcommands, for those who misspell one.
    static var commandNames: [String] {
        configuration.groupedSubcommands.flatMap { $0.subcommands }
            .filter { $0.configuration.shouldDisplay }.map { $0._commandName }
    }

    @OptionGroup(title: "Reports, for scripts that make backups") var report: ReportOptions
}

/// The options of a report, for help and completion: a call that has them is parsed by ``ReportArguments``.
struct ReportOptions: ParsableArguments {
    @Flag(
        name: [.customShort("r"), .customLong("report_backup_started"), .customLong("report-backup-started")],
        help: "A backup has begun: standby is blocked until it is finished, or the caller is gone.")
    var started = false

    @Option(
        name: [.customShort("p"), .customLong("report_backup_progress"), .customLong("report-backup-progress")],
        help: ArgumentHelp("So much of it is done, in percent.", valueName: "0…100"))
    var progress: Int?

    @Option(
        name: [.customShort("f"), .customLong("report_backup_finished"), .customLong("report-backup-finished")],
        help: ArgumentHelp(
            "It is finished: 0 success, 1 failed, 2 aborted, 3 warnings, 4 missed, 5 wrong configuration, 255 unknown.",
            valueName: "result"))
    var finished: Int?

    @Option(help: ArgumentHelp("The backup that the report is about; the one that the caller is part of without it, else \"client\".", valueName: "name"))
    var name: String?
}
