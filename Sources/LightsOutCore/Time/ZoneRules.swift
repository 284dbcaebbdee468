/// How far a zone's clocks are from UTC for a while, and what that is called.
public struct ZoneOffset: Hashable, Sendable {
    /// Seconds that the wall is ahead of UTC; below zero in the west.
    public let secondsEast: Int
    public let isDaylightSaving: Bool
    /// `CET`, `CEST`, `+0330`.
    public let abbreviation: String

    public init(secondsEast: Int, isDaylightSaving: Bool, abbreviation: String) {
        self.secondsEast = secondsEast
        self.isDaylightSaving = isDaylightSaving
        self.abbreviation = abbreviation
    }

    var microsecondsEast: Int64 { Int64(secondsEast) * 1_000_000 }
}

/// The rules of one time zone for all times: which time of the wall is which point in time, and back.
///
/// The rules are read once (``ZoneDatabase``) and never change; a value is a reference to them and cheap to copy.
public struct ZoneRules: Hashable, Sendable {
    private let table: ZoneTable

    /// `Europe/Berlin`; `UTC`; `localtime` where nothing tells the name of the local zone.
    public var name: String { table.name }

    /// Coordinated universal time, without any file.
    public static let utc = ZoneRules(
        name: "UTC", always: ZoneOffset(secondsEast: 0, isDaylightSaving: false, abbreviation: "UTC"))

    /// A zone whose clocks are never changed.
    public init(name: String, always offset: ZoneOffset) {
        table = ZoneTable(name: name, changes: [], initial: offset, tail: nil)
    }

    init(name: String, changes: [ZoneChange], initial: ZoneOffset, tail: PosixZoneRule?) {
        table = ZoneTable(name: name, changes: changes, initial: initial, tail: tail)
    }

    /// The offset in force at `time`.
    public func offset(at time: Timestamp) -> ZoneOffset {
        table.offsets[table.segment(at: table.folded(time.microseconds).value)]
    }

    /// What the wall shows at `time`.
    public func civilTime(at time: Timestamp) -> CivilTime {
        let (folded, shift) = table.folded(time.microseconds)
        return CivilTime(microseconds: folded + table.wallShifts[table.segment(at: folded)] + shift)
    }

    /// The point in time when the wall shows `wall`.
    ///
    /// Where clocks are set back a time of the wall comes twice: the first counts. Where they are set forward it does
    /// not come at all: then it is the moment of the change, and ``Resolution/isInGap`` tells. Later times of the wall
    /// thus never come earlier.
    public func resolve(_ wall: CivilTime) -> Resolution {
        let (wall, shift) = table.foldedWall(wall.microseconds)
        let index = table.segment(reaching: wall)
        let offset = table.wallShifts[index]
        let exact = wall - offset
        let start = table.starts[index]
        if exact >= start {
            return Resolution(time: Timestamp(microseconds: exact + shift), gapEnd: nil)
        }
        return Resolution(
            time: Timestamp(microseconds: start + shift), gapEnd: CivilTime(microseconds: start + offset + shift))
    }

    public struct Resolution: Hashable, Sendable {
        public let time: Timestamp
        /// What the wall shows at ``time`` where the clock jumped over the time asked for.
        public let gapEnd: CivilTime?
        public var isInGap: Bool { gapEnd != nil }
    }

    /// The time of the wall until which it shows, at `time`, what it has shown before: the clock was set back a while
    /// ago. `nil` at all other times.
    public func repetitionEnd(at time: Timestamp) -> CivilTime? {
        let (folded, shift) = table.folded(time.microseconds)
        let index = table.segment(at: folded)
        guard index > 0 else { return nil }
        let shownBefore = table.wallEnds[index - 1]
        return folded + table.wallShifts[index] < shownBefore
            ? CivilTime(microseconds: shownBefore + shift) : nil
    }

    /// The moments in `range` when the offset changes, in order.
    public func changes(in range: Range<Timestamp>) -> [Timestamp] {
        table.starts.lazy.filter { $0 != .min && range.contains(Timestamp(microseconds: $0)) }
            .map(Timestamp.init(microseconds:))
    }

    /// The abbreviations that this zone has or had for its offsets.
    var abbreviations: Set<String> { Set(table.offsets.lazy.map(\.abbreviation)) }

    /// The offsets that are or were called so, the latest last.
    func offsets(named abbreviation: String) -> [ZoneOffset] {
        var found: [ZoneOffset] = []
        for offset in table.offsets where offset.abbreviation == abbreviation {
            found.removeAll { $0 == offset }
            found.append(offset)
        }
        return found
    }

    public static func == (left: ZoneRules, right: ZoneRules) -> Bool {
        left.table === right.table
            || (left.table.name == right.table.name && left.table.starts == right.table.starts
                && left.table.offsets == right.table.offsets)
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(table.name) }
}

/// A moment from which another offset is in force.
struct ZoneChange: Hashable, Sendable {
    /// Microseconds since the epoch.
    let time: Int64
    let offset: ZoneOffset
}

