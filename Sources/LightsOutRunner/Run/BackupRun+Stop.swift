import Glibc
import LightsOutCore
import Systemd

// Signals and time limits that end a run before its script has ended.

extension BackupRun {
    func handleSignals() throws(SystemError) {
        for (signal, cause) in [
            (SIGTERM, Outcome.Reason.stopped), (SIGINT, "interrupted from the keyboard"),
            (SIGHUP, "its terminal was closed"),
        ] {
            sources.append(
                try loop.onSignal(signal) { [unowned self] received in
                    let byManager = isUnit && received.sender == 1
                    // systemd ends its units because somebody wants it to, or because the machine goes down.
                    let goesDown = byManager && stop == nil && SystemState.isStopping
                    beginStop(.asked(goesDown ? Outcome.Reason.machineWentDown : cause, byManager: byManager))
                })
        }
        if isUnit { try refuseRestarts() }
        // Whoever reads what we print may go; the run goes on.
        Glibc.signal(SIGPIPE, SIG_IGN)
    }

    private func refuseRestarts() throws(SystemError) {
        let restarts = RestartGuard(
            unit: name.unit, loop: loop,
            onRefusal: { [name, run, log] jobType in
                log.write(
                    .notice(
                        "a \(jobType) of its unit is refused because the backup is running. The run goes on",
                        backup: name, run: run, priority: .info))
            },
            onStop: { [unowned self] in
                // systemd sends no second signal, so the runner signals the script itself.
                let reason = SystemState.isStopping ? Outcome.Reason.machineWentDown : Outcome.Reason.stopped
                beginStop(.asked(reason, byManager: false))
            },
            onProblem: { [name, run, log] problem in
                log.write(
                    .notice(
                        "could not ask systemd about a restart of its unit: \(problem). The run goes on, and a restart may follow it",
                        backup: name, run: run, priority: .warning))
            })
        restartGuard = restarts
        sources.append(
            try loop.onSignal(RestartGuard.signal) { received in
                if received.sender == 1 { restarts.refuseRestart() }
            })
    }

    func beginStop(_ cause: Stop) {
        guard stop == nil else { return }
        stop = cause
        stopBegan = Clock.monotonic
        leftovers?.stopBegan()
        guard let process else { return }
        if case .asked(_, byManager: true) = cause {
            process.passOn(SIGTERM)
        } else {
            process.signal(SIGTERM)
            process.signal(SIGCONT)
        }
        ServiceManager.extendTimeout((backup.stopTimeout + .seconds(30)).microseconds)
        ServiceManager.status("Stopping: \(stopReason ?? "")")
        if let source = try? loop.after(backup.stopTimeout.microseconds, { [unowned self] in kill() }) {
            sources.append(source)
        } else {
            process.killAll()
            leftovers?.killed()
        }
    }

    private func kill() {
        log.write(
            .notice(
                "what still runs did not end within \(backup.stopTimeout.forPeople) of SIGTERM and is killed",
                backup: name, run: run, priority: .warning))
        process?.killAll()
        leftovers?.killed()
    }

    var stopReason: String? {
        switch stop {
        case .asked(let reason, _): reason
        case .timeout: "it ran longer than its timeout of \(backup.timeout.forPeople)"
        case nil: nil
        }
    }

    var stopOutcome: Outcome? {
        guard let reason = stopReason else { return nil }
        switch process?.end {
        case .exited(let status): return Outcome(.aborted, exitStatus: status, reason: reason)
        case .killed(let signal): return Outcome(.aborted, signal: signal, reason: reason)
        case nil: return Outcome(.aborted, reason: reason)
        }
    }
}
