import ArgumentParser
import LightsOutCore
import LightsOutRunner
import Systemd

/// What `lightsout-reboot.service` calls when it is stopped: it returns when no running backup is in the way of a restart of
/// the machine that can wait. Where the machine does not go down there is nothing to do.
struct HoldReboot: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hold-reboot", abstract: "Let a restart of the machine wait for running backups.", shouldDisplay: false)

    func run() throws {
        try MainActor.assumeIsolated { try RestartHold(.ofThisProcess).perform() }
    }
}
