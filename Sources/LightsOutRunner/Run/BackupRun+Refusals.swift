import Glibc
import LightsOutCore
import Systemd

// Runs that do not begin because another one is under way.

extension BackupRun {
    /// Takes the right to run. Whoever gives a run that has lost its runner its end holds it for a moment.
    func takeExclusion() throws(RunExclusion.Failure) -> RunExclusion {
        for pause: UInt32 in [5_000, 20_000, 75_000, 200_000, 700_000, 2_000_000] {
            do throws(RunExclusion.Failure) { return try RunExclusion(name, runtimeDirectory: directories.runtime) } catch {
                guard case .held(let holder?) = error, case .running(_, let pid) = holder.phase, holder.reporter == nil,
                    ProcessStat(of: pid) == nil, RunSurvivors(of: holder, name).isEmpty
                else { throw error }
                usleep(pause)
            }
        }
        return try RunExclusion(name, runtimeDirectory: directories.runtime)
    }

    func notAlone(_ failure: RunExclusion.Failure) -> Int32 {
        switch failure {
        case .held(let holder):
            var who = ""
            if let holder, case .running(_, let pid) = holder.phase {
                let survivors = RunSurvivors(of: holder, name)
                if holder.reporter == nil, ProcessStat(of: pid) == nil, !survivors.isEmpty { return busy(with: survivors, of: holder) }
                if let text = holder.leftoversText(of: name) { return later("\(text). This one is not run") }
                who = " (pid \(pid), since \(LocalTime.short(holder.started.microseconds)))"
            }
            return later("another run of it is under way\(who). This one is not run")
        case .system(let error):
            if error.code == EACCES || error.code == EPERM {
                StandardError.say("\(error). Run it as root, or set LIGHTSOUT_RUNTIME_DIR for a trial")
                return ExitStatus.notAllowed
            }
            return finish(Outcome(.failed, reason: "two runs of it cannot be kept apart: \(error)"), runningState(nil)).status
        }
    }

    /// Finds out whether processes of an earlier run live that has lost its runner. They get a standby lock until they have ended.
    /// - Returns: the exit status where there are some; nil to go on.
    func survivorsRefusal(_ previous: PreviousRun, _ exclusion: borrowing RunExclusion) -> Int32? {
        guard let state = previous.read() else { return nil }
        let survivors = RunSurvivors(of: state, name)
        guard !survivors.isEmpty else { return nil }
        if !survivors.areInUnit {
            do throws(SystemError) { try LockKeeper.keepSurvivors(of: name, exclusion, directories) } catch {
                log.write(
                    .notice(
                        "standby may interrupt the processes that its last run left behind: \(error)", backup: name, run: state.run,
                        priority: .warning))
            }
        }
        return busy(with: survivors, of: state)
    }

    private func busy(with survivors: RunSurvivors, of state: RunState) -> Int32 {
        later(
            "processes of a run whose runner is gone still live (pid \(survivors.pids.map { String($0) }.joined(separator: ", ")), since \(LocalTime.short(state.started.microseconds))). This one is not run; end them first"
        )
    }

    func later(_ reason: String) -> Int32 {
        StandardError.say("\(name): \(reason)")
        ServiceManager.status("Not run now: \(reason)")
        return ExitStatus.tryLater
    }
}
