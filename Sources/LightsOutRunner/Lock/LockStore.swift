import Glibc
import LightsOutCore
import Systemd

/// The copy of a run's standby lock in the service manager's descriptor store.
///
/// The manager keeps it until the unit has ended, which is when no process is left in the unit. So the lock outlives a
/// runner that is killed for as long as the script does. A run outside of its unit has no such store.
final class LockStore {
    /// Told that the manager could not be given a copy.
    var onFailure: (SystemError) -> Void = { _ in }

    private static let prefix = "standby-lock."
    private var count = 0
    private var stored: String?

    /// Closes what an earlier run of the unit left in the store: a restart of the unit hands it over. It is that run's
    /// lock, and this run takes one of its own.
    init() {
        for (name, number) in (try? ServiceManager.takeStored()) ?? [] where name.hasPrefix(Self.prefix) {
            ServiceManager.unstore(name: name)
            Glibc.close(number)
        }
    }

    /// Puts a copy of `lock` into the store, in place of the one before.
    ///
    /// The copy is safe when this returns, although the manager has not read it yet: the manager reads what a process
    /// sent before it looks at the end of that process.
    func keep(_ lock: borrowing Descriptor) {
        count += 1
        // A name of its own: the manager takes out all descriptors of a name.
        let name = "\(Self.prefix)\(getpid()).\(count)"
        do throws(SystemError) {
            // The manager must not drop it when logind ends: a hang-up does not mean that the lock is lost.
            try ServiceManager.store(lock.number, name: name, polled: false)
            let before = stored
            stored = name
            if let before { ServiceManager.unstore(name: before) }
        } catch { onFailure(error) }
    }

    /// Takes the copy out of the store.
    func drop() {
        if let stored { ServiceManager.unstore(name: stored) }
        stored = nil
    }
}
