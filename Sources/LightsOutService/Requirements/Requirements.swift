import LightsOutCore
import Systemd

/// What a backup needs to be there before it starts, and the watch for it while something is missing. Nothing is
/// watched as long as no backup waits.
final class Requirements {
    /// Told when something may have come that a waiting backup needs.
    var onChange: () -> Void = {}
    /// Says why there is no power for a backup with that policy; nil where there is. Set by who knows about power.
    var powerObstacle: (BatteryPolicy) -> String? = { _ in nil }

    private let loop: EventLoop
    private var mounts: MountTable?
    private var routes: NetworkRoutes?
    private var waiting: Set<BackupName> = []
    private var retry: EventSource?
    private static let retryDelay = TimeSpan.seconds(10)

    init(_ loop: EventLoop) { self.loop = loop }

    /// What is missing for `backup`, to complete "waiting: …"; nil where nothing is. While something is, changes are
    /// watched for.
    func obstacle(for backup: BackupConfiguration) -> String? {
        let obstacle = find(for: backup.settings)
        if obstacle == nil { forget(backup.name) } else { waiting.insert(backup.name) }
        return obstacle
    }

    /// The backup no longer waits.
    func forget(_ backup: BackupName) {
        waiting.remove(backup)
        if waiting.isEmpty {
            mounts = nil
            routes = nil
            retry = nil
        }
    }

    /// What cannot be seen is not held to be there: a backup to a disk that is not mounted would fill another.
    private func lookAgainLater(_ obstacle: String) -> String {
        retry = try? loop.after(Self.retryDelay.microseconds) { [unowned self] in onChange() }
        return obstacle
    }

    private func find(for settings: BackupSettings) -> String? {
        if !settings.requiresMounts.isEmpty {
            // Watched first, read then: what is mounted in between is seen either way.
            do throws(SystemError) {
                if mounts == nil { mounts = try MountTable(loop) { [unowned self] in onChange() } }
                let missing = try mounts?.missing(settings.requiresMounts) ?? []
                if let first = missing.first {
                    return missing.count == 1
                        ? "\(first) is not mounted" : "\(missing.joined(separator: ", ")) are not mounted"
                }
            } catch { return lookAgainLater("what is mounted cannot be seen: \(error)") }
        }
        if settings.requiresNetwork {
            do throws(SystemError) {
                if routes == nil { routes = try NetworkRoutes(loop) { [unowned self] in onChange() } }
                if try !NetworkRoutes.hasDefault() { return "there is no network (no default route)" }
            } catch { return lookAgainLater("whether there is a network cannot be seen: \(error)") }
        }
        return powerObstacle(settings.battery)
    }
}
