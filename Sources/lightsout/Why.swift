import ArgumentParser
import LightsOutCore
import LightsOutService

struct Why: Command {
    static let configuration = CommandConfiguration(abstract: "Show what keeps the machine awake.")

    @OptionGroup var json: JSONOption

    func run(in surroundings: Surroundings) throws { try WhyQuery(surroundings).show(json: json.isWanted) }
}
