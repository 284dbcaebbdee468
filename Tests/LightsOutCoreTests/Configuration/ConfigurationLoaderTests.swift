import Glibc
import LightsOutCore
import Testing

@Suite("Loading the configuration from its folder")
struct ConfigurationLoaderTests {
    let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private var directories: Directories {
        Directories(environment: ["LIGHTSOUT_CONFIG_DIR": folder.path], environmentIsForeign: false)
    }

    /// The problems of a load, without the folder's name.
    private func complaints() -> [String] {
        ConfigurationLoader.load(directories).problems.map { $0.summary.replacing(folder.path + "/", with: "") }
    }

    @Test("without a folder nothing is configured, and nothing wrong")
    func noFolder() {
        var directories = Directories()
        directories.configuration = folder.path + "/none"
        let reading = ConfigurationLoader.load(directories)
        #expect(reading.problems == [])
        #expect(reading.configuration == Configuration())
    }

    @Test("lightsout.yaml is read first, then the files of backups.d by name; hidden and other files are not")
    func order() throws {
        try folder.write("backups: {main: }", to: "lightsout.yaml")
        for name in ["20-b.yaml", "10-a.yaml", "9-c.yaml", ".hidden.yaml", "d.yaml~", "e.yaml.dpkg-old"] {
            let backup = name.filter { $0.isLetter || $0.isNumber }
            try folder.write("backups: {\(backup): }", to: "backups.d/\(name)")
        }
        let configuration = try #require(ConfigurationLoader.load(directories).configuration)
        #expect(
            configuration.files.map { $0.dropFirst(folder.path.count + 1) }
                == ["lightsout.yaml", "backups.d/10-a.yaml", "backups.d/20-b.yaml", "backups.d/9-c.yaml"])
        #expect(configuration.backups.count == 4)
    }

    @Test("the scripts of the convention are looked for in the folder that is configured")
    func scripts() throws {
        try folder.write("backups: {a: }", to: "lightsout.yaml")
        let configuration = try #require(ConfigurationLoader.load(directories).configuration)
        #expect(configuration.backups[try BackupName("a")]?.script == folder.path + "/backup/a_backup")
    }

    @Test("a file that others may write is refused, with the command that mends it", arguments: [mode_t(0o664), 0o646])
    func writableFile(mode: mode_t) throws {
        try folder.write("", to: "lightsout.yaml", mode: mode)
        let complaint = try #require(complaints().first)
        #expect(complaint.hasPrefix("lightsout.yaml: can be written by \(mode == 0o664 ? "the group" : "everybody")"))
        #expect(complaint.hasSuffix("mend it with: chmod go-w lightsout.yaml"))
    }

    @Test("a folder that others may write is refused: they could put a file there")
    func writableFolder() throws {
        try folder.write("backups: {a: }", to: "backups.d/a.yaml")
        chmod(folder.path + "/backups.d", 0o777)
        #expect(
            complaints() == [
                "backups.d: can be written by everybody, who could put anything into it; not read; mend it with: chmod go-w backups.d"
            ])
    }

    @Test("a file that belongs to somebody else is refused", .enabled(if: geteuid() == 0, "only root can give files away"))
    func foreignFile() throws {
        try folder.write("", to: "lightsout.yaml")
        chown(folder.path + "/lightsout.yaml", 12345, 12345)
        #expect(
            complaints() == [
                "lightsout.yaml: belongs to the user with the number 12345, who could put anything into it; not read; mend it with: chown root lightsout.yaml"
            ])
    }

    @Test("a FIFO, a folder or a socket in a file's place is refused, and not waited for", .timeLimit(.minutes(1)))
    func noFile() throws {
        try folder.makeDirectory("backups.d")
        mkfifo(folder.path + "/lightsout.yaml", 0o600)
        try folder.makeDirectory("backups.d/folder.yaml")
        #expect(
            complaints() == [
                "lightsout.yaml: is no regular file, and so not read; put a regular file there, or remove it",
                "backups.d/folder.yaml: is no regular file, and so not read; put a regular file there, or remove it",
            ])
    }

    @Test("files of more than 16 MiB together are refused before they are read")
    func tooBig() throws {
        try folder.write("backups: {a: }", to: "lightsout.yaml")
        try folder.write("", to: "backups.d/big.yaml")
        truncate(folder.path + "/backups.d/big.yaml", 16 << 20)
        #expect(
            complaints() == [
                "backups.d/big.yaml: makes the configuration bigger than 16 MiB, and is not read; a configuration has a few kilobytes: look what the file is"
            ])
    }

    @Test("a link that leads nowhere, or in circles, is told", arguments: ["lightsout.yaml", "backups.d/b.yaml", "backups.d", "."])
    func links(name: String) throws {
        var directories = directories
        directories.configuration = folder.path + "/c"
        let place = name == "." ? directories.configuration : directories.configuration + "/" + name
        if name != "." { try folder.makeDirectory("c") }
        if name.contains("/") { try folder.makeDirectory("c/backups.d") }
        symlink("/mnt/gone", place)
        #expect(
            ConfigurationLoader.load(directories).problems.map(\.summary)
                == ["\(place): is a symbolic link that leads nowhere; bring back what it leads to, or remove the link"])
        unlink(place)
        symlink(place, place)
        #expect(
            ConfigurationLoader.load(directories).problems.map(\.summary)
                == ["\(place): cannot be opened: Too many levels of symbolic links"])
    }

    @Test(
        "a file whose name ends nearly as it should is told",
        arguments: [("backups.d/a.yml", "yml", "a.yaml"), ("backups.d/a.YAML", "YAML", "a.yaml"), ("lightsout.yml", "yml", "lightsout.yaml")])
    func otherEnding(name: String, ending: String, newName: String) throws {
        try folder.write("backups: {a: }", to: name)
        #expect(complaints() == ["\(name): warning: is not read: its name ends in .\(ending); rename it to \(newName)"])
    }

    @Test("a file whose name is no UTF-8 is told, and the one that its name resembles is read once")
    func foreignName() throws {
        try folder.write("backups: {a: }", to: "backups.d/caf\u{fffd}.yaml")
        let name = Array("\(folder.path)/backups.d/caf".utf8CString.dropLast()) + [CChar(bitPattern: 0xe9)] + Array(".yaml".utf8CString)
        close(open(name, O_CREAT | O_WRONLY, 0o644))
        let reading = ConfigurationLoader.load(directories)
        #expect(
            complaints() == ["backups.d/caf\u{fffd}.yaml: has a name that is no UTF-8, and so is not read; rename it"])
        #expect(reading.files.dropIns.count == 1)
    }

    @Test("the command that mends a file can be pasted, whatever the file's name is")
    func mendingCommand() throws {
        try folder.write("", to: "backups.d/a b.yaml", mode: 0o666)
        let path = folder.path + "/backups.d/a b.yaml"
        #expect(ConfigurationLoader.load(directories).problems.map(\.suggestion) == ["mend it with: chmod go-w '\(path)'"])
    }

    @Test("one file is checked alone, and has to be there")
    func oneFile() throws {
        try folder.write("max_parallel: many", to: "draft.yaml")
        let draft = ConfigurationLoader.load(file: folder.path + "/draft.yaml", directories)
        #expect(draft.problems.map(\.column) == [15])
        let missing = ConfigurationLoader.load(file: folder.path + "/none.yaml", directories)
        #expect(missing.problems.map(\.message) == ["cannot be opened: No such file or directory"])
    }

    @Test("a working copy that others may write is read, with a warning")
    func workingCopy() throws {
        try folder.write("backups: {a: }", to: "draft.yaml", mode: 0o664)
        let draft = ConfigurationLoader.load(file: folder.path + "/draft.yaml", directories)
        #expect(draft.configuration?.backups.count == 1)
        let problem = try #require(draft.problems.first)
        #expect(problem.severity == .warning)
        #expect(problem.message.hasSuffix("who could put anything into it; so it would not be read where it counts"))
    }
}

