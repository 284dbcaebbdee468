import Glibc
import LightsOutCore
import LightsOutRunner
import LightsOutService
import Systemd

// The daemon's entry: builds it and lets it run.
ProcessStanding.take()
do {
    exit(try Daemon(directories: .ofThisProcess).run())
} catch {
    StandardError.say("lightsoutd cannot run: \(error)")
    exit(EXIT_FAILURE)
}
