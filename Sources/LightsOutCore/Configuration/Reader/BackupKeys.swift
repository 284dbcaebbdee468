/// The keys of a backup, and of `defaults`.
enum BackupKeys {
    static let table = KeyTable<BackupSettings>("a backup", [
        Key("description", \.description, .line,
            "What the backup is, in one line for people."),
        Key("script", \.script, ValueKind.absolutePath.optional,
            "The program that does the backup: an absolute path. Without it, backup/NAME_backup in the "
                + "configuration's folder."),
        Key("args", \.args, .list(of: .argument),
            "Arguments of the script, passed as they are, never through a shell."),

        Key("schedule", \.schedule, .oneOrMore(.calendarExpression),
            "When the backup is due: one calendar expression (systemd.time(7)) or a list of them. Put one that "
                + "begins with * in quotes."),
        Key("random_delay", \.randomDelay, .delay,
            "Puts each elapse off by a time up to this, the same each time on one machine."),
        Key("catch_up", \.catchUp, .flag,
            "Whether a missed elapse (machine off or asleep, clock jump) is made up for by one run, soon; otherwise "
                + "it is recorded as missed."),

        Key("wake", \.wakePolicy, .wakePolicy,
            "Whether the machine is woken from sleep for the backup; `ac`: only on AC power."),
        Key("after", \.after, .choice,
            "What the machine does after the run; `return`: back to sleep if, and only if, it was woken for this "
                + "backup and nobody uses it."),
        Key("wake_lead", \.wakeLead, ValueKind.delay.optional,
            "How long before an elapse the machine is woken for it; otherwise what holds for the machine."),
        Key("wake_grace", \.wakeGrace, ValueKind.delay.optional,
            "How long after a wake-up the due backup waits for network and disks; otherwise what holds for the machine."),
        Key("wake_wait", \.wakeWait, ValueKind.delay.optional,
            "How long the machine is kept awake for the due backup while that cannot begin; otherwise what holds for the "
                + "machine."),
        Key("sleep_gap", \.sleepGap, ValueKind.delay.optional,
            "Another backup that is due within this keeps the machine from going back to sleep after this one; "
                + "otherwise what holds for the machine."),
        Key("after_delay", \.afterDelay, ValueKind.delay.optional,
            "How long before it sleeps after this backup the machine says so; otherwise what holds for the machine."),
        Key("inhibit", \.inhibit, .list(of: .choice, isSet: true, mayBeEmpty: false),
            "What the lock keeps the machine from doing while the backup runs, in logind's words."),
        Key("unprotected", \.unprotected, .choice,
            "What happens when no lock is to be had."),
        Key("slept", \.slept, .choice,
            "What it means for the result when the machine slept during the run, in spite of the lock: warnings at best, or "
                + "nothing."),
        Key("battery", \.battery, .choice,
            "What happens without AC power, at the start and when it goes away during the run."),
        Key("lock_on_battery", \.lockOnBattery, .flag,
            "Whether the lock is held on battery power too; otherwise it is released then, and taken again on AC "
                + "power."),

        Key("timeout", \.timeout, .limit(mayBeZero: false),
            "The longest that a run may take; then the script is ended, and the result is aborted."),
        Key("stop_timeout", \.stopTimeout, .limit(mayBeZero: true),
            "How long a script that is ended by SIGTERM has until SIGKILL."),
        Key("reboot_wait", \.rebootWait, .limit(mayBeZero: true),
            "How long a restart of the machine that was scheduled, or that unattended-upgrades asked for, waits for the "
                + "run's end; 0: not at all."),
        Key("leftovers", \.leftovers, .choice,
            "What happens to processes that the script leaves behind: the run waits for them, kills them, or ends "
                + "without them."),
        Key("leftovers_timeout", \.leftoversTimeout, .limit(mayBeZero: false),
            "How long the run waits for processes that the script left behind; then it ends them."),
        Key("retry", \.retry, .retry,
            "How often a run that failed is tried again, and after what delay each."),
        Key("user", \.user, ValueKind.userName.optional,
            "The user whose rights the script has; root without it."),
        Key("exit_codes", \.exitCodes, .exitCodes,
            "The results of the script's exit statuses, where they differ from 0 success, 1 failed, 2 aborted, 3 "
                + "warnings, 4 undefined; or the name of a program with known ones."),

        Key("requires_mounts", \.requiresMounts, .list(of: .mountPoint, isSet: true),
            "Mount points that must be there before the script starts; a due run waits for them."),
        Key("requires_network", \.requiresNetwork, .flag,
            "Whether a due run waits for the network."),
        Key("stale_after", \.staleAfter, .limit(mayBeZero: false),
            "No success for so long is worth a warning, also where nothing ever failed."),
    ])
}

/// The keys of `retry`.
enum RetryKeys {
    static let table = KeyTable<RetryPolicy>("\"retry\"", [
        Key("attempts", \.attempts, .count(0...1000),
            "Runs after the first."),
        Key("delay", \.delay, .delay,
            "The time between the end of a run and the next attempt."),
    ])
}

/// The keys of the main file that are not about one backup.
enum GlobalKeys {
    static let table = KeyTable<GlobalSettings>("the configuration", [
        Key("max_parallel", \.maxParallel, .count(0...10_000),
            "The most backups that run at a time; 0 is no limit."),
        Key("wake_lead", \.wakeLead, .delay,
            "How long before an elapse the machine is woken for it."),
        Key("wake_grace", \.wakeGrace, .delay,
            "How long after a wake-up the first due backup waits for network and disks to come back."),
        Key("wake_wait", \.wakeWait, .delay,
            "How long the machine is kept awake for a due backup with \"wake\" that cannot begin: it waits for a mount, "
                + "the network, a retry."),
        Key("sleep_gap", \.sleepGap, .delay,
            "A backup that is due within this keeps the machine from going back to sleep."),
        Key("after_delay", \.afterDelay, .delay,
            "How long before it sleeps after a backup the machine says so, for somebody to cancel it."),
        Key("after_refused", \.afterRefused, .choice,
            "What follows a suspend or hibernation that was refused because of a backup's lock alone: `sleep`, when the lock is "
                + "gone and nobody uses the machine, or `nothing`."),
    ])
}
