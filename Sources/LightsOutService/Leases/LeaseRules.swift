import LightsOutCore

/// Who may report under which name, and how many names there may be.
///
/// - A name that the configuration has is root's: its result is believed by the schedule.
/// - A name belongs to whoever reported under it last, for as long as its last result is remembered; root may report
///   under any. So nobody can put a result of his own in another's place.
/// - At most ``openPerUser`` reported backups of a user are open at a time (root's are not counted), and ``openInAll``; but
///   whoever has none open may open one, and root may go on, so that nobody is shut out by what other users report.
/// - As many names are remembered with their last result; for a new one, the one that ended longest ago is forgotten.
nonisolated enum LeaseRules {
    static let openPerUser = 16
    static let openInAll = 256
    /// The most that are open beyond these: one a user, and root's.
    static let firstsBeyond = 32

    /// What is known of a name.
    struct Standing: Hashable {
        var owner: UInt32
        var isOpen = false
        /// It is remembered only because somebody reported under it.
        var isForgettable = false
        var ended = Timestamp(microseconds: .min)
    }

    enum Refusal: Error, Hashable {
        case configured
        case anothers(UInt32)
        case tooManyOfUser
        case tooManyInAll
    }

    /// Decides whether `uid` may open `name`.
    /// - Returns: the names to be forgotten for it.
    static func open(
        _ name: BackupName, by uid: UInt32, isConfigured: Bool, known: [BackupName: Standing]
    ) throws(Refusal) -> [BackupName] {
        if uid != 0 {
            if isConfigured { throw .configured }
            if let owner = known[name]?.owner, owner != uid { throw .anothers(owner) }
            let open = known.values.count { $0.isOpen && $0.owner == uid }
            if open >= openPerUser { throw .tooManyOfUser }
        }
        let open = known.values.filter(\.isOpen)
        let isFirst = uid == 0 || !open.contains { $0.owner == uid }
        let areRoots = open.count { $0.owner == 0 } >= openInAll
        if open.count >= openInAll + (isFirst && !areRoots ? firstsBeyond : 0) { throw .tooManyInAll }

        let others = known.filter { $0.key != name && ($0.value.isForgettable || $0.value.isOpen) }
        var forgotten: Set<BackupName> = []
        if uid != 0 {
            forgotten = surplus(in: others.filter { $0.value.owner == uid }, beyond: openPerUser - 1)
        }
        forgotten.formUnion(surplus(in: others.filter { !forgotten.contains($0.key) }, beyond: openInAll - 1))
        return forgotten.sorted()
    }

    private static func surplus(in names: [BackupName: Standing], beyond limit: Int) -> Set<BackupName> {
        guard names.count > limit else { return [] }
        let closed = names.filter { !$0.value.isOpen && $0.value.isForgettable }
        let oldestFirst = closed.sorted { ($0.value.ended, $0.key) < ($1.value.ended, $1.key) }
        return Set(oldestFirst.prefix(names.count - limit).map(\.key))
    }
}
