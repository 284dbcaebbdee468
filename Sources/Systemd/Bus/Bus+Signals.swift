import CSystemd

extension Bus {
    /// Calls `handler` for every signal that fits `rule`. The match stands when this returns.
    ///
    /// A signal counts only if its sender owns the name in the rule and if it was broadcast. Services broadcast; a signal
    /// that is addressed to this connection alone can come from anybody.
    public func match(
        _ rule: SignalRule, _ handler: @escaping (BusMessage) -> Void
    ) throws(BusError) -> BusSlot {
        try add(rule, handler) { (raw, slot, text, callback, userdata) in
            sd_bus_add_match(raw, slot, text, callback, userdata)
        }
    }

    /// Like ``match(_:_:)``, without waiting for the bus to confirm it: calls made after it are handled after it.
    public func matchAsync(
        _ rule: SignalRule, _ handler: @escaping (BusMessage) -> Void
    ) throws(BusError) -> BusSlot {
        try add(rule, handler, Self.addAsync)
    }

    /// Calls `handler` once when the connection is lost.
    public func onDisconnect(_ handler: @escaping () -> Void) throws(BusError) -> BusSlot {
        let local = "org.freedesktop.DBus.Local"
        return try addMatch(
            "type='signal',sender='\(local)',path='/org/freedesktop/DBus/Local',interface='\(local)',member='Disconnected'",
            { message in if message.sender == local { handler() } }
        ) { (raw, slot, text, callback, userdata) in sd_bus_add_match(raw, slot, text, callback, userdata) }
    }

    /// Adds a rule whose signals `handler` checks itself.
    func addMatchAsync(_ text: String, _ handler: @escaping (BusMessage) -> Void) throws(BusError) -> BusSlot {
        try addMatch(text, handler, Self.addAsync)
    }

    // MARK: Adding

    /// One of libsystemd's functions that add a match rule.
    private typealias Adder = (
        OpaquePointer, UnsafeMutablePointer<OpaquePointer?>, String, @escaping sd_bus_message_handler_t, UnsafeMutableRawPointer
    ) -> Int32

    private static let addAsync: Adder = { (raw, slot, text, callback, userdata) in
        sd_bus_add_match_async(raw, slot, text, callback, { _, _, _ in 0 }, userdata)
    }

    private func add(
        _ rule: SignalRule, _ handler: @escaping (BusMessage) -> Void, _ adder: Adder
    ) throws(BusError) -> BusSlot {
        if case .name(let name) = rule.sender, !isDirect { try owners.follow(name, on: self) }
        let owners = self.owners
        let isDirect = self.isDirect
        return try addMatch(
            rule.text,
            { message in
                if isDirect || Self.isGenuine(message, rule.sender, owners) { handler(message) }
            }, adder)
    }

    private static func isGenuine(_ message: BusMessage, _ sender: SignalRule.Sender, _ owners: NameOwners) -> Bool {
        guard let actual = message.sender else { return false }
        return switch sender {
        case .name(let name): message.destination == nil && owners.isOwner(actual, of: name)
        case .bus: actual == SignalRule.busName
        case .peer: false
        }
    }

    private func addMatch(
        _ text: String, _ handler: @escaping (BusMessage) -> Void, _ adder: Adder
    ) throws(BusError) -> BusSlot {
        let box = Handler(handler)
        var slot: OpaquePointer?
        let result = adder(
            raw, &slot, text,
            { message, userdata, _ in
                if let message = try? BusMessage(sharing: message) { Handler<BusMessage>.from(userdata)?.call(message) }
                return 0
            }, box.pointer)
        try checkBus(result, "listen for \(text)")
        return try BusSlot(owning: slot, handler: box)
    }
}
