import ArgumentParser
import LightsOutCore
import LightsOutRunner
import LightsOutService

/// The process of `lightsout-keeper.service`, which holds reported backups while the daemon is stopped.
struct HoldLeases: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hold-leases", abstract: "Hold reported backups while lightsoutd is stopped.", shouldDisplay: false)

    func run() throws {
        try MainActor.assumeIsolated {
            ProcessStanding.take()
            throw ExitCode(try LeaseKeeper(directories: .ofThisProcess).run())
        }
    }
}
