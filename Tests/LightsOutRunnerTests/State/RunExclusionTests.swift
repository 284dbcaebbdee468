import Glibc
import LightsOutCore
import Systemd
import Testing

@testable import LightsOutRunner

@Suite(.enabled(if: TrustedDirectory.isAvailable, "needs root"))
struct RunExclusionTests {
    private let tree: TrustedDirectory
    private let backup: BackupName
    private let state = RunState(
        run: .random(), trigger: .manual, started: Timestamp(microseconds: 5), phase: .running(boot: "b", pid: 42))

    init() throws {
        tree = try TrustedDirectory()
        backup = try BackupName("server")
    }

    @Test func `there is one holder at a time, and the second learns who it is`() throws {
        let first = try RunExclusion(backup, runtimeDirectory: tree.path)
        first.note(state)
        do throws(RunExclusion.Failure) {
            _ = try RunExclusion(backup, runtimeDirectory: tree.path)
            Issue.record("held twice")
        } catch {
            guard case .held(by: state) = error else {
                Issue.record(error)
                return
            }
        }
        #expect(RunExclusion.look(at: backup, runtimeDirectory: tree.path) == RunExclusion.Look(isHeld: true, state: state))
        _ = try RunExclusion(BackupName("other"), runtimeDirectory: tree.path)
        withExtendedLifetime(first.previous) {}
    }

    @Test func `when the holder is gone the next one learns what it noted last`() throws {
        let ended = state.ended(Outcome(.success), at: Timestamp(microseconds: 9), recorded: true)
        do {
            let first = try RunExclusion(backup, runtimeDirectory: tree.path)
            #expect(first.previous == nil)
            first.note(state)
            first.note(ended)
        }
        #expect(RunExclusion.look(at: backup, runtimeDirectory: tree.path) == RunExclusion.Look(isHeld: false, state: ended))
        let second = try RunExclusion(backup, runtimeDirectory: tree.path)
        #expect(second.previous == ended)
    }

    @Test func `the directory is made where it is missing, and the file is root's alone`() throws {
        let directory = tree.path + "/a/b"
        let held = try RunExclusion(backup, runtimeDirectory: directory)
        var status = stat()
        #expect(stat(directory + "/server.lock", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
        withExtendedLifetime(held.previous) {}
    }

    @Test func `a link in its place is not followed`() throws {
        try tree.file("victim", "keep")
        symlink(tree.path + "/victim", tree.path + "/server.lock")
        #expect(throws: RunExclusion.Failure.self) { _ = try RunExclusion(backup, runtimeDirectory: tree.path) }
    }

    @Test(arguments: ["", "garbage", String(repeating: "\n", count: 100_000)])
    func `what is not a state is no state`(text: String) throws {
        try tree.file("server.lock", text, mode: 0o600)
        #expect(RunExclusion.look(at: backup, runtimeDirectory: tree.path) == RunExclusion.Look(isHeld: false, state: nil))
        #expect(try RunExclusion(backup, runtimeDirectory: tree.path).previous == nil)
    }

    @Test func `a lock file is known by its name`() throws {
        #expect(RunExclusion.backup(ofFile: "server.lock") == backup)
        for name in ["server.trigger", ".lock", "a/b.lock", "server.lock.lock"] {
            #expect(RunExclusion.backup(ofFile: name) == nil, "\(name)")
        }
    }
}

@Suite(.enabled(if: TrustedDirectory.isAvailable, "needs root"))
struct RunStateStoreTests {
    private let tree: TrustedDirectory
    private let store: RunStateStore
    private let backup: BackupName
    private let running = RunState(
        run: .random(), trigger: .manual, started: Timestamp(microseconds: 5), phase: .running(boot: "b", pid: 42))

    init() throws {
        tree = try TrustedDirectory()
        store = RunStateStore(directory: tree.path + "/state")
        backup = try BackupName("server")
    }

    @Test func `what was written is found, by anybody, and without a trace of the writing`() throws {
        #expect(try store.read(backup) == .nothing)
        try store.write(running, of: backup)
        #expect(try store.read(backup) == .state(running))
        #expect(DirectoryEntries.names(in: store.directory) == ["server.run"])
        var status = stat()
        #expect(stat(store.directory + "/server.run", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o644)
    }

    @Test func `the end of a run is marked as recorded in place`() throws {
        let ended = running.ended(Outcome(.failed, exitStatus: 1, reason: "because"), at: Timestamp(microseconds: 9), recorded: false)
        try store.write(ended, of: backup)
        try store.markRecorded(ended, of: backup)
        #expect(try store.read(backup) == .state(running.ended(Outcome(.failed, exitStatus: 1, reason: "because"), at: Timestamp(microseconds: 9), recorded: true)))
    }

    @Test func `another run's file is not marked, nor one that is not there`() throws {
        let ended = running.ended(Outcome(.success), at: Timestamp(microseconds: 9), recorded: false)
        try store.markRecorded(ended, of: backup)
        try store.write(running, of: backup)
        try store.markRecorded(ended, of: backup)
        #expect(try store.read(backup) == .state(running))
    }

    @Test(arguments: ["", "garbage\n", "version=1\n", "\u{0}"])
    func `a damaged file is set aside, once`(text: String) throws {
        try store.write(running, of: backup)
        try tree.file("state/server.run", text, mode: 0o644)
        guard case .setAside(let path, let reason) = try store.read(backup) else {
            Issue.record("believed")
            return
        }
        #expect(path == store.directory + "/server.run.damaged")
        #expect(!reason.isEmpty)
        #expect(try store.read(backup) == .nothing)
    }

    @Test func `what is no regular file is set aside without being read`() throws {
        tree.directory("state")
        mkfifo(store.directory + "/server.run", 0o600)
        guard case .setAside = try store.read(backup) else {
            Issue.record("believed")
            return
        }
        try store.write(running, of: backup)
        #expect(try store.read(backup) == .state(running))
    }
}

@Suite(.enabled(if: TrustedDirectory.isAvailable, "needs root"))
struct TriggerNoteTests {
    @Test(arguments: Trigger.allCases)
    func `a note is taken once`(trigger: Trigger) throws {
        let tree = try TrustedDirectory()
        let note = TriggerNote(runtimeDirectory: tree.path)
        let backup = try BackupName("server")
        #expect(note.take(for: backup) == nil)
        let contents = TriggerNote.Contents(trigger, mark: 0xfedc_ba98_7654_3210)
        try note.leave(contents, for: backup)
        #expect(note.take(for: backup) == contents)
        #expect(note.take(for: backup) == nil)
        try note.leave(contents, for: backup)
        note.withdraw(for: backup)
        #expect(note.take(for: backup) == nil)
    }

    @Test func `one of version 0.1 has no number`() throws {
        let tree = try TrustedDirectory()
        try tree.file("server.trigger", "catch-up\n")
        #expect(try TriggerNote(runtimeDirectory: tree.path).take(for: BackupName("server")) == TriggerNote.Contents(.catchUp))
    }

    @Test(arguments: ["whim\n", "", "schedule 12 13\n", "schedule xyz\n", "schedule 11112222333344445\n"])
    func `one that says nothing known is none`(text: String) throws {
        let tree = try TrustedDirectory()
        try tree.file("server.trigger", text)
        #expect(try TriggerNote(runtimeDirectory: tree.path).take(for: BackupName("server")) == nil)
        #expect(access(tree.path + "/server.trigger", F_OK) != 0)
    }
}