@Suite("The folders")
struct DirectoriesTests {
    private let environment = [
        "LIGHTSOUT_CONFIG_DIR": "/tmp/c", "LIGHTSOUT_STATE_DIR": "/tmp/s", "LIGHTSOUT_RUNTIME_DIR": "/tmp/r",
    ]

    @Test("are moved by the environment")
    func moved() {
        let directories = Directories(environment: environment, environmentIsForeign: false)
        #expect([directories.configuration, directories.state, directories.runtime] == ["/tmp/c", "/tmp/s", "/tmp/r"])
    }

    @Test("are not moved by the environment of somebody with fewer rights")
    func foreign() {
        #expect(Directories(environment: environment, environmentIsForeign: true) == Directories())
    }

    @Test("are not moved to a relative path")
    func relative() {
        #expect(
            Directories(environment: ["LIGHTSOUT_CONFIG_DIR": "c", "LIGHTSOUT_STATE_DIR": ""], environmentIsForeign: false)
                == Directories())
    }

    @Test(
        "an environment that came through sudo or pkexec from another user is foreign to root",
        .enabled(if: geteuid() == 0, "only root is told by these"))
    func sudo() {
        #expect(Directories.environmentIsForeign(["SUDO_UID": "1000"]))
        #expect(Directories.environmentIsForeign(["PKEXEC_UID": "1000"]))
        #expect(!Directories.environmentIsForeign(["SUDO_UID": "0"]))
        #expect(!Directories.environmentIsForeign([:]))
    }
}

