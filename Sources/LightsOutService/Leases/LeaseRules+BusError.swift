import LightsOutCore
import Systemd

// Why a report is not taken, as its caller is told.

extension LeaseRules.Refusal {
    nonisolated func busError(_ backup: BackupName) -> BusError {
        switch self {
        case .configured:
            BusError(
                name: BusError.accessDenied,
                message: "\(backup) is a backup of the configuration, which only root reports. Use another name, with --name")
        case .anothers(let uid):
            BusError(
                name: BusError.accessDenied,
                message: "the name \(backup) belongs to \(uid == 0 ? "root" : "the user with id \(uid)"), who reported under it before. Use another, with --name")
        case .tooManyOfUser:
            BusError(
                name: BusError.limitsExceeded,
                message: "\(LeaseRules.openPerUser) reported backups of yours are open, and that is the most. End one with: lightsout -f 0 --name …")
        case .tooManyInAll:
            BusError(
                name: BusError.limitsExceeded,
                message: "\(LeaseRules.openInAll) reported backups are open, and that is the most. Try again when one has ended")
        }
    }
}

extension BusError {
    nonisolated static let limitsExceeded = "org.freedesktop.DBus.Error.LimitsExceeded"
}
