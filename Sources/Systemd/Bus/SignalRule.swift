/// Which signals are wanted and who must have sent them: a match rule of the D-Bus specification.
///
///     let rule = SignalRule(.name("org.freedesktop.login1"), path: "/org/freedesktop/login1", member: "PrepareForSleep")
///     let slot = try bus.match(rule) { message in … }
public nonisolated struct SignalRule: Hashable, Sendable {
    /// The only sender whose signals count.
    public enum Sender: Hashable, Sendable {
        /// Whoever owns this well-known name when the signal is sent.
        case name(String)
        /// The bus itself, for `NameOwnerChanged`.
        case bus
        /// The other end of a connection without a bus (``Bus/systemdItself()``).
        case peer
    }

    /// Who must have sent the signal.
    public var sender: Sender
    /// The object that sends it.
    public var path: String?
    /// The object that sends it, or one above it.
    public var pathNamespace: String?
    /// The interface of the signal.
    public var interface: String?
    /// The name of the signal.
    public var member: String?
    /// The first argument, which must be text.
    public var firstArgument: String?

    public init(
        _ sender: Sender, path: String? = nil, pathNamespace: String? = nil, interface: String? = nil,
        member: String? = nil, firstArgument: String? = nil
    ) {
        self.sender = sender
        self.path = path
        self.pathNamespace = pathNamespace
        self.interface = interface
        self.member = member
        self.firstArgument = firstArgument
    }

    /// `PropertiesChanged` of the object at `path`.
    public static func propertiesChanged(
        _ sender: Sender, path: String? = nil, pathNamespace: String? = nil, of interface: String? = nil
    ) -> SignalRule {
        SignalRule(
            sender, path: path, pathNamespace: pathNamespace, interface: "org.freedesktop.DBus.Properties",
            member: "PropertiesChanged", firstArgument: interface)
    }

    /// The bus tells that a well-known name has another owner, or none.
    public static func ownerChanged(of name: String) -> SignalRule {
        SignalRule(
            .bus, path: "/org/freedesktop/DBus", interface: busName, member: "NameOwnerChanged", firstArgument: name)
    }

    /// The name of the bus itself. The bus writes the sender into every message, so no other connection can use it.
    static let busName = "org.freedesktop.DBus"

    /// The rule in the syntax of the specification, "Match Rules".
    var text: String {
        let name: String? =
            switch sender {
            case .name(let name): name
            case .bus: Self.busName
            case .peer: nil
            }
        let parts: [(key: String, value: String?)] = [
            ("type", "signal"), ("sender", name), ("path", path), ("path_namespace", pathNamespace),
            ("interface", interface), ("member", member), ("arg0", firstArgument),
        ]
        return parts.compactMap { part in part.value.map { "\(part.key)='\($0)'" } }.joined(separator: ",")
    }
}
