import ArgumentParser
import LightsOutCore
import LightsOutService

struct Calendar: Command {
    static let configuration = CommandConfiguration(
        abstract: "Show what calendar expressions mean and when they elapse.",
        discussion: "The language is that of systemd's OnCalendar=, see systemd.time(7) and lightsout.yaml(5).")

    @Argument(help: ArgumentHelp("Calendar expressions, such as \"Mon..Fri 02:30\".", valueName: "expression"))
    var expressions: [String]

    @Option(name: [.customShort("n", allowingJoined: true), .customLong("iterations")], help: "Show so many elapses.")
    var count = 5

    @Option(parsing: .unconditional, help: ArgumentHelp("Show the elapses after this time instead of now.", valueName: "time"))
    var baseTime: String?

    @OptionGroup var json: JSONOption

    func run(in surroundings: Surroundings) throws {
        let count = try checkedCount(count, option: "-n", upTo: 100_000)
        let base = try baseTime.map { try surroundings.time($0, option: "--base-time") } ?? surroundings.now
        let readings = try expressions.map { text throws(CommandFailure) in
            do throws(CalendarExpressionError) {
                return CalendarReading(
                    text, expression: try CalendarExpression(text), after: base, count: count, zone: surroundings.zone)
            } catch { throw .usage(error.description) }
        }
        if json.isWanted {
            return try surroundings.output.write(JSONValue.document(readings.map(\.json)))
        }
        let output = surroundings.output
        try output.write(
            readings.map { reading in
                reading.lines(relativeTo: base) { output.styled($0, .heading) }.joined(separator: "\n")
            }.joined(separator: "\n\n"))
    }
}
