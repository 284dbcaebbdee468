import ArgumentParser
import LightsOutCore
import LightsOutService

struct Reload: Command {
    static let configuration = CommandConfiguration(
        abstract: "Have lightsoutd read its configuration anew.",
        discussion: "One that is at fault changes nothing: the old one stays in force. See also: lightsout check")

    func run(in surroundings: Surroundings) throws { try ServiceClient.connect().reload() }
}
