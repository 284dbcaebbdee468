import Testing

@testable import LightsOutService

@Suite struct OutputTests {
    @Test(arguments: [
        (true, nil, "xterm", true), (true, "", "xterm", true), (true, "1", "xterm", false), (true, nil, "dumb", false),
        (true, nil, nil, false), (false, nil, "xterm", false),
    ] as [(Bool, String?, String?, Bool)])
    func `colour is for terminals that have it and people who want it`(
        isTerminal: Bool, noColour: String?, terminal: String?, expected: Bool
    ) {
        #expect(Output.usesColour(isTerminal: isTerminal, noColour: noColour, terminal: terminal) == expected)
    }
}
