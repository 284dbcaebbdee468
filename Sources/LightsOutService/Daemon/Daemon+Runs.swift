import LightsOutCore
import LightsOutRunner
import Systemd

// Runs as they begin and end.

extension Daemon {
    func handle(_ event: RunTracker.Event) {
        switch event {
        case .began(let name, let state):
            starting.remove(name)
            runs[name] = state
            requirements.forget(name)
            carryOut(scheduler.runStarted(name, run: state.run, now: now))
            standingChanged(of: [name])
            sleep.runStarted(name)
        case .ended(let name, let state):
            starting.remove(name)
            runs[name] = state
            let outcome = state.outcome ?? Outcome(.unknown)
            carryOut(
                scheduler.runEnded(
                    name, run: state.run, result: outcome.result,
                    stoppedOnRequest: outcome.reason == Outcome.Reason.stopped, now: now))
            standingChanged(of: [name])
            sleep.runEnded(name)
        }
    }
}
