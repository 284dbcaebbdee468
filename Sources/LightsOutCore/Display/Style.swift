/// What a piece of output means, and so how it looks where there is colour.
public enum Style: Hashable, Sendable {
    case plain, heading, faint, good, warning, bad

    /// `text` in this style, in the sequences that every terminal knows (ECMA-48, SGR).
    public func applied(to text: String, colour: Bool) -> String {
        guard colour, !text.isEmpty, let code else { return text }
        return "\u{1b}[\(code)m\(text)\u{1b}[0m"
    }

    private var code: String? {
        switch self {
        case .plain: nil
        case .heading: "1"
        case .faint: "2"
        case .good: "32"
        case .warning: "33"
        case .bad: "1;31"
        }
    }
}

extension RunResult {
    public var style: Style {
        switch self {
        case .success: .good
        case .warnings, .missed, .undefined, .unknown: .warning
        case .failed, .aborted, .wrongConfig: .bad
        }
    }
}
