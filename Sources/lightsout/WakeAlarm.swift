import ArgumentParser
import LightsOutCore
import LightsOutService
import Systemd

/// What lightsout-wakealarm@.service calls before the machine hibernates or powers off, and after it is back.
struct WakeAlarmCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "wake-alarm", abstract: "Set the hardware clock's alarm before the machine goes off, or take it back.",
        shouldDisplay: false)

    enum Action: String, ExpressibleByArgument, CaseIterable, Sendable { case arm, disarm }

    @Argument var action: Action
    @Argument var kind: String

    func run(in surroundings: Surroundings) throws {
        guard let kind = SleepKind(rawValue: kind) else {
            throw CommandFailure.usage(
                "there is no kind of sleep \(kind.quotedForPeople). There are: \(SleepKind.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        let isUnit = Identity.unit()?.hasPrefix("lightsout-wakealarm@") ?? false
        let setter = AlarmSetter(surroundings.directories, isUnit: isUnit)
        switch action {
        case .arm: setter.arm(for: kind)
        case .disarm: setter.disarm()
        }
    }
}
