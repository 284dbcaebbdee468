public import LightsOutCore
import Systemd

extension RunState {
    /// The line that `systemctl status` keeps after the run.
    nonisolated var summary: String {
        guard case .ended(let outcome, let time, _) = phase else { return "" }
        let reason = outcome.reason.map { ": \($0)" } ?? ""
        return "Ended \(LocalTime.short(time.microseconds)), \(outcome.result.phrase)\(reason)"
    }
}

extension [InhibitedAction] {
    /// As a status line says it: `sleep, lid switch`.
    public nonisolated var forPeople: String {
        map { action in
            let word = action.rawValue
            let words = word.hasPrefix("handle-") ? word.dropFirst("handle-".count) : word[...]
            return words.split(separator: "-").joined(separator: " ")
        }.joined(separator: ", ")
    }
}

extension [String] {
    /// The sentences as one line; nil if there is none.
    nonisolated var joinedOrNil: String? { isEmpty ? nil : joined(separator: "; ") }
}
