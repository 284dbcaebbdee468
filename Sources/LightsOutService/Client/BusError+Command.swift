public import LightsOutCore
public import Systemd

nonisolated extension BusError {
    /// Whether the error means that there is no bus to ask on.
    private var meansNoBus: Bool {
        switch name {
        case BusError.disconnected, "org.freedesktop.DBus.Error.NoServer", "org.freedesktop.DBus.Error.FileNotFound",
            "org.freedesktop.DBus.Error.IOError":
            true
        default: false
        }
    }

    /// Whether the error means that the daemon is not there and cannot be started: no bus, nobody who owns its name, no
    /// unit behind it, or a daemon that ends before it answers.
    public var meansNoDaemon: Bool {
        if meansNoBus { return true }
        return switch name {
        case BusError.serviceUnknown, BusError.nameHasNoOwner, "org.freedesktop.DBus.Error.TimedOut", "org.freedesktop.systemd1.NoSuchUnit",
            "org.freedesktop.systemd1.UnitMasked", "org.freedesktop.systemd1.LoadFailed":
            true
        default: name.hasPrefix("org.freedesktop.DBus.Error.Spawn.")
        }
    }

    /// Whether the error means that the daemon is there and does not answer in time.
    public var meansNoAnswer: Bool { name == BusError.noReply || name == BusError.timeout }

    /// Whether the error means that the daemon does not know of what it was asked for: one that was not restarted after
    /// an upgrade.
    private var meansOtherVersion: Bool {
        ["org.freedesktop.DBus.Error.UnknownMethod", "org.freedesktop.DBus.Error.UnknownInterface"].contains(name)
    }

    /// What a command that got this error says and exits with.
    public var commandFailure: CommandFailure {
        if meansNoBus {
            return CommandFailure(
                message: "the system bus cannot be reached (\(oneLine)), and lightsoutd only by it. Is this a machine that runs systemd?",
                status: ExitStatus.unavailable)
        }
        if meansNoDaemon {
            return CommandFailure(
                message: "lightsoutd cannot be reached (\(oneLine)). Start it with: systemctl start lightsoutd",
                status: ExitStatus.unavailable)
        }
        if meansNoAnswer {
            return CommandFailure(
                message: "lightsoutd does not answer. See: systemctl status lightsoutd", status: ExitStatus.unavailable)
        }
        if name == BusError.interactiveAuthorizationRequired {
            return CommandFailure(
                message: "this takes an administrator's password, and nobody can be asked for it here. Do it as root, with sudo for instance",
                status: ExitStatus.notAllowed)
        }
        if meansOtherVersion {
            return CommandFailure(
                message: "lightsoutd is of another version than this command (\(oneLine)). Restart it with: systemctl restart lightsoutd",
                status: ExitStatus.unavailable)
        }
        return CommandFailure(message: oneLine, status: exitStatus)
    }

    private var exitStatus: Int32 {
        switch name {
        case BusError.accessDenied, "org.freedesktop.DBus.Error.AuthFailed": ExitStatus.notAllowed
        case BusError.invalidArguments: ExitStatus.usage
        case BusError.noSuchBackup, BusError.badConfiguration: ExitStatus.configuration
        case BusError.alreadyRunning, BusError.notRunning, BusError.reported, BusError.operationInProgress,
            BusError.limitsExceeded:
            ExitStatus.tryLater
        default: ExitStatus.unavailable
        }
    }

    /// What came over the bus, fit for one line of a terminal.
    private var oneLine: String { description.escapedForTerminal }
}
