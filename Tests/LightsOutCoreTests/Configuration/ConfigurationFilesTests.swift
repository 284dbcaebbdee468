import Testing

@testable import LightsOutCore

/// Several files in one, and back.
@Suite("A bundle of configuration files")
struct ConfigurationFilesTests {
    private let files = ConfigurationFiles(
        main: ConfigurationFile(path: "/etc/lightsout/lightsout.yaml", bytes: Array("backups: {a: {}}\n".utf8)),
        dropIns: [
            ConfigurationFile(path: "/etc/lightsout/backups.d/1 two\n.yaml", bytes: []),
            ConfigurationFile(path: "/etc/lightsout/backups.d/é.yaml", bytes: Array("# ü\nmain 1 2\n".utf8)),
        ])

    private func pairs(_ files: ConfigurationFiles?) -> [[String]]? {
        files.map { files in
            ([files.main].compactMap { $0 } + files.dropIns).map { [$0.path, String(decoding: $0.bytes, as: UTF8.self)] }
        }
    }

    @Test func `what was bundled is read as it was`() {
        #expect(pairs(ConfigurationFiles(bundle: files.bundle)) == pairs(files))
        let none = ConfigurationFiles(bundle: ConfigurationFiles(main: nil).bundle)
        #expect(none != nil && none?.main == nil && none?.dropIns.isEmpty == true)
    }

    @Test func `a bundle that is cut off is none`() {
        let bundle = files.bundle
        for length in 0..<bundle.count {
            #expect(ConfigurationFiles(bundle: Array(bundle.prefix(length))) == nil)
        }
    }

    @Test(arguments: [
        "", "\n", "lightsout configuration 2\n", "lightsout configuration 1\n", "lightsout configuration 1\n1\nmain 1\n", "lightsout configuration 1\n1\nmain 1 99999999999999999999\n",
        "lightsout configuration 1\n1\nmain 9223372036854775807 9223372036854775807\nx", "lightsout configuration 1\n1\nmain -1 1\nx",
        "lightsout configuration 1\n1\nother 1 0\nx", "lightsout configuration 1\n2\nmain 1 0\nxmain 1 0\nx",
    ])
    func `what is no bundle is not read`(text: String) {
        #expect(ConfigurationFiles(bundle: Array(text.utf8)) == nil)
    }

    @Test func `a reading of the bundle says what a reading of the files says`() throws {
        let files = ConfigurationFiles(
            main: ConfigurationFile(path: "/x.yaml", bytes: Array("backups: {a: {schedule: nonsense}, b: {args: [1]}}".utf8)))
        let read = try #require(ConfigurationFiles(bundle: files.bundle))
        let (one, other) = (
            ConfigurationReader.read(files, directories: Directories()), ConfigurationReader.read(read, directories: Directories())
        )
        #expect(one.problems == other.problems)
        #expect(one.usable == other.usable)
        #expect(one.hasErrors)
    }
}
