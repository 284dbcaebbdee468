import Glibc
import Testing

@testable import Systemd

/// A directory of its own, with what a test puts into it.
private final class Directory {
    let path: String

    init() throws(SystemError) {
        var template = Array("/tmp/lightsout-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError(code: errno, operation: "make a directory") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    isolated deinit {
        for name in DirectoryEntries.names(in: path) {
            unlink("\(path)/\(name)")
            rmdir("\(path)/\(name)")
        }
        rmdir(path)
    }
}

struct AtomicFileTests {
    private let directory: Directory

    init() throws { directory = try Directory() }

    @Test(arguments: [true, false])
    func `what is written is read, with the mode asked for and nothing beside it`(durable: Bool) throws {
        let below = try Descriptor.open(directory.path, O_RDONLY | O_DIRECTORY)
        try AtomicFile.write("old and longer", to: "file", below: below, mode: 0o600, durable: durable)
        try AtomicFile.write("new\n", to: "file", below: below, mode: 0o600, durable: durable)
        #expect(try AtomicFile.read("file", below: below, limit: 100) == "new\n")
        #expect(DirectoryEntries.names(in: directory.path) == ["file"])
    }

    @Test func `nothing is nil, and too much, no text and no file are errors of their own`() throws {
        let below = try Descriptor.open(directory.path, O_RDONLY | O_DIRECTORY)
        #expect(try AtomicFile.read("missing", below: below, limit: 10) == nil)
        try AtomicFile.write("12345", to: "long", below: below, mode: 0o600, durable: false)
        #expect(try AtomicFile.read("long", below: below, limit: 5) == "12345")
        #expect(code { _ = try AtomicFile.read("long", below: below, limit: 4) } == EFBIG)
        let bytes = try Descriptor.open("bytes", below: below, O_WRONLY | O_CREAT, mode: 0o600)
        try bytes.writeAll([0xff, 0xfe])
        #expect(code { _ = try AtomicFile.read("bytes", below: below, limit: 10) } == EILSEQ)
        mkfifo(directory.path + "/fifo", 0o600)
        #expect(code { _ = try AtomicFile.read("fifo", below: below, limit: 10) } == EINVAL)
        symlink("long", directory.path + "/link")
        #expect(code { _ = try AtomicFile.read("link", below: below, limit: 10) } == ELOOP)
    }

    @Test func `a file by its path is read like one below a directory`() throws {
        let below = try Descriptor.open(directory.path, O_RDONLY | O_DIRECTORY)
        try AtomicFile.write("12345", to: "file", below: below, mode: 0o600, durable: false)
        #expect(try AtomicFile.read(directory.path + "/file", limit: 5) == "12345")
        #expect(try AtomicFile.read(directory.path + "/missing", limit: 5) == nil)
        #expect(try AtomicFile.read(directory.path + "/missing/file", limit: 5) == nil)
        #expect(code { _ = try AtomicFile.read(directory.path + "/file", limit: 4) } == EFBIG)
        #expect(code { _ = try AtomicFile.read(directory.path, limit: 5) } == EINVAL)
    }

    @Test func `names are told apart by their endings, which they lose`() throws {
        let below = try Descriptor.open(directory.path, O_RDONLY | O_DIRECTORY)
        for name in ["server.run", "a.run.run", ".run", "run", "server.run.damaged", "é.run"] {
            try AtomicFile.write("", to: name, below: below, mode: 0o600, durable: false)
        }
        #expect(Set(DirectoryEntries.stems(in: directory.path, endingIn: ".run")) == ["server", "a.run", "é"])
        #expect(DirectoryEntries.stems(in: directory.path + "/missing", endingIn: ".run") == [])
    }

    @Test func `a write that fails leaves the old file, and no new one`() throws {
        let below = try Descriptor.open(directory.path, O_RDONLY | O_DIRECTORY)
        mkdir(directory.path + "/taken", 0o700)
        #expect(code { try AtomicFile.write("x", to: "taken", below: below, mode: 0o600, durable: true) } != nil)
        #expect(DirectoryEntries.names(in: directory.path) == ["taken"])
    }

    @Test func `a full disk is an error that says so`() throws {
        let full = try Descriptor.open("/dev/full", O_WRONLY)
        #expect(code { try full.writeAll("x".utf8) } == ENOSPC)
    }

    private func code(_ body: () throws -> Void) -> Int32? {
        do {
            try body()
            return nil
        } catch { return (error as? SystemError)?.code }
    }
}

struct DescriptorTests {
    @Test func `is closed once, when its owner goes`() throws {
        let number: Int32
        do {
            let descriptor = try Descriptor.open("/dev/null", O_RDONLY)
            number = descriptor.number
            #expect(fcntl(number, F_GETFD) & FD_CLOEXEC != 0)
        }
        #expect(fcntl(number, F_GETFD) == -1)
    }

    @Test func `reads no more than asked, whatever there is`() throws {
        let zero = try Descriptor.open("/dev/zero", O_RDONLY)
        #expect(try zero.readAll(limit: 10_001).count == 10_001)
        #expect(try Descriptor.open("/dev/null", O_RDONLY).readAll(limit: 10) == [])
    }

    @Test func `an error says what was done, to what, and why it failed`() {
        #expect {
            _ = try Descriptor.open("/no/where", O_RDONLY)
        } throws: { "\($0)" == "open /no/where: No such file or directory" }
    }
}

struct UserTests {
    @Test func `root is found by name and by number`() throws {
        let root = try User(named: "root")
        #expect(try root == User(uid: 0))
        #expect(root.uid == 0 && root.gid == 0)
        #expect(root.groups.contains(0))
        #expect(User.groupName(0) == "root")
    }

    @Test(arguments: ["", "nobody-of-that-name", "root:x", "a\nb"])
    func `whom nobody knows is ENOENT`(name: String) {
        #expect { _ = try User(named: name) } throws: { ($0 as? SystemError)?.code == ENOENT }
    }

    @Test func `a number without a name has none`() {
        #expect(User.groupName(3_999_999_999) == nil)
        #expect(throws: SystemError.self) { _ = try User(uid: 3_999_999_999) }
    }
}

struct SystemCallTests {
    @Test func `is made again for as long as signals interrupt it`() throws {
        var calls = 0
        let result = try retryingInterrupts("count") { () -> Int in
            calls += 1
            errno = EINTR
            return calls < 3 ? -1 : 7
        }
        #expect(result == 7)
        #expect(calls == 3)
    }

    @Test func `that fails otherwise is made once, and its errno kept`() {
        var calls = 0
        #expect {
            try retryingInterrupts("try it") { () -> Int32 in
                calls += 1
                errno = EPERM
                return -1
            }
        } throws: { $0 as? SystemError == SystemError(code: EPERM, operation: "try it") }
        #expect(calls == 1)
    }
}

struct BusPathTests {
    @Test(arguments: ["server", "a-b_c", "0", "é", "a/b", ""])
    func `a name comes back from the path that it was put into`(name: String) throws {
        let path = try #require(Bus.path("/org/lightsout1/backup", encoding: name))
        #expect(Bus.name(in: path, below: "/org/lightsout1/backup") == name)
        #expect(!path.dropFirst("/org/lightsout1/backup/".count).contains("/"))
    }

    @Test func `another path holds none`() {
        #expect(Bus.name(in: "/org/other/a", below: "/org/lightsout1/backup") == nil)
    }
}
