import LightsOutCore
import LightsOutRunner
import Systemd

// The configuration, at the start and anew.

extension Daemon {
    /// Takes in everything at the start: configuration, memory, and what runs or ran.
    func load(_ found: [BackupName: (state: RunState, isRunning: Bool)], now: Timestamp) {
        takeConfigurationAtStart()
        runs = found.mapValues(\.state)
        takeNamesBack()
        let contents = readMemory()
        carryOut(
            scheduler.load(
                plans(), memories: contents.memories, observed: found.filter { counts($0.value.state, for: $0.key) }.compactMapValues(Self.observed),
                pausedUntil: contents.pausedUntil, now: now))
        // What wakes the machine depends on its power.
        power.start()
        sleep.start()
        Heap.giveBackFree()
    }

    /// Takes the files, where nothing is wrong with them. Else, after a restart, what the daemon before us went by; else what is
    /// right in the files, and nothing of what may be meant otherwise: a backup that goes by its script's name would be
    /// one without a schedule, and forget what its own has done.
    private func takeConfigurationAtStart() {
        let reading = ConfigurationLoader.load(directories, calendar: calendar)
        tell(reading.problems)
        if let configuration = reading.configuration {
            accept(reading.files)
            return take(configuration)
        }
        if let accepted = AcceptedConfiguration(directories).read()?.configuration {
            refuse(reading)
            return take(accepted)
        }
        configurationProblem = "part of the configuration is wrong, see: lightsout check"
        take(reading.usable)
        backups = backups.filter { if case .refused = reading.lookUp($0.key) { false } else { true } }
    }

    private var calendar: CalendarContext { CalendarContext(now: now, localZone: localZone) }

    /// The configuration is the files' from now on.
    private func accept(_ files: ConfigurationFiles) {
        configurationProblem = nil
        do throws(SystemError) { try AcceptedConfiguration(directories).keep(files) } catch {
            log.write(
                .notice(
                    "no copy of the configuration can be kept in \(directories.runtime): \(error). Scheduled runs go by the copy before it, or by the files as they are when they start",
                    priority: .warning))
        }
    }

    /// The configuration stays as it was.
    private func refuse(_ reading: ConfigurationReading) {
        let count = reading.problems.count { $0.severity == .error }
        log.write(
            .notice(
                "the configuration has \(count) mistake\(count == 1 ? "" : "s") and is not taken over; the one before it goes on. See: lightsout check",
                priority: .error))
        configurationProblem = "the configuration has mistakes and the one before it goes on, see: lightsout check"
    }

    /// Reads the configuration again. One with a mistake is not taken over, and the old one stays whole.
    /// - Returns: what is wrong, for whoever asked; nil where it was taken over.
    func reload() -> String? {
        ServiceManager.reloading(monotonic: Clock.monotonic)
        defer {
            ServiceManager.ready(status: statusLine)
            Heap.giveBackFree()
        }
        let reading = ConfigurationLoader.load(directories, calendar: calendar)
        tell(reading.problems)
        guard let configuration = reading.configuration else {
            refuse(reading)
            return reading.problems.first { $0.severity == .error }?.summary ?? "the configuration has mistakes"
        }
        accept(reading.files)
        let before = shownBackups
        take(configuration)
        takeNamesBack()
        replan(zoneChanged: false)
        bus?.backupsChanged(from: before, to: shownBackups)
        log.write(.notice("the configuration was read anew: \(statusLine)", priority: .info))
        return nil
    }

    /// Tells the scheduler the plans anew.
    func replan(zoneChanged: Bool) {
        carryOut(
            scheduler.reload(plans(), settings: schedulerSettings, zoneChanged: zoneChanged, observed: observedNow(), now: now))
        sleep.configurationChanged()
        power.configurationChanged()
    }

    private func take(_ configuration: Configuration) {
        let catalogue = BackupCatalogue(configuration, directories: directories)
        tell(catalogue.warnings)
        backups = catalogue.backups
        defaults = configuration.defaults
        settings = configuration.global
        scheduler.settings = schedulerSettings
    }

    private var schedulerSettings: Scheduler.Settings { Scheduler.Settings(maxParallel: settings.maxParallel) }

    private func plans() -> [SchedulePlan] {
        let planning = Planning(localZone: localZone)
        return backups.values.map { planning.plan($0, settings) }
    }

    private func readMemory() -> ScheduleMemoryStore.Contents {
        do throws(SystemError) {
            let contents = try memory.read()
            for (file, reason) in contents.damaged {
                log.write(
                    .notice(
                        "\(file) was damaged (\(reason)) and has been set aside as \(file).damaged. Its schedule counts from now on",
                        priority: .warning))
            }
            return contents
        } catch {
            log.write(
                .notice(
                    "the schedule's memory cannot be read: \(error). What was missed before now is not made up for",
                    priority: .error))
            return ScheduleMemoryStore.Contents()
        }
    }

    private func tell(_ problems: [ConfigurationProblem]) {
        for problem in problems {
            log.write(.notice(problem.summary, priority: problem.severity == .error ? .error : .warning))
        }
    }

    private func observedNow() -> [BackupName: ObservedRun] {
        runs.compactMapValues { Self.observed($0, isRunning: $0.isRunning) }
    }

    private static func observed(_ found: (state: RunState, isRunning: Bool)) -> ObservedRun? {
        observed(found.state, isRunning: found.isRunning)
    }

    private static func observed(_ state: RunState, isRunning: Bool) -> ObservedRun? {
        let outcome: ObservedRun.Outcome
        switch state.phase {
        case .running:
            guard isRunning else { return nil }
            outcome = .running(since: state.started, scriptHasEnded: state.notes.scriptEnded != nil)
        case .ended(let ended, let time, _):
            outcome =
                ended.endedWithMachine
                ? .cutOff(at: time)
                : .ended(ended.result, at: time, stoppedOnRequest: ended.wasStopped)
        }
        return ObservedRun(scheduledRun: state.scheduledRun, mark: state.notes.start, outcome: outcome)
    }
}
