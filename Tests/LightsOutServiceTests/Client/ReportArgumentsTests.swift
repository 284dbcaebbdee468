import LightsOutCore
import LightsOutService
import Testing

@Suite struct ReportArgumentsTests {
    @Test(arguments: [
        ["-r"], ["--report_backup_started"], ["--report-backup-started"],
    ])
    func `a start is reported in each of its spellings`(arguments: [String]) throws {
        let report = try ReportArguments(arguments)
        #expect(report.started)
        #expect(report.progress == nil)
        #expect(report.finished == nil)
        #expect(report.name == nil)
    }

    @Test(arguments: [
        ["-p", "40"], ["-p40"], ["--report_backup_progress", "40"], ["--report_backup_progress=40"],
        ["--report-backup-progress=40"], ["--report-backup-progress", "40"],
    ])
    func `progress is reported in each of its spellings`(arguments: [String]) throws {
        #expect(try ReportArguments(arguments).progress == 40)
    }

    @Test(arguments: [0, 1, 2, 3, 4, 5, 255] as [Int32])
    func `each result has its code`(code: Int32) throws {
        for option in ["-f", "--report_backup_finished", "--report-backup-finished"] {
            #expect(try ReportArguments([option, String(code)]).finished == code)
        }
    }

    @Test func `reports are combined in one call, in any order`() throws {
        let report = try ReportArguments(["--name", "client", "-p", "0", "-r", "-f", "3"])
        #expect(report.started)
        #expect(report.progress == 0)
        #expect(report.finished == 3)
        #expect(report.name?.text == "client")
    }

    @Test(arguments: ["0", "100"]) func `progress reaches from 0 to 100`(text: String) throws {
        #expect(try ReportArguments(["-p", text]).progress.map { String($0) } == text)
    }

    @Test(arguments: [
        ["-p", "101"], ["-p", "-1"], ["-p", ""], ["-p"], ["-p", "+5"], ["-p", " 5"], ["-p", "5%"], ["-p", "0x10"],
        ["-p", "99999999999999999999"], ["-p", "٤"], ["-f", "6"], ["-f", "254"], ["-f", "256"], ["-f", "-1"], ["-f", "success"],
        ["-f"], ["-r", "x"], ["-r=1"], ["-rr"], ["--name", "client"], ["--name"], ["-r", "--name", "../x"], ["-r", "--name", ""],
        ["-r", "--json"], ["-r", "status"], ["-p", "50", "-f", "9"], ["-p", "4", "\u{1b}[2J"],
    ])
    func `anything else is a usage error in one line, and nothing is sent`(arguments: [String]) {
        let failure = #expect(throws: CommandFailure.self) { try ReportArguments(arguments) }
        #expect(failure?.status == 64)
        #expect(failure?.message.unicodeScalars.contains(where: \.isUnprintable) == false)
    }

    @Test func `a call is a report by its first word`() {
        #expect(ReportArguments.describe(["-r"]))
        #expect(ReportArguments.describe(["-p50"]))
        #expect(ReportArguments.describe(["--name=x", "-r"]))
        #expect(!ReportArguments.describe([]))
        #expect(!ReportArguments.describe(["status", "-r"]))
        #expect(!ReportArguments.describe(["--help"]))
        #expect(!ReportArguments.describe(["--version"]))
        #expect(!ReportArguments.describe(["--json"]))
    }
}
