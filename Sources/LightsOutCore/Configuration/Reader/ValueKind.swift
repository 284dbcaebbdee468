/// How the value of a key is read, and how it is written.
struct ValueKind<Value>: Sendable {
    let form: ValueForm
    /// The value of the node; nil, and at least one error reported, where it is none. The text is the key, for messages.
    let read: @Sendable (YAMLNode, String, inout FileReading) -> Value?
    /// The value as YAML in flow style (which is JSON); nil where there is none.
    let show: @Sendable (Value) -> String?
}

extension ValueKind {
    /// A value that is one scalar.
    /// - Parameter wanted: what stands after "wants" in the message: `a time span such as 15min`.
    /// - Parameter parse: the value of a text, or what is wrong with it and, where known, what was meant.
    fileprivate static func scalar(
        _ form: ValueForm, wanted: String, parse: @escaping @Sendable (String) -> ScalarReading<Value>,
        show: @escaping @Sendable (Value) -> String?
    ) -> ValueKind {
        ValueKind(form: form, read: { node, key, reading in
            guard let text = form == .argument ? node.text : node.line else {
                reading.error(
                    "\(key.quotedForPeople) wants \(wanted), not \(node.kindForPeople)", at: node.position,
                    suggestion: form.suggestion(insteadOf: node))
                return nil
            }
            switch parse(text) {
            case .value(let value): return value
            case .unwanted(let suggestion):
                reading.error(
                    "\(key.quotedForPeople) wants \(wanted), not \(text.quotedForPeople)", at: node.position,
                    suggestion: suggestion?())
            case .wrong(let message, let suggestion, let offset):
                let position = node.inset.map { node.position.movedRight(by: offset + Int($0)) } ?? node.position
                reading.error("\(key.quotedForPeople): \(message)", at: position, suggestion: suggestion?())
            }
            return nil
        }, show: show)
    }

    /// The same kind for a property that may be without a value.
    var optional: ValueKind<Value?> {
        ValueKind<Value?>(form: form, read: { read($0, $1, &$2).map { .some($0) } }, show: { $0.flatMap(show) })
    }
}

extension ValueForm {
    /// What to do where the form wants a text and `node` has none.
    fileprivate func suggestion(insteadOf node: YAMLNode) -> String? {
        switch (node.content, self) {
        case (.mapping, .argument): "put text that holds \": \" in quotes"
        case (_, .argument) where node.isAbsent: "put the text in quotes, or remove it"
        default: node.isAbsent ? "give it a value, or remove the key" : nil
        }
    }
}

extension String {
    /// The text where it may be a word of ours; nothing where it is longer than any, and so too long to compare.
    fileprivate var word: String { utf8.count <= 16 ? self : "" }
}

/// What reading one scalar comes to.
private enum ScalarReading<Value> {
    case value(Value)
    /// Not what is wanted, which the message says.
    case unwanted(suggestion: (() -> String?)?)
    /// Nearly what is wanted, but for this, which comes after so many characters.
    case wrong(String, suggestion: (() -> String?)?, after: Int = 0)

    static func wrong(_ message: String, suggestion: String?, after offset: Int = 0) -> ScalarReading {
        .wrong(message, suggestion: { suggestion }, after: offset)
    }
}

extension ValueKind<Bool> {
    static let flag = scalar(.flag, wanted: "true or false") { text in
        switch text.word {
        case "true", "yes", "on": .value(true)
        case "false", "no", "off": .value(false)
        default:
            .unwanted { text.nearest(of: ["true", "false", "yes", "no", "off", "on"]).map { "did you mean \($0)?" } }
        }
    } show: { $0 ? "true" : "false" }
}

extension ValueKind<WakePolicy> {
    static let wakePolicy = scalar(.flagOr(["ac"]), wanted: "true, false or ac") { text in
        switch text.word {
        case "true", "yes", "on": .value(.always)
        case "false", "no", "off": .value(.never)
        case "ac": .value(.ac)
        default:
            .unwanted { text.nearest(of: ["true", "false", "yes", "no", "off", "on", "ac"]).map { "did you mean \($0)?" } }
        }
    } show: { value in
        switch value {
        case .always: "true"
        case .never: "false"
        case .ac: "ac".quotedForJSON
        }
    }
}

