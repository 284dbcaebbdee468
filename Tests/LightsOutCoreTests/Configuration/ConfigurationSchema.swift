@testable import LightsOutCore

/// JSON with its members in order, so that the schema reads as it is written.
indirect enum JSON: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// A text that is JSON already: numbers, and what the key table shows.
    case raw(String)
    case string(String)
    case array([JSON])
    case object([(String, JSON)])

    init(stringLiteral value: String) { self = .string(value) }
    init(booleanLiteral value: Bool) { self = .raw(value ? "true" : "false") }
    init(integerLiteral value: Int) { self = .raw(String(value)) }
    init(arrayLiteral elements: JSON...) { self = .array(elements) }
    init(dictionaryLiteral elements: (String, JSON)...) { self = .object(elements) }

    func written(indentation: String = "") -> String {
        switch self {
        case .raw(let text): return text
        case .string(let text):
            let escaped = text.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : "\($0)" }
            return "\"" + escaped.joined() + "\""
        case .array(let items): return "[" + items.map { $0.written() }.joined(separator: ", ") + "]"
        case .object(let members):
            if members.isEmpty { return "{}" }
            let inner = indentation + "  "
            let lines = members.map { "\(inner)\(JSON.string($0).written()): \($1.written(indentation: inner))" }
            return "{\n" + lines.joined(separator: ",\n") + "\n" + indentation + "}"
        }
    }
}

/// The JSON Schema of the configuration, for editors, made from the reader's own key tables.
enum ConfigurationSchema {
    static var text: String { schema.written() + "\n" }

    private static var schema: JSON {
        .object([
            ("$schema", "https://json-schema.org/draft/2020-12/schema"),
            ("title", "lightsout.yaml"),
            ("description", "The backups of a machine: /etc/lightsout/lightsout.yaml and /etc/lightsout/backups.d/*.yaml."),
            ("type", ["object", "null"]),
            ("additionalProperties", false),
            ("properties", .object(
                properties(of: GlobalKeys.table, standard: GlobalSettings()) + [
                    ("defaults", [
                        "description": "What holds for every backup that does not say otherwise; in a file of backups.d, for the backups of that file.",
                        "$ref": "#/$defs/backup",
                    ]),
                    ("backups", [
                        "description": "The backups by their names.",
                        "type": ["object", "null"],
                        "propertyNames": ["pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"],
                        "additionalProperties": ["$ref": "#/$defs/backup"],
                    ]),
                ])),
            ("$defs", [
                "backup": .object([
                    ("type", ["object", "null"]),
                    ("additionalProperties", false),
                    ("properties", .object(properties(of: BackupKeys.table, standard: BackupSettings()))),
                ]),
                "timeSpan": [
                    "description": "A time span of systemd.time(7), such as 90s, 15min, 1h 30min or infinity; a number counts seconds.",
                    "type": ["string", "number"],
                    "minimum": 0,
                    "pattern": .string(timeSpanPattern),
                ],
                "text": ["type": ["string", "number", "boolean"]],
            ]),
        ])
    }

    private static func properties<Target>(of table: KeyTable<Target>, standard: Target) -> [(String, JSON)] {
        table.keys.map { key in
            var members: [(String, JSON)] = [("description", .string(key.summary))] + members(of: key.form)
            if let value = key.standard(standard) { members.append(("default", .raw(value))) }
            return (key.name, .object(members))
        }
    }

    private static func members(of form: ValueForm) -> [(String, JSON)] {
        switch form {
        case .flag: [("enum", [true, false, "true", "false", "yes", "no", "on", "off"])]
        case .flagOr(let words):
            [("enum", .array([true, false] + (["true", "false", "yes", "no", "on", "off"] + words).map { .string($0) }))]
        case .count(let range):
            [
                ("type", ["integer", "string"]), ("minimum", .raw("\(range.lowerBound)")),
                ("maximum", .raw("\(range.upperBound)")), ("pattern", "^[0-9]+$"),
            ]
        case .timeSpan(let mayBeZero, let mayBeInfinite):
            [("$ref", "#/$defs/timeSpan")]
                + (mayBeZero ? [] : [("exclusiveMinimum", 0), ("pattern", "[1-9]|infinity")])
                + (mayBeInfinite ? [] : [("not", ["type": "string", "pattern": "infinity"])])
        // A block of text ends in a newline that is not counted.
        case .line: [("$ref", "#/$defs/text"), ("pattern", #"^.*\n?$"#)]
        case .argument: [("$ref", "#/$defs/text")]
        case .absolutePath: [("type", "string"), ("pattern", #"^/.*\n?$"#)]
        case .userName: [("type", "string"), ("pattern", #"^(?!\.\.?$|[0-9]+$)[^-:/ ]([^:/]*[^:/ ])?$"#)]
        case .calendarExpression: [("type", "string"), ("minLength", 1)]
        case .choice(let words): [("enum", .array(words.map { .string($0) }))]
        case .list(let element, let isSet, let mayBeEmpty):
            [("type", "array"), ("items", .object(members(of: element)))]
                + (isSet ? [("uniqueItems", true)] : []) + (mayBeEmpty ? [] : [("minItems", 1)])
        case .oneOrMore(let element):
            [("anyOf", [
                .object(members(of: element)),
                ["type": "array", "items": .object(members(of: element)), "uniqueItems": true],
            ])]
        case .exitCodes:
            [("anyOf", [
                ["enum": .array(ExitCodes.Preset.allCases.map { .string($0.rawValue) })],
                [
                    "type": "object",
                    "propertyNames": ["pattern": "^0*([0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])$"],
                    "additionalProperties": ["enum": .array(ExitCodes.results.map { .string($0.rawValue) })],
                ],
            ])]
        case .retry:
            [
                ("type", "object"), ("additionalProperties", false),
                ("properties", .object(properties(of: RetryKeys.table, standard: RetryPolicy()))),
            ]
        }
    }

    private static var timeSpanPattern: String {
        let number = #"([0-9]+(\.[0-9]+)?|\.[0-9]+)"#
        let unit =
            "(seconds|second|sec|s|minutes|minute|min|months|month|M|msec|ms|m|hours|hour|hr|h|days|day|d|"
            + "weeks|week|w|years|year|y|usec|us|\u{b5}s|\u{3bc}s)"
        // A number without a unit ends at a space.
        return #"^\s*(infinity|(\#(number)(\s*\#(unit)\s*|\s+))*\#(number)(\s*\#(unit))?)\s*$"#
    }
}
