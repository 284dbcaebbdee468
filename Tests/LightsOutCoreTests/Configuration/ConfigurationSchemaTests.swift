import Foundation
@testable import LightsOutCore
import Testing

@Suite("The JSON Schema for editors")
struct ConfigurationSchemaTests {
    static let file = RepositoryFile("docs/lightsout.schema.json")

    @Test("says what the reader's key tables say: keys, forms, choices, defaults, descriptions")
    func isOfTheKeyTables() throws {
        // LIGHTSOUT_WRITE_SCHEMA=1 swift test --filter isOfTheKeyTables: after a key has changed.
        if ProcessInfo.processInfo.environment["LIGHTSOUT_WRITE_SCHEMA"] != nil {
            try ConfigurationSchema.text.write(to: Self.file.url, atomically: true, encoding: .utf8)
        }
        #expect(try Self.file.text == ConfigurationSchema.text, "docs/lightsout.schema.json is not what the tables make")
    }

    /// For each form of value, values that are right and values that are wrong, as YAML in flow style that is JSON too.
    static func examples(of form: ValueForm) -> (right: [String], wrong: [String]) {
        switch form {
        case .flagOr(let words):
            (["true", "false", "\"no\"", "\"on\""] + words.map { "\"\($0)\"" }, ["1", "\"maybe\"", "[]", "{}", "\"True\""])
        case .flag: (["true", "false", "\"no\"", "\"on\""], ["1", "\"maybe\"", "[]", "{}", "\"True\""])
        case .count(let range): (["\(range.lowerBound)", "\(range.upperBound)", "\"3\""], ["\(range.upperBound + 1)", "-1", "\"many\"", "[1]", "1.5"])
        case .timeSpan(let mayBeZero, let mayBeInfinite):
            {
                let zeros = ["0", "\"0\"", "\"0s\"", "\"0min 0.0\""]
                let right = ["90", "1.5", "\"1h 30min\"", "\"1h30min\"", "\"1h 5 2s\"", "\".5h\"", "\"2 weeks 1 d\""]
                let wrong = ["-1", "\"5 parsecs\"", "\"1h-\"", "[]", "{}", "\"\"", "\"5.\"", "\"1.5.5s\"", "true", "null"]
                let infinity = ["\"infinity\""]
                return (
                    right + (mayBeZero ? zeros : []) + (mayBeInfinite ? infinity : []),
                    wrong + (mayBeZero ? [] : zeros) + (mayBeInfinite ? [] : infinity)
                )
            }()
        case .line: (["\"text\"", "5", "true", "\"\""], ["[]", "{}", "[\"a\"]", "\"a\\nb\"", "null"])
        case .argument: (["\"text\"", "5", "true", "\"a\\nb\""], ["[]", "{}", "[\"a\"]", "null"])
        case .absolutePath: (["\"/a b/c\"", "\"/\""], ["\"a/b\"", "\"~/a\"", "[]", "5", "\"\"", "\"/a\\nb\"", "null"])
        case .userName: (["\"root\"", "\"a.b@c\"", "\"x y\"", "\"...\""], ["\".\"", "\"..\"", "\"1000\"", "null", "\"a:b\"", "\"a/b\"", "\"-a\"", "\" a\"", "[]", "5", "\"\""])
        case .calendarExpression: (["\"Mon..Fri 02:30\"", "\"*:0/15\"", "\"daily\""], ["{}", "\"\"", "5"])
        case .choice(let words): (words.map { "\"\($0)\"" }, ["\"\(words[0])x\"", "[]", "{}", "5"])
        case .list(let element, let isSet, let mayBeEmpty):
            {
                let (right, wrong) = examples(of: element)
                return (
                    right.map { "[\($0)]" } + (mayBeEmpty ? ["[]"] : []),
                    wrong.map { "[\($0)]" } + ["{}", "\"no list\""] + (isSet ? ["[\(right[0]), \(right[0])]"] : [])
                        + (mayBeEmpty ? [] : ["[]"])
                )
            }()
        case .oneOrMore(let element):
            {
                let (right, wrong) = examples(of: element)
                return (right + right.map { "[\($0)]" } + ["[]"], wrong + wrong.map { "[\($0)]" } + ["[\(right[0]), \(right[0])]"])
            }()
        case .exitCodes:
            (["\"borg\"", "\"restic\"", "\"rsync\"", "{}", "{\"0\": \"failed\", \"255\": \"undefined\"}"],
             ["\"tar\"", "{\"256\": \"failed\"}", "{\"a\": \"failed\"}", "{\"1\": \"missed\"}", "[]", "5"])
        case .retry:
            (["{}", "{\"attempts\": 1}", "{\"attempts\": 2, \"delay\": \"5min\"}"],
             ["{\"attempt\": 1}", "{\"attempts\": -1}", "5", "[]", "{\"delay\": \"x\"}"])
        }
    }

