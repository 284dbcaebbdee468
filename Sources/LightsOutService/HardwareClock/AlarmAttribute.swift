import Glibc
import LightsOutCore
import Systemd

/// Why an alarm of the hardware clock cannot be set, to complete a sentence.
nonisolated struct AlarmFailure: Error, Hashable { var why: String }

/// The alarm of a hardware clock in sysfs (`wakealarm`), in the clock's own time.
nonisolated struct AlarmAttribute {
    private let clock: HardwareClock
    private let directory: String

    init(_ clock: HardwareClock, in directory: String = HardwareClock.directory) {
        self.clock = clock
        self.directory = "\(directory)/\(clock.name)"
    }

    func read() throws(AlarmFailure) -> ClockAlarm.Reading {
        guard let now = Descriptor.firstLine(of: "\(directory)/since_epoch").flatMap({ Int64($0) }) else {
            throw AlarmFailure(why: "its hardware clock (\(clock.name)) does not tell its time")
        }
        // Empty where no alarm is set.
        let alarm = Descriptor.firstLine(of: "\(directory)/wakealarm").flatMap { Int64($0) }
        return ClockAlarm.Reading(clock: now, alarm: alarm == 0 ? nil : alarm)
    }

    /// - Parameter at: the alarm as the system counts; nil for one that stood there before.
    func set(_ value: Int64, at: Timestamp?) throws(AlarmFailure) {
        // The kernel refuses to set an alarm where one is set.
        try clear()
        do throws(SystemError) { try put(value) } catch { throw AlarmFailure(why: Self.why(error, clock, at: at)) }
        guard Descriptor.firstLine(of: "\(directory)/wakealarm") == String(value) else {
            throw AlarmFailure(why: "its hardware clock (\(clock.name)) did not keep the alarm")
        }
    }

    func clear() throws(AlarmFailure) {
        do throws(SystemError) { try put(0) } catch { throw AlarmFailure(why: Self.why(error, clock, at: nil)) }
    }

    private func put(_ value: Int64) throws(SystemError) {
        let file = try Descriptor.open("\(directory)/wakealarm", O_WRONLY | O_TRUNC | O_NOFOLLOW)
        try file.writeAll("\(value)\n".utf8)
    }

    static func why(_ error: SystemError, _ clock: HardwareClock, at: Timestamp?) -> String {
        switch (error.code, at) {
        case (EBUSY, _): "its hardware clock (\(clock.name)) is busy: another program uses its alarm"
        case (EINVAL, let at?), (ERANGE, let at?), (EDOM, let at?), (ETIME, let at?):
            "its hardware clock (\(clock.name)) takes no alarm so far ahead (\(LocalTime.short(at.microseconds))); many take one for 24 hours at most"
        default: "its hardware clock (\(clock.name)) cannot be set (\(error.reason))"
        }
    }
}
