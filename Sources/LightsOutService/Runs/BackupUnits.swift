import LightsOutCore
import LightsOutRunner
import Systemd

/// Starts and stops the backups' units through systemd (org.freedesktop.systemd1(5)).
final class BackupUnits {
    /// What became of a start that was asked for.
    enum StartEnd {
        /// systemd would not start the unit, or the unit ended before its runner could say anything.
        case refused(String)
        /// The start job is over: for a unit of type oneshot, the run is.
        case over
    }

    private let bus: Bus
    private var subscription: BusSlot?
    private var starts: [UInt64: [BusSlot]] = [:]
    private var startCount: UInt64 = 0

    /// - Parameters:
    ///   - bus: attached to the loop.
    ///   - unheard: told where systemd will send no signals, so that the end of a start job is not seen.
    init(_ bus: Bus, unheard: @escaping (BusError) -> Void) throws(BusError) {
        self.bus = bus
        // systemd sends its signals to those who asked for them only.
        subscription = try bus.callAsync(.systemd1, "Subscribe") { [unowned self] reply in
            subscription = nil
            if case .failure(let error) = reply { unheard(error) }
        }
    }

    /// The rule for the end of any job of systemd's. Which unit it is for must be looked up in the message: libsystemd
    /// compares an `arg2` only where everything before it is text, and the first argument here is a number.
    static let jobRemovedRule =
        "type='signal',sender='org.freedesktop.systemd1',path='/org/freedesktop/systemd1',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'"

    /// Starts the unit of `backup`; `then` is told once, when it is refused or its job is over, `accepted` before that,
    /// when systemd has taken the job. A unit that is starting already is not started again: systemd joins the two jobs.
    func start(
        _ backup: BackupName, then: @escaping (StartEnd) -> Void, accepted: @escaping () -> Void = {}
    ) {
        let unit = backup.unit
        startCount += 1
        let key = startCount
        let finish = { [unowned self] (end: StartEnd) in
            guard starts.removeValue(forKey: key) != nil else { return }
            then(end)
        }
        starts[key] = []
        do throws(BusError) {
            let removed = try bus.matchAsync(Self.jobRemovedRule) { message in
                guard (try? message.readUInt32()) != nil, (try? message.readObjectPath()) != nil,
                    (try? message.readString()) == unit, let result = try? message.readString()
                else { return }
                switch result {
                case "done", "failed": finish(.over)
                default: finish(.refused("its start job was \(result)"))
                }
            }
            let call = try bus.callAsync(.systemd1, "StartUnit") { (message) throws(BusError) in
                try message.append(unit)
                try message.append("replace")
            } reply: { reply in
                switch reply {
                case .success: accepted()
                case .failure(let error): finish(.refused(error.description))
                }
            }
            starts[key] = [removed, call]
        } catch { finish(.refused(error.description)) }
    }

    /// Stops the unit of `backup`; `then` is told what systemd answered.
    func stop(_ backup: BackupName, then: @escaping (Result<Void, BusError>) -> Void) throws(BusError) -> BusSlot {
        try bus.callAsync(.systemd1, "StopUnit") { (message) throws(BusError) in
            try message.append(backup.unit)
            try message.append("replace")
        } reply: { reply in
            then(reply.map { _ in })
        }
    }
}
