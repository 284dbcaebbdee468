import Glibc
public import LightsOutCore
import Systemd

/// Says what becomes of a run: to the journal, which is the record, and to a person who started it by hand.
public struct RunLog {
    /// From which importance on a record is also printed; nil prints none (stderr is the journal already).
    private let printed: JournalPriority?

    /// - Parameter isUnit: whether our output goes to the unit's journal.
    public init(isUnit: Bool) {
        printed = isUnit ? nil : isatty(STDERR_FILENO) == 1 ? .info : .notice
    }

    /// Writes `record`.
    /// - Returns: whether the journal has it.
    @discardableResult
    public func write(_ record: JournalRecord) -> Bool {
        if let printed, record.priority.rawValue <= printed.rawValue { StandardError.say(record.message) }
        do throws(SystemError) {
            try Journal.send(record.fields)
            return true
        } catch {
            if printed == nil || record.priority.rawValue > (printed ?? .error).rawValue { StandardError.say(record.message) }
            StandardError.say("the journal cannot be written to: \(error.reason). The line above is not in it")
            return false
        }
    }
}
