import Glibc
public import LightsOutCore
public import Systemd

/// The configuration that the daemon goes by (`/run/lightsout/accepted`): the files as they were when it last found
/// nothing wrong with them. A scheduled run goes by it too, so that an edit that the daemon has not taken over, or has
/// refused, changes nothing of what is due; a person who starts a backup gets the files as they are.
public nonisolated struct AcceptedConfiguration {
    private let directories: Directories
    private static let name = "accepted"
    /// The files may have so much, and some more for their paths.
    private static let limit = ConfigurationLoader.sizeLimit + (1 << 20)

    public init(_ directories: Directories) { self.directories = directories }

    /// Keeps a copy of `files` for the time until the next.
    public func keep(_ files: ConfigurationFiles) throws(SystemError) {
        let directory = try AtomicFile.openDirectory(directories.runtime, mode: 0o755)
        // Arguments of scripts may hold what others are not to see: for root only, as the files themselves may be.
        try AtomicFile.write(
            String(decoding: files.bundle, as: UTF8.self), to: Self.name, below: directory, mode: 0o600, durable: false)
    }

    /// Reads the copy; nil where the daemon has kept none since the boot.
    /// - Parameter calendar: as for ``ConfigurationLoader``.
    public func read(calendar: CalendarContext? = nil) -> ConfigurationReading? {
        guard let directory = try? Descriptor.open(directories.runtime, O_RDONLY | O_DIRECTORY),
            let text = try? AtomicFile.read(Self.name, below: directory, limit: Self.limit),
            let files = ConfigurationFiles(bundle: Array(text.utf8))
        else { return nil }
        return ConfigurationReader.read(files, directories: directories, calendar: calendar)
    }
}
