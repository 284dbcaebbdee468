import Glibc
public import LightsOutCore

/// Where a command's output goes, and what that can show.
public struct Output {
    private let descriptor: Int32
    public let isTerminal: Bool
    public let usesColour: Bool

    /// The standard output.
    public static let standard = Output(STDOUT_FILENO)
    /// The standard error, for what is beside the output.
    public static let error = Output(STDERR_FILENO)

    private init(_ descriptor: Int32) {
        self.descriptor = descriptor
        isTerminal = isatty(descriptor) == 1
        usesColour = Self.usesColour(
            isTerminal: isTerminal, noColour: getenv("NO_COLOR").map { String(cString: $0) },
            terminal: getenv("TERM").map { String(cString: $0) })
    }

    /// Whether to use colour: on a terminal that has it, and where the person has not said otherwise
    /// (https://no-color.org).
    nonisolated static func usesColour(isTerminal: Bool, noColour: String?, terminal: String?) -> Bool {
        isTerminal && (noColour ?? "").isEmpty && terminal != nil && terminal != "dumb"
    }

    /// The columns of the terminal; nil where there is none, and lines may be as long as they are.
    public var width: Int? {
        guard isTerminal else { return nil }
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Writes `text` as a line, or lines, in one piece.
    /// - Throws: ``CommandFailure`` where it cannot be written, such as on a full disk.
    public func write(_ text: String) throws(CommandFailure) { try write(raw: text + "\n") }

    public func write(lines: [String]) throws(CommandFailure) {
        if !lines.isEmpty { try write(lines.joined(separator: "\n")) }
    }

    /// Writes `table`, cut to the terminal's width.
    public func write(_ table: Table) throws(CommandFailure) {
        try write(lines: table.lines(width: width, colour: usesColour))
    }

    /// Writes `text` as it is, without a newline: for a line that is drawn over again.
    public func write(raw text: String) throws(CommandFailure) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard written >= 0 else {
                if errno == EINTR { continue }
                throw CommandFailure(
                    message: "the output cannot be written: \(String(cString: strerror(errno)))",
                    status: ExitStatus.unavailable)
            }
            rest = rest.dropFirst(written)
        }
    }

    /// `text` in `style`, where there is colour.
    public func styled(_ text: String, _ style: Style) -> String { style.applied(to: text, colour: usesColour) }
}
