import LightsOutCore
import LightsOutRunner
import Systemd

// What becomes of the locks of reported backups, and what they could not prevent.

extension Leases {
    func see(_ sleep: (inout SleptTimes) -> Void) {
        for lease in open where lease.see(sleep) {
            log(.notice(lease.problem ?? "", backup: lease.backup, run: lease.state.run, priority: .warning))
        }
    }

    func tell(_ change: JournalRecord.LockChange, _ lease: Lease, _ message: String) {
        lease.keep(change)
        log(.lock(change, lease.backup, lease.state.run, message: message))
    }

    func see(_ change: JournalRecord.LockChange, _ lease: Lease) {
        lease.gaps.see(change, at: daemon.now)
        lease.tellProblem()
    }
}
