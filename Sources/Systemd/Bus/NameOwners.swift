/// The connections that own the well-known names whose signals we trust.
///
/// libsystemd compares only unique names with the sender of a signal. Without this check, any process could send us a
/// signal that seems to come from logind.
final class NameOwners {
    private struct Followed {
        /// The owner's unique name; nil while nobody owns the name, and until the bus has told us.
        var owner: String?
        var changes: BusSlot?
        var question: BusSlot?
    }

    private var followed: [String: Followed] = [:]

    /// Whether `sender`, a unique name, owns `name`.
    func isOwner(_ sender: String, of name: String) -> Bool { followed[name]?.owner == sender }

    /// Follows the owner of `name` from now on.
    ///
    /// The bus handles what we send in its order. A rule that is added after this brings its first signal after the answer
    /// to our question, so no signal comes before the owner is known.
    func follow(_ name: String, on bus: Bus) throws(BusError) {
        guard followed[name] == nil else { return }
        let changes = try bus.addMatchAsync(SignalRule.ownerChanged(of: name).text) { [unowned self] message in
            guard message.sender == SignalRule.busName, let change = message.readOwnerChange() else { return }
            followed[name]?.owner = change.isEmpty ? nil : change
        }
        // No time limit: the bus answers, or the connection ends.
        let question = try bus.callAsync(.bus, "GetNameOwner", timeout: .max) { (message) throws(BusError) in
            try message.append(name)
        } reply: { [unowned self] reply in
            followed[name]?.question = nil
            if let owner = try? reply.get().readString() { followed[name]?.owner = owner }
        }
        followed[name] = Followed(changes: changes, question: question)
    }
}

extension BusMessage {
    /// The new owner in `NameOwnerChanged`; empty if the name has none now, nil if the message has another form.
    public func readOwnerChange() -> String? {
        guard (try? readString()) != nil, (try? readString()) != nil else { return nil }
        return try? readString()
    }
}
