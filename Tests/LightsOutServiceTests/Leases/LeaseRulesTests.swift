import LightsOutCore
import Testing

@testable import LightsOutService

@Suite("Who may report under which name")
struct LeaseRulesTests {
    private let name = Self.name("photos")

    private static func name(_ text: String) -> BackupName {
        do { return try BackupName(text) } catch { fatalError("\(error)") }
    }

    private func names(_ count: Int, of uid: UInt32, open: Bool) -> [BackupName: LeaseRules.Standing] {
        Dictionary(
            uniqueKeysWithValues: (0..<count).map { index in
                (
                    Self.name("n\(uid)-\(index)"),
                    LeaseRules.Standing(
                        owner: uid, isOpen: open, isForgettable: true, ended: Timestamp(microseconds: Int64(index)))
                )
            })
    }

    private func open(
        by uid: UInt32, isConfigured: Bool = false, _ known: [BackupName: LeaseRules.Standing] = [:]
    ) throws(LeaseRules.Refusal) -> [BackupName] {
        try LeaseRules.open(name, by: uid, isConfigured: isConfigured, known: known)
    }

    @Test func `a name of the configuration is root's`() throws {
        #expect(throws: LeaseRules.Refusal.configured) { try open(by: 1000, isConfigured: true) }
        #expect(try open(by: 0, isConfigured: true) == [])
    }

    @Test func `a name stays with whoever reported under it last, and root may take it`() throws {
        let known = [name: LeaseRules.Standing(owner: 1000, isForgettable: true)]
        #expect(throws: LeaseRules.Refusal.anothers(1000)) { try open(by: 1001, known) }
        #expect(try open(by: 1000, known) == [])
        #expect(try open(by: 0, known) == [])
    }

    @Test func `a user has so many open and no more; another user's do not count, and root has no such limit`() throws {
        let most = LeaseRules.openPerUser
        #expect(throws: LeaseRules.Refusal.tooManyOfUser) { try open(by: 1000, names(most, of: 1000, open: true)) }
        #expect(try open(by: 1000, names(most - 1, of: 1000, open: true)) == [])
        #expect(try open(by: 1001, names(most, of: 1000, open: true)) == [])
        #expect(try open(by: 0, names(most, of: 0, open: true)) == [])
    }

    @Test func `there are so many open in all and no more, root's too`() {
        let all = names(LeaseRules.openInAll, of: 0, open: true)
        #expect(throws: LeaseRules.Refusal.tooManyInAll) { try open(by: 0, all) }
        #expect(throws: LeaseRules.Refusal.tooManyInAll) { try open(by: 1000, all) }
    }

    @Test func `for a new name the one that ended longest ago is forgotten, no other user's`() throws {
        let known = names(LeaseRules.openPerUser, of: 1000, open: false)
            .merging(names(3, of: 1001, open: false)) { first, _ in first }
        #expect(try open(by: 1000, known) == [Self.name("n1000-0")])
        #expect(try open(by: 1002, known) == [])
    }

    @Test func `an open report and a backup of the configuration are never forgotten`() throws {
        var known = names(LeaseRules.openPerUser - 1, of: 1000, open: true)
        known[Self.name("closed")] = LeaseRules.Standing(owner: 1000, isForgettable: true, ended: Timestamp(microseconds: 9))
        known[Self.name("configured")] = LeaseRules.Standing(owner: 1000, isForgettable: false)
        #expect(try open(by: 1000, known) == [Self.name("closed")])
    }

    @Test func `a name that is used again makes no other forgotten`() throws {
        var known = names(LeaseRules.openPerUser - 1, of: 1000, open: false)
        known[name] = LeaseRules.Standing(owner: 1000, isForgettable: true)
        #expect(try open(by: 1000, known) == [])
    }
}

@Suite("The words of a hold")
struct HoldWordsTests {
    @Test(arguments: [UInt32](arrayLiteral: 0, 1000, .max))
    func `its why says whose it is`(uid: UInt32) { #expect(Holds.holder(in: "copying (all of it)" + Holds.mark(uid)) == uid) }

    @Test(arguments: ["", "(", ")", "copying", "(lightsout hold, user id 7)", "x (lightsout hold, user id )", "x (lightsout hold, user id 7) "])
    func `another lock's why says nothing`(why: String) { #expect(Holds.holder(in: why) == nil) }

    @Test(arguments: ["", "a\nb", "\u{1b}[2J", String(repeating: "x", count: 201), "\u{202e}"])
    func `empty, long and unprintable words are refused`(text: String) {
        #expect(throws: (any Error).self) { try Holds.checked(text, "why") }
    }
}
