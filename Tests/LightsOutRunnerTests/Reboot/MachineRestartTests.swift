import LightsOutCore
import Systemd
import Testing

@testable import LightsOutRunner

/// A restart of the machine waits for a backup only if nobody sits and waits for the restart.
@Suite struct MachineRestartTests {
    private nonisolated static let restarts = ["reboot.target", "kexec.target", "soft-reboot.target"]
    private nonisolated static let ends = ["poweroff.target", "halt.target", "exit.target"]
    private let now: UInt64 = 1_800_000_000_000_000

    private func reason(
        _ target: String?, _ scheduled: MachineRestart.Scheduled? = nil, isUpgrading: Bool = false
    ) -> String? {
        MachineRestart(target: target, scheduled: scheduled, isUpgrading: isUpgrading).reasonToWait(now: now)
    }

    @Test(arguments: restarts) func `a restart that somebody asks for now does not wait`(target: String) {
        #expect(reason(target) == nil)
        #expect(reason(target, .init(kind: "reboot", time: 0)) == nil)
        #expect(reason(target, .init(kind: "", time: .max)) == nil, "logind has nothing scheduled")
    }

    @Test(arguments: restarts) func `a restart that was scheduled waits`(target: String) {
        #expect(reason(target, .init(kind: "reboot", time: now - 1)) == "the restart was scheduled")
        #expect(reason(target, .init(kind: "reboot", time: now)) != nil)
    }

    @Test(arguments: restarts) func `somebody who does not wait for the scheduled time is not kept waiting`(target: String) {
        #expect(reason(target, .init(kind: "reboot", time: now + 60_000_000)) == nil)
    }

    @Test(arguments: restarts) func `a restart by unattended-upgrades waits`(target: String) {
        #expect(reason(target, .init(kind: "reboot", time: 0), isUpgrading: true) == "unattended-upgrades asked for the restart")
    }

    @Test(arguments: ends) func `power-off never waits`(target: String) {
        #expect(reason(target, .init(kind: "poweroff", time: now - 1), isUpgrading: true) == nil)
    }

    @Test func `a stop of the unit by hand does not wait`() { #expect(reason(nil, isUpgrading: true) == nil) }

    @Test func `the target is found among the jobs of a shutdown`() {
        let jobs = [
            SystemJob(unit: "shutdown.target", type: "start"), SystemJob(unit: "reboot.target", type: "start"),
            SystemJob(unit: "poweroff.target", type: "stop"),
        ]
        #expect(MachineRestart.target(of: jobs) == "reboot.target")
        #expect(MachineRestart.target(of: [SystemJob(unit: "reboot.target", type: "stop")]) == nil)
        #expect(MachineRestart.target(of: []) == nil)
    }

    // MARK: For how long

    private static let names = ["a", "b", "c"].compactMap { try? BackupName($0) }

    private func patience(_ spans: [String: TimeSpan], began: UInt64 = 1000) -> RestartPatience {
        RestartPatience(began: began) { spans[$0.text] ?? .zero }
    }

    @Test func `each run is waited for as long as its backup says`() throws {
        let patience = patience(["a": .seconds(1), "b": .seconds(2), "c": .infinity])
        let first = try #require(patience.waits(for: Self.names, now: 1000))
        #expect(first.backups.map(\.text) == ["a", "b", "c"])
        #expect(first.until == 1_001_000)
        let second = try #require(patience.waits(for: Self.names, now: 1_001_000))
        #expect(second.backups.map(\.text) == ["b", "c"])
        #expect(second.until == 2_001_000)
        let last = try #require(patience.waits(for: Self.names, now: 5_000_000))
        #expect(last.backups.map(\.text) == ["c"])
        #expect(last.until == nil, "without a limit there is no time to wake up at")
    }

    @Test func `without patience, or without a run, nothing is waited for`() {
        #expect(patience([:]).waits(for: Self.names, now: 1000) == nil)
        #expect(patience(["a": .hours(1)]).waits(for: [], now: 1000) == nil)
    }
}
