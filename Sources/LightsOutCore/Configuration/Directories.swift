import CLinux
import Glibc

/// The folders that lightsout lives in.
public struct Directories: Hashable, Sendable {
    /// `lightsout.yaml`, `backups.d/` and `backup/`.
    public var configuration = "/etc/lightsout"
    /// What has to outlast a reboot.
    public var state = "/var/lib/lightsout"
    /// What need not.
    public var runtime = "/run/lightsout"

    public init() {}

    /// The folders, moved by `LIGHTSOUT_CONFIG_DIR`, `LIGHTSOUT_STATE_DIR` and `LIGHTSOUT_RUNTIME_DIR` in `environment`
    /// where these are absolute paths (tests, and trials without privilege).
    ///
    /// - Parameter environmentIsForeign: whether somebody with fewer rights wrote the environment; then it is not believed.
    ///   ``environmentIsForeign(_:)`` knows it of this process.
    public init(environment: [String: String], environmentIsForeign: Bool) {
        self.init()
        guard !environmentIsForeign else { return }
        for (variable, directory) in Self.variables {
            if let path = environment[variable], path.hasPrefix("/") { self[keyPath: directory] = path }
        }
    }

    /// The folders of this process, by its environment where that is its own.
    public static var ofThisProcess: Directories {
        var environment: [String: String] = [:]
        for name in variables.map(\.name) + ["SUDO_UID", "PKEXEC_UID"] {
            if let value = getenv(name) { environment[name] = String(cString: value) }
        }
        return Directories(environment: environment, environmentIsForeign: environmentIsForeign(environment))
    }

    /// Whether a less privileged caller may have written this process's environment: the kernel says so of set-user-ID
    /// programs and their like (`AT_SECURE`, getauxval(3)), sudo(8) and pkexec(1) by the variables that they set.
    public static func environmentIsForeign(_ environment: [String: String]) -> Bool {
        if getauxval(UInt(AT_SECURE)) != 0 { return true }
        return geteuid() == 0
            && ["SUDO_UID", "PKEXEC_UID"].contains { environment[$0].map { $0 != "0" } ?? false }
    }

    private static let variables: [(name: String, directory: any WritableKeyPath<Directories, String> & Sendable)] = [
        ("LIGHTSOUT_CONFIG_DIR", \.configuration), ("LIGHTSOUT_STATE_DIR", \.state), ("LIGHTSOUT_RUNTIME_DIR", \.runtime),
    ]

    /// Whether the configuration is the machine's own, and not one in directories for a trial.
    public var areInstalled: Bool { configuration == Directories().configuration }

    /// The main configuration file.
    public var configurationFile: String { configuration + "/lightsout.yaml" }
    /// The folder of further configuration files.
    public var dropInFolder: String { configuration + "/backups.d" }
    /// The folder of the scripts that are backups by their name.
    public var scriptFolder: String { configuration + "/backup" }

    /// Where the script of a backup is, unless the configuration says another place.
    public func script(of name: BackupName) -> String { scriptFolder + "/" + name.text + Self.scriptSuffix }

    static let scriptSuffix = "_backup"
}