extension ValueKind<Int> {
    static func count(_ range: ClosedRange<Int>) -> ValueKind {
        scalar(.count(range), wanted: "a number from \(range.lowerBound) to \(range.upperBound)") { text in
            guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let number = Int(text),
                range.contains(number)
            else { return .unwanted(suggestion: nil) }
            return .value(number)
        } show: { String($0) }
    }
}

extension ValueKind<TimeSpan> {
    /// A limit to something; without the key, or by the word `infinity`, there is none.
    /// - Parameter mayBeZero: false where 0 would end at once what is meant to have no limit.
    static func limit(mayBeZero: Bool) -> ValueKind { timeSpan(mayBeZero: mayBeZero, mayBeInfinite: true) }

    /// A time that is waited for, and so has to pass.
    static let delay = timeSpan(mayBeZero: true, mayBeInfinite: false)

    private static func timeSpan(mayBeZero: Bool, mayBeInfinite: Bool) -> ValueKind {
        scalar(
            .timeSpan(mayBeZero: mayBeZero, mayBeInfinite: mayBeInfinite),
            wanted: "a time span such as 90s, 15min or 1h 30min"
        ) { text in
            do throws(TimeSpanError) {
                let span = try TimeSpan(parsing: text)
                guard mayBeInfinite || !span.isInfinite else {
                    return .wrong("infinity would never pass", suggestion: "write a time such as 15min")
                }
                guard mayBeZero || span > .zero else {
                    return .wrong("0 leaves no time at all", suggestion: "write infinity where no limit is meant")
                }
                return .value(span)
            } catch {
                return .wrong("\(error)", suggestion: { nil })
            }
        } show: { $0.description.quotedForJSON }
    }
}

extension ValueKind<String> {
    /// One line for people.
    static let line = scalar(.line, wanted: "one line of text") { text in
        if text.unicodeScalars.contains(where: { $0 == "\n" || $0 == "\r" }) {
            return .wrong("the text has more than one line", suggestion: "shorten it to one line")
        }
        if let (scalar, offset) = text.firstUnprintable {
            return .wrong("the text has the unprintable character \(scalar.codePoint)", suggestion: "remove it", after: offset)
        }
        return .value(text)
    } show: { $0.quotedForJSON }

    /// A string of the script's argv.
    static let argument = scalar(.argument, wanted: "a text") { text in
        text.utf8.contains(0) ? .wrong("no argument can hold a NUL", suggestion: "remove \"\\0\"") : .value(text)
    } show: { $0.quotedForJSON }

    static let absolutePath = scalar(.absolutePath, wanted: "an absolute path") { text in
        guard text.hasBytes(prefix: "/") else {
            let isOfHome = text.hasBytes(prefix: "~")
            return .unwanted { isOfHome ? "~ is not expanded: write the folder out" : "begin it with /" }
        }
        if let (scalar, offset) = text.firstUnprintable {
            return .wrong(
                "the path has the unprintable character \(scalar.codePoint)", suggestion: "rename the file", after: offset)
        }
        if text.utf8.count > 4095 { return .wrong("no path is longer than 4,095 bytes", suggestion: { nil }) }
        return .value(text)
    } show: { $0.quotedForJSON }

    /// A path in the form in which the kernel lists mount points. By its text alone: asking the file system could wait for a
    /// server that is gone.
    static let mountPoint = ValueKind(
        form: absolutePath.form,
        read: { node, key, reading in
            absolutePath.read(node, key, &reading).map { path in
                "/" + path.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
            }
        }, show: absolutePath.show)

