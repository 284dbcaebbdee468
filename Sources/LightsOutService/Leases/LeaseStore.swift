import Glibc
import LightsOutCore
import Systemd

/// What of a reported backup lies in the service manager's descriptor store, where it outlives the daemon: the standby
/// lock, the pidfd and the run's exclusion. Everything else about it is in the run's state. Of a backup that is due it is
/// the lock alone.
nonisolated enum LeaseStore {
    enum Part: String, CaseIterable {
        case exclusion = "report-exclusion"
        case process = "report-process"
        case lock = "report-lock"
        case dueLock = "due-lock"

        var isLock: Bool { self == .lock || self == .dueLock }
    }

    /// What the part of `backup` is called. A lock's name also has the pid of the daemon that took it: while it is
    /// replaced by another there are two.
    static func name(_ part: Part, of backup: BackupName) -> String {
        let name = "\(part.rawValue).\(backup)"
        return part.isLock ? "\(name).\(getpid())" : name
    }

    /// Puts a copy of `descriptor` into the store. It is never polled there (`FDPOLL=0`): a hang-up means a restart of
    /// logind for a lock, and for a pidfd the end that is still to be recorded.
    ///
    /// It is safe there when this returns, although the manager has not read it yet: the copy is in its queue, and it
    /// reads what a process sent before it looks at the process's end.
    static func keep(_ descriptor: Int32, as name: String, log: (JournalRecord) -> Void) {
        do throws(SystemError) { try ServiceManager.store(descriptor, name: name, polled: false) } catch {
            log(
                .notice(
                    "\(error). While the daemon is restarted standby is not blocked by backups that are reported or due",
                    priority: .warning))
        }
    }

    static func drop(_ name: String) { ServiceManager.unstore(name: name) }

    /// The descriptors that an earlier daemon left in the store.
    final class Remains {
        private var numbers: [String: Int32] = [:]

        /// - Parameter stored: what the service manager handed over.
        init(_ stored: [(name: String, number: Int32)]) {
            for (name, number) in stored {
                if let before = numbers.updateValue(number, forKey: name) { close(before) }
            }
        }

        /// Adds what the keeper held and puts it into the store, unless it is there already.
        func add(_ descriptor: consuming Descriptor, _ part: Part, of backup: BackupName, log: (JournalRecord) -> Void) {
            guard find(part, of: backup) == nil else { return }
            let name = LeaseStore.name(part, of: backup)
            LeaseStore.keep(descriptor.number, as: name, log: log)
            numbers[name] = descriptor.release()
        }

        /// The backups that there is such a part of.
        func backups(with part: Part) -> Set<BackupName> {
            Set(
                numbers.keys.compactMap { name in
                    let words = name.split(separator: ".", maxSplits: 2)
                    guard words.count > 1, words[0] == part.rawValue else { return nil }
                    return try? BackupName(String(words[1]))
                })
        }

        var isEmpty: Bool { numbers.isEmpty }

        /// Takes a part of `backup`, with the name that it has in the store.
        func take(_ part: Part, of backup: BackupName) -> (name: String, number: Int32)? {
            guard let name = find(part, of: backup), let number = numbers.removeValue(forKey: name) else { return nil }
            return (name, number)
        }

        private func find(_ part: Part, of backup: BackupName) -> String? {
            let wanted = "\(part.rawValue).\(backup)"
            return numbers.keys.first { $0 == wanted || $0.hasPrefix(wanted + ".") }
        }

        /// Gives back what belongs to no open report: the daemon ended between two steps of its beginning or end.
        func dropRest() {
            for (name, number) in numbers {
                close(number)
                LeaseStore.drop(name)
            }
            numbers = [:]
        }
    }
}
