public import LightsOutCore
import LightsOutRunner
import Systemd

/// What the machine is to be woken for next.
///
/// The daemon leaves it in `/run/lightsout/wake`. The unit that sets the hardware clock's alarm
/// (lightsout-wakealarm@.service) reads it there: the daemon itself is confined, and not there any more when the machine
/// powers off.
nonisolated public struct WakeOrder: Hashable, Sendable {
    /// When to wake it, in whole seconds, as hardware clocks count.
    public var at: Timestamp
    /// When the first of the backups is due.
    public var due: Timestamp
    public var backups: Set<BackupName>

    public init(at: Timestamp, due: Timestamp, backups: Set<BackupName>) {
        self.at = Timestamp(microseconds: at.seconds * 1_000_000)
        self.due = Timestamp(microseconds: due.seconds * 1_000_000)
        self.backups = backups
    }

    /// An order this long past due comes from a daemon that is no more: a machine woken for it would be woken for
    /// nothing, after every sleep.
    static let longestOverdue = TimeSpan.days(1)
}

// MARK: - The file

nonisolated extension WakeOrder {
    private static let header = "# lightsout: what the machine is to be woken for next. Not to be edited."
    /// Past the year 9999 no clock counts.
    private static let latest: Int64 = 253_402_214_400

    /// The file's whole text.
    var text: String {
        """
        \(Self.header)
        version=1
        at=\(at.seconds)
        due=\(due.seconds)
        backups=\(backups.words)

        """
    }

    /// Reads what ``text`` wrote.
    /// - Throws: ``DamagedState`` for anything else.
    init(text: String) throws(DamagedState) {
        func seconds(_ words: Substring) -> Timestamp? {
            guard let seconds = Int64(words), 0...Self.latest ~= seconds else { return nil }
            return Timestamp(microseconds: seconds * 1_000_000)
        }
        var lines = try StateLines(text)
        try lines.expectVersion("1")
        self.init(
            at: try lines.required("at", seconds), due: try lines.required("due", seconds),
            backups: try lines.required("backups", Set.init(words:)))
        guard at <= due else { throw DamagedState("it wakes the machine after the backup is due") }
        guard !backups.isEmpty else { throw DamagedState("it is for no backup") }
        try lines.expectNothingMore()
    }
}

/// The file that a ``WakeOrder`` is left in.
struct WakeOrderFile {
    private let directory: String
    private static let name = "wake"

    /// - Parameter directory: the runtime directory.
    init(directory: String) { self.directory = directory }

    /// Leaves `order`; nil takes away what was left before.
    func leave(_ order: WakeOrder?) throws(SystemError) {
        let folder = try AtomicFile.openDirectory(directory, mode: 0o755)
        if let order {
            try AtomicFile.write(order.text, to: Self.name, below: folder, mode: 0o644, durable: false)
        } else {
            try AtomicFile.remove(Self.name, below: folder)
        }
    }

    /// What was left; nil where nothing was.
    /// - Throws: ``DamagedState`` for what no daemon of ours wrote.
    func read() throws(DamagedState) -> WakeOrder? {
        let text: String?
        do throws(SystemError) {
            text = try AtomicFile.read("\(directory)/\(Self.name)", limit: 16 * StateLines.maximumLength)
        } catch { throw DamagedState("\(error)") }
        guard let text else { return nil }
        return try WakeOrder(text: text)
    }
}

/// The daemon's side of the file: written when the order changes.
final class LeftOrder {
    private let file: WakeOrderFile
    private let log: RunLog
    /// What lies there; nil where that is not known.
    private var left: WakeOrder??

    init(_ directories: Directories, log: RunLog) {
        file = WakeOrderFile(directory: directories.runtime)
        self.log = log
    }

    func leave(_ order: WakeOrder?) {
        guard left != .some(order) else { return }
        left = .some(order)
        do throws(SystemError) { try file.leave(order) } catch {
            log.write(
                .decision(
                    SleepDecision(
                        .cannotWake, "the machine cannot be woken from hibernation or power-off: \(error)", isWarning: true)))
        }
    }

    /// Nothing is to wake the machine for a daemon that was stopped; where the machine itself goes down, what it said holds.
    func daemonEnds() {
        if !SystemState.isStopping { leave(nil) }
    }
}

nonisolated extension Timestamp {
    /// Whole seconds since 1970, rounded down.
    var seconds: Int64 {
        let (quotient, remainder) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