    /// A name that getpwnam(3) may know, by systemd's relaxed rule (systemd.io/USER_NAMES): it takes what directory
    /// services give, and refuses what means something else in a command or a file.
    static let userName = scalar(.userName, wanted: "the name of a user") { text in
        if text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
            return .unwanted { "write the user's name, not the number" }
        }
        let isName =
            text.utf8.count <= 256 && !text.hasPrefix("-") && !text.hasPrefix(" ") && !text.hasSuffix(" ")
            && text != "." && text != ".."
            && text.unicodeScalars.allSatisfy { !$0.isUnprintable && $0 != ":" && $0 != "/" }
        return isName ? .value(text) : .unwanted(suggestion: nil)
    } show: { $0.quotedForJSON }
}

extension ValueKind<CalendarExpression> {
    static let calendarExpression = scalar(
        .calendarExpression, wanted: "a calendar expression such as Mon..Fri 02:30"
    ) { text in
        do throws(CalendarExpressionError) {
            return .value(try CalendarExpression(text))
        } catch {
            let before = text.utf8.prefix(error.range.lowerBound)
            return .wrong(
                "\(text.quotedForPeople) is no calendar expression: \(error.problem)", suggestion: { error.suggestion },
                after: before.count { $0 & 0xc0 != 0x80 })
        }
    } show: { $0.description.quotedForJSON }
}

extension ValueKind where Value: RawRepresentable<String> & CaseIterable & Sendable {
    /// One of the words that `Value` is made of.
    static var choice: ValueKind {
        let words = Value.allCases.map(\.rawValue)
        return scalar(.choice(words), wanted: words.listedForPeople) { text in
            if let value = Value(word: text) { return .value(value) }
            return .unwanted { text.nearest(of: words).map { "did you mean \($0.quotedForPeople)?" } }
        } show: { $0.rawValue.quotedForJSON }
    }
}

extension ValueKind {
    /// A list of values; a single one need not be written as a list.
    static func list<Element: Hashable & Sendable>(
        of kind: ValueKind<Element>, isSet: Bool = false, mayBeEmpty: Bool = true
    ) -> ValueKind where Value == [Element] {
        ValueKind(
            form: .list(kind.form, isSet: isSet, mayBeEmpty: mayBeEmpty),
            read: { node, key, reading in
                guard case .sequence(let items) = node.content else {
                    reading.error(
                        "\(key.quotedForPeople) wants a list, not \(node.kindForPeople)", at: node.position,
                        suggestion: node.isAbsent
                            ? "write [] for an empty one, or remove the key" : "write it in brackets: [ … ]")
                    return nil
                }
                if items.isEmpty, !mayBeEmpty {
                    reading.error(
                        "\(key.quotedForPeople) wants at least one item", at: node.position,
                        suggestion: "remove the key to have what holds without it")
                    return nil
                }
                return elements(items, kind, key, isSet: isSet, &reading)
            },
            show: { "[" + $0.compactMap(kind.show).joined(separator: ", ") + "]" })
    }

    /// A list of values, or one of them alone.
    static func oneOrMore<Element: Hashable & Sendable>(
        _ kind: ValueKind<Element>
    ) -> ValueKind where Value == [Element] {
        ValueKind(
            form: .oneOrMore(kind.form),
            read: { node, key, reading in
                guard case .sequence(let items) = node.content else { return kind.read(node, key, &reading).map { [$0] } }
                return elements(items, kind, key, isSet: true, &reading)
            },
            show: { "[" + $0.compactMap(kind.show).joined(separator: ", ") + "]" })
    }

    private static func elements<Element: Hashable & Sendable>(
        _ items: [YAMLNode], _ kind: ValueKind<Element>, _ key: String, isSet: Bool, _ reading: inout FileReading
    ) -> [Element]? where Value == [Element] {
        var values: [Element] = []
        values.reserveCapacity(items.count)
        var known: [Element: YAMLNode] = [:]
        var isWhole = true
        for item in items {
            guard let value = kind.read(item, key, &reading) else {
                isWhole = false
                continue
            }
            if isSet, let first = known.updateValue(item, forKey: value) {
                let (one, other) = (first.kindForPeople, item.kindForPeople)
                reading.error(
                    one == other
                        ? "\(key.quotedForPeople) has \(one) twice" : "\(key.quotedForPeople) has \(one) and \(other), which are the same",
                    at: item.position, suggestion: "remove one of the two")
                isWhole = false
            }
            values.append(value)
        }
        return isWhole ? values : nil
    }
}

