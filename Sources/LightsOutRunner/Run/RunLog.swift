import Glibc
public import LightsOutCore
public import Systemd

/// Says what becomes of a run: to the journal, which is the record, and to a person who started it by hand.
public struct RunLog {
    /// From which importance on a record is also printed; nil prints none (stderr is the journal already).
    private let printed: JournalPriority?

    /// What sends the records where the process must not wait for journald.
    private let queue: JournalQueue?

    /// - Parameters:
    ///   - isUnit: whether our output goes to the unit's journal.
    ///   - queue: sends the records where the process must not wait for journald.
    public init(isUnit: Bool, queue: JournalQueue? = nil) {
        self.queue = queue
        printed = isUnit ? nil : isatty(STDERR_FILENO) == 1 ? .info : .notice
    }

    /// Whether records wait for a journald that does not read.
    public var hasWaiting: Bool { (queue?.count ?? 0) > 0 }

    /// Writes `record`.
    /// - Returns: whether the journal has it.
    @discardableResult
    public func write(_ record: JournalRecord) -> Bool {
        if let printed, record.priority.rawValue <= printed.rawValue { StandardError.say(record.message) }
        do throws(SystemError) {
            if let queue { try queue.send(record.fields) } else { try Journal.send(record.fields) }
            return true
        } catch {
            if printed == nil || record.priority.rawValue > (printed ?? .error).rawValue { StandardError.say(record.message) }
            StandardError.say("the journal cannot be written to: \(error.reason). The line above is not in it")
            return false
        }
    }
}
