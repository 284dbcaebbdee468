import Glibc
import LightsOutCore
import LightsOutService
import Systemd

// The daemon's entry: builds it and lets it run.
do {
    exit(try Daemon(directories: .ofThisProcess).run())
} catch {
    StandardError.say("lightsoutd cannot run: \(error)")
    exit(EXIT_FAILURE)
}
