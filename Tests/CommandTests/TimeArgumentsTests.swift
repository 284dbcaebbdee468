import ArgumentParser
import Testing

@testable import lightsout

struct `Times that begin with a dash` {
    @Test(arguments: [
        (["calendar", "--base-time", "-2 hours", "daily"], ["calendar", "--base-time=-2 hours", "daily"]),
        (["history", "--since", "-1year"], ["history", "--since=-1year"]),
        (["history", "--since", "--json"], ["history", "--since", "--json"]),
        (["history", "--since", "yesterday"], ["history", "--since", "yesterday"]),
        (["history", "--since"], ["history", "--since"]),
        (["hold", "--", "x", "--since", "-1h"], ["hold", "--", "x", "--since", "-1h"]),
    ])
    func `belong to their option`(typed: [String], understood: [String]) {
        #expect(TimeArguments.joined(typed) == understood)
    }

    @Test(arguments: ["-2 hours", "-2hr", "-1 year", "-3month 1.5 hours"])
    func `are taken by the command that they are for`(time: String) throws {
        let history = try Lightsout.parseAsRoot(TimeArguments.joined(["history", "--since", time, "-n5", "server"]))
        #expect((history as? History)?.since == time)
        let calendar = try Lightsout.parseAsRoot(TimeArguments.joined(["calendar", "--json", "--base-time", time, "-n3", "daily"]))
        #expect((calendar as? Calendar)?.baseTime == time)
    }
}

struct `The kind of sleep that may be left out` {
    @Test(arguments: [
        (["check", "--wake"], ["check", "--wake=suspend"]),
        (["check", "--yes", "--wake"], ["check", "--yes", "--wake=suspend"]),
        (["check", "--wake=hibernate", "--yes"], ["check", "--wake=hibernate", "--yes"]),
        (["check", "--", "--wake"], ["check", "--", "--wake"]),
        (["hold", "--", "x", "--wake"], ["hold", "--", "x", "--wake"]),
    ])
    func `is suspend`(typed: [String], understood: [String]) {
        #expect(TimeArguments.withKindOfSleep(typed) == understood)
    }

    @Test func `goes with --yes and with nothing else`() throws {
        let check = try Lightsout.parseAsRoot(["check", "--wake=hybrid-sleep", "--yes"]) as? Check
        #expect(check?.wake == .hybridSleep && check?.yes == true)
        for wrong in [["check", "--yes"], ["check", "--wake=suspend", "--json"], ["check", "--wake=suspend", "x.yaml"], ["check", "--wake=poweroff"]] {
            #expect(throws: (any Error).self) { try Lightsout.parseAsRoot(wrong) }
        }
    }
}
