/// What env(1) executes where it is the interpreter of a script.
///
/// The kernel hands all that stands behind the interpreter in the `#!` line on as one word. So `env bash -e` looks for a
/// program called `bash -e`, and only `env -S` takes words apart.
nonisolated struct EnvironmentCommand: Equatable {
    /// A path, or a name to be looked for in ``searchPath``.
    let program: String
    let searchPath: [String]

    enum Fault: Error, Equatable {
        /// env would execute the script itself, which it would do for ever.
        case noProgram
        /// Several words without `-S`.
        case oneWord
        /// A word that `-S` would change before it is used: what comes of it is not worked out here.
        case notPlain(String)
    }

    /// - Parameter argument: what stands behind env in the line, as the kernel hands it on.
    init(_ argument: String, searchPath: [String]) throws(Fault) {
        guard let split = Self.splitString(argument) else {
            guard !argument.isEmpty, !argument.hasPrefix("-"), !argument.contains("=") else { throw .noProgram }
            guard !argument.contains(where: Self.isSpace) else { throw .oneWord }
            self.init(program: argument, searchPath: searchPath)
            return
        }
        var searchPath = searchPath
        var words = split.split(whereSeparator: Self.isSpace).map { String($0) }[...]
        while let word = words.popFirst() {
            guard !word.contains(where: { "\"'\\$".contains($0) }) else { throw .notPlain(word) }
            if word.hasPrefix("-") {
                if word == "-" || word == "-i" || word == "--ignore-environment" { searchPath = Self.standardPath }
                if Self.optionsWithArgument.contains(word) { words = words.dropFirst() }
            } else if word.contains("=") {
                if word.hasPrefix("PATH=") { searchPath = word.dropFirst(5).split(separator: ":").map { String($0) } }
            } else {
                self.init(program: word, searchPath: searchPath)
                return
            }
        }
        throw .noProgram
    }

    private init(program: String, searchPath: [String]) {
        self.program = program
        self.searchPath = searchPath
    }

    /// What `-S` is to take apart; nil where the argument is not that option.
    private static func splitString(_ argument: String) -> Substring? {
        // Flags may stand before it in the same word: `-iS`.
        let short = argument.dropFirst().drop { "iv".contains($0) }
        if argument.hasPrefix("-"), short.hasPrefix("S") {
            let flags = argument.dropFirst().prefix { $0 != "S" }
            return flags.contains("i") ? "-i " + short.dropFirst() : short.dropFirst()
        }
        let long = "--split-string="
        return argument.hasPrefix(long) ? argument.dropFirst(long.count) : nil
    }

    private static func isSpace(_ character: Character) -> Bool { character == " " || character == "\t" }

    /// Options whose argument is the next word.
    private static let optionsWithArgument: Set = ["-u", "--unset", "-C", "--chdir", "-a", "--argv0"]

    /// Where programs are looked for without `PATH`, execvp(3).
    private static let standardPath = ["/bin", "/usr/bin"]
}
