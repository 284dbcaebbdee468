import ArgumentParser
import LightsOutCore
import LightsOutService

/// A command of lightsout: parsed by ArgumentParser, which knows of no threads, then run on the main one.
protocol Command: ParsableCommand, Sendable {
    @MainActor func run(in surroundings: Surroundings) throws
}

extension Command {
    func run() throws { try MainActor.assumeIsolated { try run(in: Surroundings()) } }
}

/// `--json`, wherever there is something to show.
struct JSONOption: ParsableArguments, Sendable {
    @Flag(name: .customLong("json"), help: "Print JSON for programs, as docs/json.md describes it.")
    var isWanted = false
}

extension CommandFailure {
    /// A call whose own words are wrong.
    static func usage(_ message: String) -> CommandFailure {
        CommandFailure(message: message, status: ExitStatus.usage)
    }
}

extension Surroundings {
    /// A time from the command line.
    @MainActor func time(_ text: String, option: String) throws(CommandFailure) -> Timestamp {
        do throws(TimestampError) {
            return try Timestamp(parsing: text, now: now, localZone: zone)
        } catch { throw .usage("\(option): \(error)") }
    }
}

/// A number of lines from the command line.
func checkedCount(_ count: Int, option: String, upTo limit: Int) throws(CommandFailure) -> Int {
    guard (1...limit).contains(count) else { throw .usage("\(option) is a number from 1 to \(limit), not \(count)") }
    return count
}
