// What the daemon asks of logind from its event loop.

extension Logind {
    /// Like ``inhibit(what:who:why:mode:timeout:)``, with the answer told from the loop: the lock is in its message
    /// (``BusMessage/readDescriptor()``).
    public func inhibitAsync(
        what: String, who: String, why: String, mode: String, timeout: UInt64 = 0,
        reply: @escaping (Result<BusMessage, BusError>) -> Void
    ) throws(BusError) -> BusSlot {
        try bus.callAsync(.login1, "Inhibit", timeout: timeout) { (message) throws(BusError) in
            try message.append(what)
            try message.append(who)
            try message.append(why)
            try message.append(mode)
        } reply: { reply($0) }
    }

    /// Like ``inhibitors(timeout:)``, told from the loop.
    public func inhibitorsAsync(
        timeout: UInt64 = 0, reply: @escaping (Result<[Inhibitor], BusError>) -> Void
    ) throws(BusError) -> BusSlot {
        try bus.callAsync(.login1, "ListInhibitors", timeout: timeout) { _ in
        } reply: { reply($0.map { Self.readInhibitors($0) }) }
    }

    /// Like ``isRunning(timeout:)``, told from the loop.
    public func isRunningAsync(
        timeout: UInt64 = 0, reply: @escaping (Result<Bool, BusError>) -> Void
    ) throws(BusError) -> BusSlot {
        try bus.callAsync(.bus, "NameHasOwner", timeout: timeout) { (message) throws(BusError) in
            try message.append(Bus.Address.login1.destination)
        } reply: { answer in
            do throws(BusError) { reply(.success(try answer.get().readBool())) } catch { reply(.failure(error)) }
        }
    }
}
