import TestSupport
@testable import LightsOutCore

/// Writes calendar expressions: mostly right ones, of every form of the grammar.
struct ExpressionGenerator {
    var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }
    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
    mutating func pick<T>(_ values: [T]) -> T { values[number(0...(values.count - 1))] }

    mutating func expression() -> String {
        if chance(4) { return recased(pick(Self.shorthands)) + zone() }
        var parts: [String] = []
        if chance(40) { parts.append(weekdays()) }
        let hasDate = chance(60)
        if hasDate { parts.append(date()) }
        if chance(80) || parts.isEmpty { parts.append(time()) }
        return parts.joined(separator: chance(3) ? "  " : " ") + zone()
    }

    /// An expression that elapses often around a time of the wall.
    mutating func expression(around wall: CivilTime) -> String {
        let hours = [wall.hour, (wall.hour + 1) % 24, (wall.hour + 23) % 24, number(0...23)]
        let hour: String
        switch number(0...4) {
        case 0: hour = "*"
        case 1: hour = "\(number(0...2))/\(number(1...5))"
        case 2: hour = "\(pick(hours)),\(pick(hours))"
        case 3: hour = "\(min(20, wall.hour))..\(min(20, wall.hour) + number(1...3))"
        default: hour = "\(pick(hours))"
        }
        let minute = pick(["*", "0", "30", "0/15", "0,20,40", "10..50/10", "59", "\(number(0...59))"])
        let second = pick(["", "", ":0/20", ":59", ":30.5"])
        let day = pick(["", "", "", "Sun ", "Sat,Sun ", "*-*-\(wall.date.day) ", "*-\(wall.date.month)-* "])
        return day + hour + ":" + minute + second
    }

    /// An expression with something broken in it, often enough.
    mutating func brokenExpression() -> String {
        var bytes = Array(expression().utf8)
        for _ in 0..<number(1...3) {
            let alphabet = Array("0123456789*/.,-~: MonTueFrisdayUTC@+x#".utf8)
            let place = number(0...bytes.count)
            switch number(0...3) {
            case 0: bytes.insert(pick(alphabet), at: place)
            case 1 where place < bytes.count: bytes.remove(at: place)
            case 2 where place < bytes.count: bytes[place] = pick(alphabet)
            default: bytes.swapAt(number(0...(bytes.count - 1)), number(0...(bytes.count - 1)))
            }
            if bytes.isEmpty { bytes = [UInt8(ascii: "*")] }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let shorthands = [
        "minutely", "hourly", "daily", "weekly", "monthly", "quarterly", "semiannually", "semi-annually", "biannually",
        "bi-annually", "yearly", "annually", "anually",
    ]

    private mutating func recased(_ text: String) -> String {
        switch number(0...3) {
        case 0: text.uppercased()
        case 1: text.lowercased()
        default: text
        }
    }

    private mutating func zone() -> String {
        chance(8) ? " " + pick(["UTC", "utc", "Utc"]) : ""
    }

    private mutating func weekdays() -> String {
        let long = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
        var parts: [String] = []
        for _ in 0..<number(1...3) {
            let first = number(0...6)
            func name(_ index: Int, _ isLong: Bool) -> String { isLong ? long[index] : String(long[index].prefix(3)) }
            var part = recased(name(first, chance(20)))
            if chance(35) { part += pick(["..", "..", "-"]) + recased(name(number(chance(90) ? first...6 : 0...6), chance(20))) }
            parts.append(part)
        }
        return parts.joined(separator: ",") + (chance(5) ? "," : "")
    }

    private mutating func date() -> String {
        let year = chance(75) ? list(2024...2032, wide: 1970...2199, width: 4) : list(0...99, wide: 0...99, width: 2)
        let month = list(1...12, wide: 1...12, width: 2)
        if chance(18) {
            let tail = "~" + list(1...9, wide: 1...28, width: 2)
            return chance(60) ? year + "-" + month + tail : month + tail
        }
        let day = list(1...31, wide: 1...31, width: 2)
        return chance(70) ? year + "-" + month + "-" + day : month + "-" + day
    }

    private mutating func time() -> String {
        var text = list(0...23, wide: 0...23, width: 2) + ":" + list(0...59, wide: 0...59, width: 2)
        if chance(40) { text += ":" + list(0...59, wide: 0...59, width: 2, fractions: chance(30)) }
        return text
    }

    /// A list as it stands for one part of date or time. Values are from `range`, sometimes from `wide`, and rarely too large.
    private mutating func list(_ range: ClosedRange<Int>, wide: ClosedRange<Int>, width: Int, fractions: Bool = false) -> String {
        if chance(35) { return "*" }
        return (0..<(chance(25) ? number(2...4) : 1)).map { _ in
            let range = chance(15) ? wide : range
            let first = chance(1) ? range.upperBound + number(1...5) : number(range)
            var text = value(first, width, fractions)
            if chance(18) {
                text += ".." + value(chance(95) ? number(min(first, range.upperBound)...range.upperBound) : number(range), width, fractions)
            }
            if chance(18) { text += "/" + value(number(chance(3) ? 0...9 : 1...max(1, (range.upperBound - range.lowerBound) / 2)), 1, fractions) }
            return text
        }.joined(separator: ",")
    }

    private mutating func value(_ number: Int, _ width: Int, _ fraction: Bool) -> String {
        var text = String(number)
        if chance(60) { while text.count < width { text = "0" + text } }
        if fraction, chance(60) {
            text += "."
            for _ in 0..<self.number(1...8) { text += String(self.number(0...9)) }
        }
        return text
    }
}
