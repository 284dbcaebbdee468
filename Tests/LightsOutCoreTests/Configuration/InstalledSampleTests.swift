@testable import LightsOutCore
import Testing

@Suite("The configuration file as it is installed")
struct InstalledSampleTests {
    let sample: String

    init() throws { sample = try RepositoryFile("etc/lightsout/lightsout.yaml").text }

    /// The sample with its settings put in force, by its own rule: a "#" goes unless one space and a word follow it.
    private var uncommented: String {
        sample.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let rest = line.dropFirst()
            guard line.hasPrefix("#"), let first = rest.first else { return line }
            return first == " " && rest.dropFirst().first != " " ? line : rest
        }.joined(separator: "\n")
    }

    @Test("changes nothing: it is right, and configures nothing")
    func isEmpty() throws {
        let reading = readConfiguration(sample)
        #expect(reading.problems.map(\.rendered) == [])
        var nothing = Configuration()
        nothing.files = ["/etc/lightsout/lightsout.yaml"]
        #expect(reading.configuration == nothing)
    }

    @Test("is right without a warning once every setting in it is put in force")
    func isRightWhenUncommented() {
        #expect(readConfiguration(uncommented).problems.map(\.rendered) == [])
    }

    @Test("shows every key, and no backup but the example")
    func showsEveryKey() throws {
        let settings = uncommented.split(separator: "\n").filter { !$0.hasPrefix("#") }
        let shown = Set(settings.compactMap { $0.split(separator: ":").first?.drop { $0 == " " } }.map(String.init))
        let known = GlobalKeys.table.keys.map(\.name) + BackupKeys.table.keys.map(\.name)
        #expect(Set(known).subtracting(shown) == [])
        #expect(shown.subtracting(known) == ["defaults", "backups", "server"])
    }

    @Test("shows what holds without it, save in the example's own choices")
    func showsDefaults() throws {
        let configuration = try #require(readConfiguration(uncommented).configuration)
        #expect(configuration.global == GlobalSettings())
        #expect(configuration.defaults == BackupSettings())
        var settings = try #require(configuration.backups[BackupName("server")]).settings
        let none = BackupSettings()
        settings.description = none.description
        settings.script = none.script
        settings.user = none.user
        settings.schedule = none.schedule
        settings.wakePolicy = none.wakePolicy
        settings.after = none.after
        settings.exitCodes = none.exitCodes
        settings.requiresMounts = none.requiresMounts
        settings.staleAfter = none.staleAfter
        #expect(settings == none)
    }
}
