import LightsOutCore
import LightsOutRunner
import Systemd

// The configuration, at the start and anew.

extension Daemon {
    /// Takes in everything at the start: configuration, memory, and what runs or ran.
    func load(_ found: [BackupName: (state: RunState, isRunning: Bool)], now: Timestamp) {
        let reading = ConfigurationLoader.load(directories)
        tell(reading.problems)
        // There is no older configuration to keep: what is right in this one is used, and the rest is told.
        configurationProblem = reading.hasErrors ? "part of the configuration is wrong, see: lightsout check" : nil
        take(reading.usable)
        runs = found.mapValues(\.state)
        let contents = readMemory()
        carryOut(
            scheduler.load(
                plans(), memories: contents.memories, observed: found.compactMapValues(Self.observed),
                pausedUntil: contents.pausedUntil, now: now))
    }

    /// Reads the configuration again. One with a mistake is not taken over, and the old one stays whole.
    /// - Returns: what is wrong, for whoever asked; nil where it was taken over.
    func reload() -> String? {
        ServiceManager.reloading(monotonic: Clock.monotonic)
        defer { ServiceManager.ready(status: statusLine) }
        let reading = ConfigurationLoader.load(directories)
        tell(reading.problems)
        guard let configuration = reading.configuration else {
            let errors = reading.problems.filter { $0.severity == .error }
            let first = errors.first.map { "\($0.summary)" } ?? ""
            log.write(
                .notice(
                    "the configuration has \(errors.count) mistake\(errors.count == 1 ? "" : "s") and is not taken over; the one before it goes on. See: lightsout check",
                    priority: .error))
            configurationProblem = "the configuration was not reloaded, see: lightsout check"
            return first
        }
        configurationProblem = nil
        let before = shownBackups
        take(configuration)
        replan(zoneChanged: false)
        bus?.backupsChanged(from: before, to: shownBackups)
        log.write(.notice("the configuration was read anew: \(statusLine)", priority: .info))
        return nil
    }

    /// Tells the scheduler the plans anew.
    func replan(zoneChanged: Bool) {
        carryOut(
            scheduler.reload(plans(), settings: schedulerSettings, zoneChanged: zoneChanged, observed: observedNow(), now: now))
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
        return backups.values.map { planning.plan($0) }
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
            outcome = .running(since: state.started)
        case .ended(let ended, let time, _):
            outcome =
                ended.reason == Outcome.Reason.machineWentDown ? .cutOff(at: time) : .ended(ended.result, at: time)
        }
        return ObservedRun(run: state.run, isManual: [.manual, .report].contains(state.trigger), outcome: outcome)
    }
}
