import CLinux
import Glibc
import Systemd
import Testing

@testable import LightsOutService

@Suite("The process that a report is bound to")
struct ReportingProcessTests {
    private func pidfd(_ pid: Int32) -> Descriptor { Descriptor(owning: lo_pidfd_open(pid)) }

    private func found(_ pid: Int32, start: UInt64, stored: Int32? = nil) -> Bool {
        let again = ReportingProcess(again: pid, start: start, stored: stored.map { pidfd($0) })
        if again == nil { return false }
        return true
    }

    /// A process that sleeps, and its pidfd.
    private func withSleeper(_ body: (Int32) throws -> Void) throws {
        var pid: pid_t = 0
        let arguments = [strdup("sleep"), strdup("60"), nil]
        defer { for argument in arguments { free(argument) } }
        try #require(posix_spawnp(&pid, "sleep", nil, nil, arguments, environ) == 0)
        defer {
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
        }
        try body(pid)
    }

    @Test func `a pidfd of the caller's own process is taken`() throws {
        let pid = try ReportingProcess(pidfd(getpid()), of: getuid()).pid
        #expect(pid == getpid())
    }

    @Test func `a descriptor of anything else is not`() throws {
        for path in ["/dev/null", "/proc/self/status", "/"] {
            #expect(throws: ReportingProcess.Refusal.notAPidfd) {
                _ = try ReportingProcess(try Descriptor.open(path, O_RDONLY), of: getuid())
            }
        }
    }

    @Test func `another user's process is refused, and root may name any`() throws {
        #expect(throws: ReportingProcess.Refusal.anothers(pid: getpid(), uid: getuid())) {
            _ = try ReportingProcess(pidfd(getpid()), of: getuid() + 1)
        }
        let pid = try ReportingProcess(pidfd(getpid()), of: 0).pid
        #expect(pid == getpid())
    }

    @Test func `a process that has ended is refused, waited for or not`() throws {
        try withSleeper { pid in
            // Opened while it lives: of one that has been waited for there is no pidfd to be had.
            let (zombie, reaped) = (lo_pidfd_open(pid), lo_pidfd_open(pid))
            kill(pid, SIGKILL)
            var information = siginfo_t()
            waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT)
            #expect(throws: ReportingProcess.Refusal.gone) { _ = try ReportingProcess(Descriptor(owning: zombie), of: getuid()) }
            waitpid(pid, nil, 0)
            #expect(throws: ReportingProcess.Refusal.gone) { _ = try ReportingProcess(Descriptor(owning: reaped), of: getuid()) }
        }
    }

    @Test func `it is found again by its pid and beginning, and only so`() throws {
        try withSleeper { pid in
            let start = try ReportingProcess(pidfd(pid), of: 0).start
            #expect(found(pid, start: start))
            #expect(found(pid, start: start, stored: pid))
            #expect(!found(pid, start: start + 1))
            #expect(!found(pid, start: start, stored: getpid()))
        }
    }
}
