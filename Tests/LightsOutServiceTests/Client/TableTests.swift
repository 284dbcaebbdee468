import LightsOutCore
import Testing

@testable import LightsOutService

/// The tables of `lightsout status` and `lightsout next`, with backups as people have them.
@Suite struct TableTests {
    private let now = Timestamp(microseconds: 1_795_529_600_000_000)  // Tue 2026-11-24 14:13:20 UTC

    private func time(hours: Double) -> Timestamp { Timestamp(microseconds: now.microseconds + Int64(hours * 3_600_000_000)) }

    private func statuses() throws -> [BackupStatus] {
        var server = BackupView(description: "Nightly copy of /srv to the USB disk", state: .idle, wake: true, isStale: false)
        server.lastResult = .success
        server.lastFinished = time(hours: -11.6)
        server.nextElapse = time(hours: 12.4)
        var photos = BackupView(description: "", state: .running, wake: true, isStale: true)
        photos.progress = 42
        photos.lastResult = .wrongConfig
        photos.lastFinished = time(hours: -24 * 30)
        photos.nextElapse = time(hours: 24 * 30)
        photos.problem = "no success since 2026-10-20 02:30"
        return [BackupStatus(name: try BackupName("photos"), view: photos), BackupStatus(name: try BackupName("server"), view: server)]
    }

    private func status(_ width: Int?) throws -> [String] {
        BackupStatus.table(try statuses(), now: now, zone: .utc).lines(width: width, colour: false)
    }

    @Test(arguments: 20...200) func `no line of the status is wider than the terminal`(width: Int) throws {
        #expect(try status(width).allSatisfy { $0.displayWidth <= width })
    }

    @Test(arguments: [
        (100, "BACKUP  STATE        LAST RESULT   FINISHED          NEXT                     PROBLEM"),
        (80, "BACKUP  STATE        LAST RESULT   NEXT                     PROBLEM"),
        (60, "BACKUP  STATE        LAST RESULT   PROBLEM"),
        (40, "BACKUP  STATE        LAST RESULT"),
    ])
    func `what a narrow terminal shows of the status is what matters most`(width: Int, titles: String) throws {
        #expect(try status(width)[0] == titles)
    }

    @Test func `without a terminal nothing is left out`() throws {
        let lines = try status(nil)
        #expect(lines[2].contains("02:37 (11h 36min ago)"))
        #expect(lines[2].contains("Wed 02:37 (in 12h 24min), wakes"))
        #expect(lines[2].hasSuffix("Nightly copy of /srv to the USB disk"))
    }

    @Test(arguments: [
        (80, "Wed 2026-11-25 02:37:20 UTC  12h 24min  server  the machine"), (50, "Wed 02:37         12h 24min  server  yes"),
        (40, "Wed 02:37         server  yes"), (25, "Wed 02:37         server"),
    ])
    func `the list of what runs when fits the terminal`(width: Int, row: String) throws {
        let server = try BackupName("server")
        let elapses = [12.4, 24 * 30].map { UpcomingElapses.Elapse(backup: server, time: time(hours: $0), wake: true) }
        let lines = UpcomingElapses.table(elapses, now: now, zone: .utc).lines(width: width, colour: false)
        #expect(lines.allSatisfy { $0.displayWidth <= width })
        #expect(lines[1] == row)
    }
}
