import CYAML

/// Why a text is no YAML document that we read, and where.
struct YAMLSyntaxError: Error {
    let position: SourcePosition
    let message: String
    let suggestion: String?

    init(at position: SourcePosition, _ message: String, suggestion: String? = nil) {
        self.position = position
        self.message = message
        self.suggestion = suggestion
    }
}

/// Builds the tree of one YAML document from libyaml's events.
///
/// Events, because they are where everything that a hostile file does can be met before it costs anything: depth is
/// counted as it grows, an alias is weighed before it is copied, and equal keys are kept side by side for the reader to
/// name both places.
struct YAMLComposer: ~Copyable {
    /// Deeper than any configuration by far, and shallow enough for recursion.
    static let depthLimit = 32
    /// What a document may weigh: 16 for each value, and the length of its text. An alias weighs what it stands for, each
    /// time, so a few lines of aliases of aliases are refused like the gigabytes that they mean.
    static let weightLimit = 32 << 20

    private var parser: Parser
    private var anchors: [String: (node: YAMLNode, weight: Int)] = [:]
    private var weight = 0

    /// The document's root; nil where the text holds none, or only comments.
    /// - Throws: ``YAMLSyntaxError`` for what is no YAML, more than one document, tags, and what is past the limits.
    static func compose(_ text: SourceText) throws(YAMLSyntaxError) -> YAMLNode? {
        // The slice's memory stays where it is for as long as the closure runs, and the parser lives no longer.
        try text.bytes.withUnsafeBufferPointer { bytes throws(YAMLSyntaxError) in
            var composer = YAMLComposer(parser: try Parser(bytes))
            return try composer.document()
        }
    }

    private mutating func document() throws(YAMLSyntaxError) -> YAMLNode? {
        _ = try parser.next()  // the stream's start
        guard try parser.next() == .documentStart else { return nil }
        let root = try node(beginning: parser.next(), depth: 0)
        _ = try parser.next()  // the document's end
        guard try parser.next() == .streamEnd else {
            throw YAMLSyntaxError(
                at: parser.position, "a second document begins here; a configuration file holds one",
                suggestion: "remove the line \"---\", or put the rest into a file of its own below backups.d")
        }
        return root
    }

    private mutating func node(beginning event: Event, depth: Int) throws(YAMLSyntaxError) -> YAMLNode {
        let position = parser.position
        if event == .alias { return try copyOfAlias(at: position) }
        guard depth < Self.depthLimit else {
            throw YAMLSyntaxError(at: position, "nested deeper than \(Self.depthLimit) levels")
        }
        let weightBefore = weight
        if let tag = parser.tag {
            throw YAMLSyntaxError(
                at: position, "the tag \(tag.quotedForPeople) is not read here",
                suggestion: "remove it: each key knows its type")
        }
        let anchor = parser.anchor
        let inset = parser.inset
        let content = try content(beginning: event, at: position, depth: depth)
        let node = YAMLNode(position: position, content: content, inset: inset)
        if let anchor { anchors[anchor] = (node, weight - weightBefore) }
        return node
    }

    private mutating func content(
        beginning event: Event, at position: SourcePosition, depth: Int
    ) throws(YAMLSyntaxError) -> YAMLNode.Content {
        switch event {
        case .scalar:
            let (text, style) = parser.scalar
            try weigh(16 + text.utf8.count, at: position)
            return .scalar(text, style)
        case .sequenceStart:
            try weigh(16, at: position)
            var items: [YAMLNode] = []
            while true {
                let next = try parser.next()
                if next == .sequenceEnd { return .sequence(items) }
                items.append(try node(beginning: next, depth: depth + 1))
            }
        default:
            try weigh(16, at: position)
            var entries: [YAMLEntry] = []
            while true {
                let next = try parser.next()
                if next == .mappingEnd { return .mapping(entries) }
                let key = try node(beginning: next, depth: depth + 1)
                entries.append(YAMLEntry(key: key, value: try node(beginning: parser.next(), depth: depth + 1)))
            }
        }
    }

    private mutating func copyOfAlias(at position: SourcePosition) throws(YAMLSyntaxError) -> YAMLNode {
        let name = parser.anchor ?? ""
        guard let anchored = anchors[name] else {
            throw YAMLSyntaxError(
                at: position, "no anchor \("&\(name)".quotedForPeople) stands before this alias",
                suggestion: "where the text itself begins with *, put it in quotes: \"*\(name)…\"")
        }
        try weigh(anchored.weight, at: position)
        return anchored.node
    }

    private mutating func weigh(_ addition: Int, at position: SourcePosition) throws(YAMLSyntaxError) {
        weight += addition
        guard weight <= Self.weightLimit else {
            throw YAMLSyntaxError(
                at: position, "more values than any configuration has, each alias counted as all that it stands for",
                suggestion: "put what is common to backups under \"defaults\", and keep the file small")
        }
    }
}

extension YAMLComposer {
    private enum Event {
        case documentStart, streamEnd, alias, scalar, sequenceStart, sequenceEnd, mappingStart, mappingEnd
        /// The starts and ends that carry nothing.
        case other
    }

