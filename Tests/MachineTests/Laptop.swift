import Testing

/// Turns the test machine into a laptop with mains and a battery.
enum Laptop {
    static func with(onAC: Bool, _ body: () throws -> Void) throws {
        let machine = try Machine.shared
        try machine.sh("mount -t tmpfs tmpfs /sys/class/power_supply; mkdir /sys/class/power_supply/AC /sys/class/power_supply/BAT0")
        defer {
            do { try machine.sh("umount /sys/class/power_supply") } catch { Issue.record(error, "the power supplies") }
        }
        try machine.write("/sys/class/power_supply/AC/type", "Mains\n")
        try machine.write("/sys/class/power_supply/BAT0/type", "Battery\n")
        try setPower(machine, onAC)
        try body()
    }

    /// Plugs the mains in or pulls it out; `telling`: the kernel says so.
    static func setPower(_ machine: Machine, _ isOnAC: Bool, telling: Bool = true) throws {
        try machine.write("/sys/class/power_supply/AC/online", isOnAC ? "1\n" : "0\n")
        try machine.write("/sys/class/power_supply/BAT0/status", isOnAC ? "Charging\n" : "Discharging\n")
        guard telling else { return }
        // Root may have the kernel send an event to all who listen (netlink(7), NETLINK_KOBJECT_UEVENT).
        try machine.sh(
            #"""
            perl -e 'socket(S, 16, 3, 15) && bind(S, pack("SSLL", 16, 0, 0, 0)) or die "$!\n";
              my $event = "change\@/devices/AC\0ACTION=change\0DEVPATH=/devices/AC\0SUBSYSTEM=power_supply\0";
              send(S, pack("LSSLL", 16 + length $event, 16, 1, 1, 0) . $event, 0, pack("SSLL", 16, 0, 0, 0)) or die "$!\n"'
            """#)
    }
}
