/// Times on the command line that begin with a dash, as `--since '-2 hours'`.
enum TimeArguments {
    private static let options = ["--base-time", "--since"]

    /// The words with such a time joined to its option (`--since=-2 hours`): ArgumentParser reads words that begin with a
    /// dash before it knows whose values they are, and finds `-r` and `-h` in `-2 hours`.
    static func joined(_ arguments: [String]) -> [String] {
        var joined: [String] = []
        var rest = arguments[...]
        while let word = rest.popFirst() {
            if word == "--" { return joined + [word] + rest }
            if options.contains(word), let time = rest.first, time.hasPrefix("-"), !time.hasPrefix("--") {
                joined.append("\(word)=\(time)")
                rest.removeFirst()
            } else {
                joined.append(word)
            }
        }
        return joined
    }

    /// The words with the kind of sleep that `check --wake` stands for: ArgumentParser knows no option whose value may be
    /// left out.
    static func withKindOfSleep(_ arguments: [String]) -> [String] {
        guard arguments.first == "check" else { return arguments }
        let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
        return arguments.enumerated().map { $0.offset < end && $0.element == "--wake" ? "--wake=suspend" : $0.element }
    }
}