    /// Owns libyaml's parser and its latest event.
    private struct Parser: ~Copyable {
        // libyaml keeps pointers into its parser, so it may not move.
        private let parser: UnsafeMutablePointer<yaml_parser_t>
        private let event: UnsafeMutablePointer<yaml_event_t>

        /// - Parameter bytes: what is parsed; the caller keeps it in place for the parser's life.
        init(_ bytes: UnsafeBufferPointer<UInt8>) throws(YAMLSyntaxError) {
            parser = .allocate(capacity: 1)
            event = .allocate(capacity: 1)
            parser.initialize(to: yaml_parser_t())
            event.initialize(to: yaml_event_t())
            guard yaml_parser_initialize(parser) == 1 else { throw Self.noMemory }
            yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
            yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
        }

        deinit {
            yaml_event_delete(event)
            yaml_parser_delete(parser)
            event.deallocate()
            parser.deallocate()
        }

        mutating func next() throws(YAMLSyntaxError) -> Event {
            yaml_event_delete(event)
            guard yaml_parser_parse(parser, event) == 1 else { throw fault }
            return switch event.pointee.type {
            case YAML_DOCUMENT_START_EVENT: .documentStart
            case YAML_STREAM_END_EVENT: .streamEnd
            case YAML_ALIAS_EVENT: .alias
            case YAML_SCALAR_EVENT: .scalar
            case YAML_SEQUENCE_START_EVENT: .sequenceStart
            case YAML_SEQUENCE_END_EVENT: .sequenceEnd
            case YAML_MAPPING_START_EVENT: .mappingStart
            case YAML_MAPPING_END_EVENT: .mappingEnd
            default: .other
            }
        }

        /// Where the latest event begins.
        var position: SourcePosition { SourcePosition(event.pointee.start_mark) }

        var scalar: (text: String, style: YAMLNode.ScalarStyle) {
            let scalar = event.pointee.data.scalar
            let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            let style: YAMLNode.ScalarStyle =
                switch scalar.style {
                case YAML_PLAIN_SCALAR_STYLE: .plain
                case YAML_LITERAL_SCALAR_STYLE, YAML_FOLDED_SCALAR_STYLE: .block
                default: .quoted
                }
            return (String(decoding: bytes, as: UTF8.self), style)
        }

        /// How far into a scalar in the file its text begins, where it stands there as it is: on one line, and with nothing
        /// escaped. Nil elsewhere, and for what is no scalar.
        var inset: UInt8? {
            guard event.pointee.type == YAML_SCALAR_EVENT else { return nil }
            let (start, end) = (event.pointee.start_mark, event.pointee.end_mark)
            let scalar = event.pointee.data.scalar
            let inset: UInt8 = scalar.style == YAML_PLAIN_SCALAR_STYLE ? 0 : 1
            let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            guard start.line == end.line,
                end.column - start.column == bytes.count(where: { $0 & 0xc0 != 0x80 }) + 2 * Int(inset)
            else { return nil }
            return inset
        }

        /// The latest event's anchor, or what an alias refers to.
        var anchor: String? {
            let data = event.pointee.data
            let name: UnsafeMutablePointer<yaml_char_t>? =
                switch event.pointee.type {
                case YAML_ALIAS_EVENT: data.alias.anchor
                case YAML_SCALAR_EVENT: data.scalar.anchor
                case YAML_SEQUENCE_START_EVENT: data.sequence_start.anchor
                case YAML_MAPPING_START_EVENT: data.mapping_start.anchor
                default: nil
                }
            return name.map { String(cString: $0) }
        }

        /// The latest event's tag, where one is written.
        var tag: String? {
            let data = event.pointee.data
            let name: UnsafeMutablePointer<yaml_char_t>? =
                switch event.pointee.type {
                case YAML_SCALAR_EVENT: data.scalar.tag
                case YAML_SEQUENCE_START_EVENT: data.sequence_start.tag
                case YAML_MAPPING_START_EVENT: data.mapping_start.tag
                default: nil
                }
            return name.map { String(cString: $0) }
        }

        private static var noMemory: YAMLSyntaxError {
            YAMLSyntaxError(at: SourcePosition(line: 1, column: 1), "not enough memory to read the file")
        }

        /// libyaml's complaint in words that tell what to do.
        private var fault: YAMLSyntaxError {
            let state = parser.pointee
            guard state.error != YAML_MEMORY_ERROR else { return Self.noMemory }
            let problem = state.problem.map { String(cString: $0) } ?? "no YAML"
            let context = state.context.map { String(cString: $0) }
            var (message, suggestion) = YAMLComplaint.explain(problem: problem, context: context)
            if YAMLComplaint.isOfUnfinished(problem: problem), context != nil {
                let beginning = SourcePosition(state.context_mark)
                message += " (begun at \(beginning.line):\(beginning.column))"
            }
            let isAtBeginning = YAMLComplaint.isOfBeginning(problem: problem, context: context)
            return YAMLSyntaxError(
                at: SourcePosition(isAtBeginning ? state.context_mark : state.problem_mark), message, suggestion: suggestion)
        }
    }
}

extension SourcePosition {
    fileprivate init(_ mark: yaml_mark_t) { self.init(line: Int(mark.line) + 1, column: Int(mark.column) + 1) }
}