/// The segments of time in which a zone's offset stays the same, ready for binary search.
///
/// The rule for times to come is written out for one cycle of the calendar (400 years), after which it repeats; a later
/// time is looked up one or more cycles earlier.
private final class ZoneTable: Sendable {
    let name: String
    /// The start of each segment in microseconds since the epoch, ascending; the first is `Int64.min`.
    let starts: [Int64]
    let offsets: [ZoneOffset]
    /// Microseconds that the wall is ahead of UTC in each segment.
    let wallShifts: [Int64]
    /// What the wall has shown at the latest when each segment ends: the greatest of this and all earlier segments,
    /// so that it ascends although clocks are set back.
    let wallEnds: [Int64]
    /// From this time on the table repeats itself; `nil` where the last segment has no end.
    let foldedFrom: Int64?

    init(name: String, changes: [ZoneChange], initial: ZoneOffset, tail: PosixZoneRule?) {
        var changes = changes
        var foldedFrom: Int64?
        if let tail { foldedFrom = Self.write(tail, after: &changes) }

        self.name = name
        self.foldedFrom = foldedFrom
        starts = [.min] + changes.map(\.time)
        offsets = [initial] + changes.map(\.offset)
        wallShifts = offsets.map(\.microsecondsEast)
        var ends: [Int64] = []
        ends.reserveCapacity(starts.count)
        for index in starts.indices {
            let end = index + 1 < starts.count ? starts[index + 1] + wallShifts[index] : .max
            ends.append(max(end, ends.last ?? .min))
        }
        wallEnds = ends
    }

    /// Appends the changes that `rule` makes after the last one.
    /// - Returns: the time from which they repeat; `nil` where there are none.
    private static func write(_ rule: PosixZoneRule, after changes: inout [ZoneChange]) -> Int64? {
        let last = changes.last?.time ?? .min
        guard let saving = rule.saving else { return nil }
        let firstYear = max(1900, CivilTime(microseconds: max(last, -CivilTime.cycle)).date.year)
        var written: [ZoneChange] = []
        // One year before and one after the cycle: a change may be days away from the year that its rule names.
        for year in (firstYear - 1)...(firstYear + CivilDate.yearsInCycle + 2) {
            let begin = saving.begin.wallSeconds(in: year) - rule.standard.secondsEast
            let end = saving.end.wallSeconds(in: year) - saving.type.secondsEast
            written.append(ZoneChange(time: Int64(end) * CivilTime.second, offset: rule.standard))
            written.append(ZoneChange(time: Int64(begin) * CivilTime.second, offset: saving.type))
        }
        // A zone that always saves daylight ends it at the very moment when it begins anew: the beginning wins.
        written.sort { ($0.time, $0.offset.isDaylightSaving ? 1 : 0) < ($1.time, $1.offset.isDaylightSaving ? 1 : 0) }
        for change in written where change.time > last {
            if let previous = changes.last, previous.time == change.time { changes.removeLast() }
            if changes.last?.offset != change.offset { changes.append(change) }
        }
        let start = CivilDate(unchecked: firstYear + 1, month: 1, day: 1)
        return CivilTime(start).microseconds + CivilTime.cycle
    }

    /// Times are cut to these, 140,000 years from now, so that no sum of a time and an offset can overflow.
    private static let limits = (Int64.min / 2)...(Int64.max / 2)

    /// The equal time within the table, and what has been taken from it.
    func folded(_ time: Int64) -> (value: Int64, shift: Int64) {
        let time = min(max(time, Self.limits.lowerBound), Self.limits.upperBound)
        guard let foldedFrom, time >= foldedFrom else { return (time, 0) }
        let shift = ((time - foldedFrom) / CivilTime.cycle + 1) * CivilTime.cycle
        return (time - shift, shift)
    }

    func foldedWall(_ wall: Int64) -> (value: Int64, shift: Int64) {
        let wall = min(max(wall, Self.limits.lowerBound), Self.limits.upperBound)
        // A day later: whatever the offset, times before it have been looked up in the table as they are.
        guard let foldedFrom, wall >= foldedFrom + CivilTime.day else { return (wall, 0) }
        let shift = ((wall - foldedFrom - CivilTime.day) / CivilTime.cycle + 1) * CivilTime.cycle
        return (wall - shift, shift)
    }

    /// The segment that `time` is in.
    func segment(at time: Int64) -> Int { starts.partitioningIndex { $0 > time } - 1 }

    /// The first segment in which the wall gets as far as `wall`.
    func segment(reaching wall: Int64) -> Int { min(wallEnds.partitioningIndex { $0 > wall }, wallEnds.count - 1) }
}

extension Array {
    /// The index of the first element that `isInSecondHalf`, all those after it being so too.
    func partitioningIndex(where isInSecondHalf: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = low + (high - low) / 2
            if isInSecondHalf(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
