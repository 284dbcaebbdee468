public import LightsOutCore
import Systemd

extension RunState {
    /// Why a run that is under way does not end although its script has, and what ends it; nil while the script runs.
    public nonisolated func leftoversText(of backup: BackupName) -> String? {
        guard case .running = phase, let ended = notes.scriptEnded else { return nil }
        let time = LocalTime.short(ended.microseconds)
        let why = notes.problem ?? "its script ended at \(time), but processes that it left behind still run"
        return "\(why). The run waits for them. To end them: lightsout stop \(backup)"
    }
}