    struct Example: Sendable {
        let key: String
        let document: String
        let isRight: Bool
    }

    /// One document for each key and each of its examples.
    static let examples: [Example] = {
        func all<Target>(_ table: KeyTable<Target>, _ document: (String) -> String) -> [Example] {
            table.keys.flatMap { key in
                let (right, wrong) = examples(of: key.form)
                return [(right, true), (wrong, false)].flatMap { values, isRight in
                    values.map { Example(key: key.name, document: document("\"\(key.name)\": \($0)"), isRight: isRight) }
                }
            }
        }
        return all(GlobalKeys.table) { "{\($0)}" }
            + all(BackupKeys.table) { "{\"backups\": {\"server\": {\($0)}}}" }
            + all(BackupKeys.table) { "{\"defaults\": {\($0)}}" }
            + [
                Example(key: "an unknown key", document: "{\"x\": 1}", isRight: false),
                Example(key: "an unknown key of a backup", document: "{\"backups\": {\"a\": {\"x\": 1}}}", isRight: false),
                Example(key: "a bad name", document: "{\"backups\": {\"a b\": {}}}", isRight: false),
                Example(key: "nothing", document: "{}", isRight: true),
                Example(key: "backups without anything", document: "{\"backups\": {\"a\": null, \"b\": {}}}", isRight: true),
            ]
    }()

    @Test("the reader accepts every right example of every key, and refuses every wrong one")
    func readerAgrees() {
        for example in Self.examples {
            let reading = readConfiguration(example.document)
            #expect(reading.hasErrors != example.isRight, "\(example.document): \(reading.problems.map(\.summary))")
        }
    }

    @Test(
        "a validator that goes by the schema gives the reader's verdict on every example",
        .enabled(if: PythonValidator.isInstalled, "python3 has no jsonschema"))
    func validatorAgrees() throws {
        let verdicts = try PythonValidator.verdicts(on: Self.examples.map(\.document), schema: Self.file.url)
        #expect(verdicts.count == Self.examples.count)
        for (example, isValid) in zip(Self.examples, verdicts) {
            #expect(isValid == example.isRight, "\(example.document)")
        }
    }
}

/// The package jsonschema of Python, as an independent reading of the schema.
enum PythonValidator {
    static let isInstalled = (try? run("import jsonschema", input: "")) != nil

    static func verdicts(on documents: [String], schema: URL) throws -> [Bool] {
        let program = """
            import json, sys, jsonschema
            validator = jsonschema.Draft202012Validator(json.load(open(sys.argv[1])))
            validator.check_schema(validator.schema)
            for line in sys.stdin:
                print("valid" if validator.is_valid(json.loads(line)) else "invalid")
            """
        return try run(program, input: documents.joined(separator: "\n"), schema.path)
            .split(separator: "\n").map { $0 == "valid" }
    }

    private struct Failure: Error {}

    private static func run(_ program: String, input: String, _ arguments: String...) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", program] + arguments
        let (toProcess, fromProcess) = (Pipe(), Pipe())
        process.standardInput = toProcess
        process.standardOutput = fromProcess
        process.standardError = FileHandle.nullDevice
        try process.run()
        try toProcess.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try toProcess.fileHandleForWriting.close()
        let output = fromProcess.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure() }
        return String(decoding: output, as: UTF8.self)
    }
}
