import CSystemd

extension Bus {
    /// Asks for a well-known name without waiting for it; `reply` is told from the loop whether we own it. Who has it
    /// already keeps it (sd_bus_request_name_async(3)).
    public func requestNameAsync(
        _ name: String, reply: @escaping (Result<Void, BusError>) -> Void
    ) throws(BusError) -> BusSlot {
        let box = Handler<Result<Void, BusError>>(reply)
        var slot: OpaquePointer?
        try checkBus(
            sd_bus_request_name_async(
                raw, &slot, name, 0,
                { message, userdata, _ in
                    Handler<Result<Void, BusError>>.from(userdata)?.call(Bus.nameAnswer(message))
                    return 0
                }, box.pointer), "own the bus name \(name)")
        return try BusSlot(owning: slot, handler: box)
    }

    /// RequestName of the D-Bus specification: 1 is ours now, 4 was ours already; otherwise another has it.
    private static func nameAnswer(_ raw: OpaquePointer?) -> Result<Void, BusError> {
        do throws(BusError) {
            let answer = try Bus.answer(raw).get().readUInt32()
            guard answer == 1 || answer == 4 else {
                throw BusError(
                    name: "org.freedesktop.DBus.Error.AddressInUse", message: "another process owns the name")
            }
            return .success(())
        } catch { return .failure(error) }
    }
}
