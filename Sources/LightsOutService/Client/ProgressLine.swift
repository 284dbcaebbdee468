import LightsOutCore
import Systemd

/// What a PropertiesChanged signal of a backup says, as far as it matters to a person who waits.
struct StandingChange {
    var state: BackupView.State?
    /// nil: not said. 255: none.
    var progress: UInt8?
    var problem: String?

    init(state: BackupView.State? = nil, progress: UInt8? = nil, problem: String? = nil) {
        self.state = state
        self.progress = progress
        self.problem = problem
    }

    /// Reads the `a{sv}` of the signal.
    init(_ message: BusMessage) throws(BusError) {
        try message.readProperties { (property, message) throws(BusError) in
            let type = try message.peekContents()
            switch (property, type) {
            case ("State", "s"):
                state = BackupView.State(
                    word: try message.readContainer("v", "s") { (m) throws(BusError) in try m.readString() })
            case ("Progress", "y"):
                progress = try message.readContainer("v", "y") { (m) throws(BusError) in try m.readUInt8() }
            case ("Problem", "s"):
                problem = try message.readContainer("v", "s") { (m) throws(BusError) in
                    try m.readString(cutTo: BusMessage.longestText)
                }
            default: try message.skip("v")
            }
        }
    }
}

/// The one line of a terminal that shows how far a run is, drawn over again and again.
struct ProgressLine {
    let name: BackupName
    /// CLOCK_MONOTONIC, microseconds.
    let startedAt: UInt64
    private let output: Output
    private var state = BackupView.State.running
    private var progress: UInt8?
    private var problem: String?
    private var isDrawn = false

    init(name: BackupName, startedAt: UInt64, output: Output) {
        self.name = name
        self.startedAt = startedAt
        self.output = output
    }

    mutating func take(_ change: StandingChange) {
        // A run that is waited for is about to begin or over where its backup is idle: neither is worth a word.
        if let state = change.state, state != .idle { self.state = state }
        if let percent = change.progress { progress = percent <= 100 ? percent : nil }
        if let problem = change.problem { self.problem = problem.isEmpty ? nil : problem }
    }

    mutating func draw(at time: UInt64) {
        guard let width = output.width else { return }
        let elapsed = TimeSpan(microseconds: time - startedAt)
        let text = Self.text(
            name: name, state: state, progress: progress, problem: problem, elapsed: elapsed, width: width - 1)
        try? output.write(raw: "\r" + text + Self.eraseToEnd)
        isDrawn = true
    }

    mutating func clear() {
        guard isDrawn else { return }
        try? output.write(raw: "\r" + Self.eraseToEnd)
        isDrawn = false
    }

    /// EL of ECMA-48.
    private static let eraseToEnd = "\u{1b}[K"

    /// `server  [######--------------]  30%  2min 3s`, no wider than `width`.
    nonisolated static func text(
        name: BackupName, state: BackupView.State, progress: UInt8?, problem: String?, elapsed: TimeSpan, width: Int
    ) -> String {
        var parts = [name.text]
        if let progress {
            let size = 20
            let done = size * Int(progress) / 100
            let bar = String(repeating: "#", count: done) + String(repeating: "-", count: size - done)
            let percent = String(progress)
            parts.append("[\(bar)] \(String(repeating: " ", count: 3 - percent.count))\(percent)%")
        } else {
            parts.append(state.rawValue)
        }
        let seconds = elapsed.microseconds / 1_000_000
        parts.append(TimeSpan.seconds(seconds).forPeople == "0us" ? "0s" : TimeSpan.seconds(seconds).forPeople)
        if state != .running, let problem { parts.append(problem.escapedForTerminal) }
        return parts.joined(separator: "  ").cut(toWidth: width)
    }
}
