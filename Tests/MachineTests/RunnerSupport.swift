import Testing

/// The ids of the records that a run leaves in the journal.
enum MessageID {
    static let started = "54cc1f46a6b448899f14ebc8e1c91790"
    static let finished = "782b279e4aed49008a521705136ad691"
    static let refused = "eb7f049984e645f5a689e39cbba089cd"
    static let lock = "a937b622de78436daf6515597cd564d2"
}

extension Machine {
    /// The records with the id given of the backup's runs.
    func records(_ id: String, of backup: String, after cursor: String? = nil) throws -> [[String: String]] {
        try journal("MESSAGE_ID=\(id)", "LIGHTSOUT_BACKUP=\(backup)", after: cursor)
    }

    /// The results of the backup's runs, oldest first.
    func results(of backup: String, after cursor: String) throws -> [String] {
        try records(MessageID.finished, of: backup, after: cursor).map { $0["LIGHTSOUT_RESULT"] ?? "none" }
    }

    /// The locks that lightsout holds.
    func ownLocks() throws -> [Lock] { try locks().filter { $0.who == "lightsout" && $0.mode == "block" } }

    /// Starts the backup's unit without waiting, and returns when its script has made the file `/run/begun`.
    func begin(_ unit: String) throws {
        try remove("/run/begun")
        try sh("systemctl start --no-block '\(unit)'")
        guard try eventually("the script of \(unit) runs", { try exists("/run/begun") }) else {
            throw MachineError(try run("systemctl status '\(unit)'").stdout)
        }
    }

    /// Waits until the unit's run is over.
    func awaitEnd(of unit: String, within seconds: Double = 5, at location: SourceLocation = #_sourceLocation) throws {
        try eventually("\(unit) has ended", within: seconds, at: location) {
            try ["inactive", "failed"].contains(property("ActiveState", of: unit))
        }
    }

    /// The pids of every `sleep 4242` in the machine: what the tests' scripts leave running.
    func sleepers() throws -> [String] {
        try run("grep -slzx '424[2]' /proc/[0-9]*/cmdline | cut -d/ -f3").output.split(separator: "\n").map(String.init)
    }
}
