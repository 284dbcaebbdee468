import Glibc
import LightsOutCore
import Systemd

/// Why a script is not run: the component at fault, what is wrong with it, and the command that mends it.
public nonisolated struct ScriptRefusal: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file or directory at fault.
    public let component: String
    /// What is wrong, as the rest of a sentence that begins with the component: `can be written by group "users"`.
    public let problem: String
    /// What mends it: a command, or an advice where no single command does.
    public let remedy: Remedy
    /// Whether it is the kernel that kept the check from looking: whoever has more rights may find nothing wrong.
    public let isUnseen: Bool
    /// Whether the component does not exist.
    let isMissing: Bool

    public enum Remedy: Equatable, Sendable {
        case command(String)
        case advice(String)
    }

    public var description: String {
        let beginning = "\(component.plainOrQuoted) \(problem)."
        return switch remedy {
        case .command(let command): "\(beginning) Mend it with: \(command)"
        case .advice(let advice): "\(beginning) \(advice)"
        }
    }

    init(_ component: String, _ problem: String, remedy: Remedy) {
        self.component = component
        self.problem = problem
        self.remedy = remedy
        isUnseen = false
        isMissing = false
    }

    init(missing component: String, advice: String) {
        self.component = component
        problem = "does not exist"
        remedy = .advice(advice)
        isUnseen = false
        isMissing = true
    }

    init(_ component: String, _ problem: String, mend command: String) {
        self.init(component, problem, remedy: .command(command))
    }

    init(_ component: String, _ problem: String, advice: String) {
        self.init(component, problem, remedy: .advice(advice))
    }

    /// What the kernel refused to show.
    init(_ error: SystemError, _ component: String, _ failure: String, remedy: Remedy) {
        self.component = component
        problem = "\(failure): \(error.reason)"
        self.remedy = remedy
        isUnseen = error.code == EACCES || error.code == EPERM
        isMissing = false
    }
}