@Suite("Which backups there are")
struct BackupCatalogueTests {
    let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private func catalogue(_ text: String = "") throws -> BackupCatalogue {
        let directories = Directories(environment: ["LIGHTSOUT_CONFIG_DIR": folder.path], environmentIsForeign: false)
        try folder.write(text, to: "lightsout.yaml")
        return BackupCatalogue(try #require(ConfigurationLoader.load(directories).configuration), directories: directories)
    }

    @Test("those that the configuration names, and those whose script has the convention's name")
    func both() throws {
        try folder.write("#!/bin/sh", to: "backup/server_backup", mode: 0o700)
        let backups = try catalogue("defaults: {timeout: 1h}\nbackups: {other: {script: /opt/x}}").backups
        #expect(backups.keys.map(\.text).sorted() == ["other", "server"])
        let server = try #require(backups[BackupName("server")])
        #expect(server.script == folder.path + "/backup/server_backup")
        #expect(server.timeout == .hours(1))
        #expect(server.place == nil)
    }

    @Test("a sample, a copy and a helper beside the scripts are passed over")
    func others() throws {
        for name in ["a_backup.sample", "a_backup~", "a_backup.bak", "helper", "backup"] {
            try folder.write("", to: "backup/\(name)", mode: 0o700)
        }
        let catalogue = try catalogue()
        #expect(catalogue.backups.isEmpty)
        #expect(catalogue.warnings == [])
    }

    @Test("a file that is a backup but for a slip is told, with what would make it one")
    func mistakes() throws {
        try folder.write("", to: "backup/a_backup", mode: 0o600)
        try folder.write("", to: "backup/b c_backup", mode: 0o700)
        try folder.write("", to: "backup/d_backup.sh", mode: 0o700)
        symlink("/bin/true", folder.path + "/backup/e_backup")
        try folder.makeDirectory("backup/f_backup")
        let catalogue = try catalogue()
        #expect(catalogue.backups.isEmpty)
        #expect(
            catalogue.warnings.map { $0.summary.replacing(folder.path + "/", with: "") } == [
                "backup/a_backup: warning: is no backup yet: it is not executable; turn it on with: chmod 700 backup/a_backup",
                "backup/b c_backup: warning: is no backup: \"b c\" is no name of a backup: 1 to 64 letters, digits, \"_\" and \"-\", the first a letter or digit; rename it",
                "backup/d_backup.sh: warning: is no backup: its name goes on after \"_backup\"; rename it to d_backup",
                "backup/e_backup: warning: is no backup: a symbolic link is never run; copy the script there, or name its place with \"script\" in lightsout.yaml",
                "backup/f_backup: warning: is no backup: it is no regular file; remove it",
            ])
    }

    @Test("of a backup that the configuration names, the script is not questioned here")
    func namedAnyway() throws {
        try folder.write("", to: "backup/a_backup", mode: 0o600)
        let catalogue = try catalogue("backups: {a: }")
        #expect(catalogue.backups.count == 1)
        #expect(catalogue.warnings == [])
    }

    @Test("one name is looked up without listing all")
    func hasScript() throws {
        try folder.write("", to: "backup/a_backup", mode: 0o700)
        let directories = Directories(environment: ["LIGHTSOUT_CONFIG_DIR": folder.path], environmentIsForeign: false)
        #expect(BackupCatalogue.hasScript(try BackupName("a"), directories))
        #expect(!BackupCatalogue.hasScript(try BackupName("b"), directories))
    }
}
