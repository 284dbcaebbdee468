import Glibc
public import LightsOutCore
import Systemd

/// What a command finds around it, each looked up when it is first asked for: a command that needs none of it starts
/// faster.
public final class Surroundings {
    public let directories = Directories.ofThisProcess
    public let now = Timestamp(microseconds: Clock.realtime)
    public let output = Output.standard

    public init() {}

    /// The zone that times are shown in.
    public lazy var zone: ZoneRules = {
        do throws(ZoneError) { return try ZoneRules.local() } catch {
            StandardError.say("\(error). Times are shown in UTC")
            return .utc
        }
    }()

    /// The zone that the machine's schedules go by, whatever the caller's `TZ` says.
    public lazy var machineZone: ZoneRules = (try? ZoneRules.local(environment: nil)) ?? .utc

    /// Whether this is a trial beside the installed lightsout, with a state directory of its own.
    private var isTrial: Bool { directories.state != Directories().state }

    /// Whose records of the journal are believed: root's, and in a trial those of whoever makes it.
    public var trust: RecordTrust {
        RecordTrust(users: isTrial ? [0, geteuid()] : [0], program: Self.program)
    }

    private static var program: String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink("/proc/self/exe", &buffer, buffer.count)
        guard length > 0 else { return nil }
        return String(decoding: buffer[..<length].lazy.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