extension ValueKind<RetryPolicy> {
    static let retry = ValueKind(
        form: .retry,
        read: { node, key, reading in
            guard case .mapping = node.content else {
                reading.error(
                    "\(key.quotedForPeople) wants a mapping, not \(node.kindForPeople)", at: node.position,
                    suggestion: "write it as {attempts: 2, delay: 10min}")
                return nil
            }
            var policy = RetryPolicy()
            let before = reading.errorCount
            let said = RetryKeys.table.read(node, into: &policy, &reading)
            guard reading.errorCount == before else { return nil }
            if policy.attempts == 0, let delay = RetryKeys.table.position(of: "delay", in: said) {
                reading.warning(
                    "a delay without attempts does nothing", at: delay,
                    suggestion: "say how many: {attempts: 2, delay: …}")
            }
            return policy
        },
        show: { "{\"attempts\": \($0.attempts), \"delay\": \($0.delay.description.quotedForJSON)}" })
}

extension ValueKind<ExitCodes> {
    static let exitCodes = ValueKind(
        form: .exitCodes,
        read: { node, key, reading in
            switch node.content {
            case .mapping: statuses(node, key, &reading)
            default: preset.read(node, key, &reading)
            }
        },
        show: { $0 == ExitCodes() ? "{}" : nil })

    private static let preset: ValueKind = {
        let names = ExitCodes.Preset.allCases.map(\.rawValue)
        return scalar(.choice(names), wanted: (names + ["a mapping such as {24: warnings}"]).listedForPeople) { text in
            if let preset = ExitCodes.Preset(word: text) { return .value(ExitCodes(preset)) }
            return .unwanted { text.nearest(of: names).map { "did you mean \($0.quotedForPeople)?" } }
        } show: { _ in nil }
    }()
    private static let status = ValueKind<Int>.count(0...255)
    private static let words = ExitCodes.results.map(\.rawValue)

    private static func statuses(_ node: YAMLNode, _ key: String, _ reading: inout FileReading) -> ExitCodes? {
        var named: [UInt8: RunResult] = [:]
        var places: [UInt8: SourcePosition] = [:]
        let before = reading.errorCount
        for (text, position, value) in reading.entries(of: node, in: key.quotedForPeople) {
            let statusNode = YAMLNode(position: position, content: .scalar(text, .quoted))
            guard let code = status.read(statusNode, key, &reading).flatMap(UInt8.init(exactly:)) else { continue }
            if let first = places[code].map(reading.place) {
                reading.error(
                    "the exit status \(code) is named twice, first at \(first)", at: position,
                    suggestion: "remove one of the two")
                continue
            }
            places[code] = position
            let word = value.line
            guard let result = ExitCodes.results.first(where: { word?.hasSameBytes(as: $0.rawValue) == true }) else {
                reading.error(
                    "the exit status \(code) wants \(words.listedForPeople), not \(word?.quotedForPeople ?? value.kindForPeople)",
                    at: value.position, suggestion: word?.nearest(of: words).map { "did you mean \($0.quotedForPeople)?" })
                continue
            }
            named[code] = result
        }
        return reading.errorCount == before ? ExitCodes(named) : nil
    }
}

extension [String] {
    /// `a, b or c`.
    fileprivate var listedForPeople: String {
        count < 2 ? joined() : dropLast().joined(separator: ", ") + " or " + (last ?? "")
    }
}

extension String {
    /// The first scalar that a terminal might act on, and how many there are before it.
    fileprivate var firstUnprintable: (scalar: Unicode.Scalar, offset: Int)? {
        unicodeScalars.enumerated().first { $1.isUnprintable }.map { ($1, $0) }
    }

    /// The text as a JSON string, which is YAML too.
    fileprivate var quotedForJSON: String {
        var quoted = "\""
        for scalar in unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\u{0}"..<" ":
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
