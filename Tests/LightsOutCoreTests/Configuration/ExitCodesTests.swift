import LightsOutCore
import Testing

@Suite("Results of exit statuses")
struct ExitCodesTests {
    @Test("without a word in the configuration, the design's table holds")
    func plain() {
        let results = [0, 1, 2, 3, 4, 5, 255].map { ExitCodes().result(ofStatus: $0) }
        #expect(results == [.success, .failed, .aborted, .warnings, .undefined, .failed, .failed])
    }

    @Test("what the configuration names goes first, and leaves the rest as it is")
    func named() {
        let codes = ExitCodes([24: .warnings, 1: .success])
        #expect([0, 1, 2, 24, 23].map { codes.result(ofStatus: $0) } == [.success, .success, .aborted, .warnings, .failed])
    }

    @Test(
        "a preset gives a program's documented statuses their results",
        arguments: [
            (.borg, [0: .success, 1: .warnings, 2: .failed, 3: .failed, 4: .failed, 99: .failed, 100: .warnings, 127: .warnings, 128: .failed, 130: .aborted, 137: .aborted, 255: .failed]),
            (.restic, [0: .success, 1: .failed, 2: .failed, 3: .warnings, 4: .failed, 10: .failed, 11: .failed, 12: .failed, 130: .aborted, 200: .failed]),
            (.rsync, [0: .success, 1: .failed, 2: .failed, 3: .failed, 4: .failed, 12: .failed, 20: .aborted, 21: .failed, 23: .warnings, 24: .warnings, 25: .warnings, 30: .failed, 35: .failed, 255: .failed]),
        ] as [(ExitCodes.Preset, [Int32: RunResult])])
    func preset(preset: ExitCodes.Preset, results: [Int32: RunResult]) {
        for (status, result) in results {
            #expect(ExitCodes(preset).result(ofStatus: status) == result, "\(preset) \(status)")
        }
    }
}
