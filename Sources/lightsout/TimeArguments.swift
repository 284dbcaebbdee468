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
}
