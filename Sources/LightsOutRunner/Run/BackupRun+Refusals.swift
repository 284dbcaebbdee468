import Glibc
import LightsOutCore
import Systemd

// Runs that do not begin because another one is under way.

extension BackupRun {
    func notAlone(_ failure: RunExclusion.Failure) -> Int32 {
        switch failure {
        case .held(let holder):
            var who = ""
            if let holder, case .running(_, let pid) = holder.phase {
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

    func busy(with survivors: [pid_t], of state: RunState) -> Int32 {
        later(
            "processes of a run whose runner is gone still live (pid \(survivors.map { String($0) }.joined(separator: ", ")), since \(LocalTime.short(state.started.microseconds))). This one is not run; end them first"
        )
    }

    func later(_ reason: String) -> Int32 {
        StandardError.say("\(name): \(reason)")
        ServiceManager.status("Not run now: \(reason)")
        return ExitStatus.tryLater
    }
}
