import Foundation
import LightsOutCore
import Systemd
import Testing

@testable import LightsOutService

/// The memories on a disk.
@Suite("The store of the schedule's memories")
struct ScheduleMemoryWriterTests {
    private func withDirectory(_ body: (String) throws -> Void) throws {
        let path = "/tmp/lightsout-memory.\(getpid()).\(UInt32.random(in: 0 ... .max))"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    private func memory(_ number: Int) -> ScheduleMemory { ScheduleMemory(newAt: midnight, scheduleFingerprint: UInt64(number)) }

    private func memories(_ count: Int) -> ScheduleMemoryWriter.Memories {
        (0..<count).map { (backup: name("b\($0)"), memory: memory($0)) }
    }

    @Test func `what was written is found by the next daemon, and what was forgotten is not`() throws {
        try withDirectory { path in
            let store = ScheduleMemoryStore(directory: path)
            #expect(try store.write(memories(10)).isEmpty)
            try store.writePause(until: midnight)
            store.forget(name("b3"))
            let contents = try store.read()
            #expect(contents.memories.count == 9)
            #expect(contents.memories[name("b7")] == memory(7))
            #expect(contents.pausedUntil == midnight)
            #expect(contents.damaged.isEmpty)
            try store.writePause(until: nil)
            #expect(try store.read().pausedUntil == nil)
        }
    }

    @Test func `a damaged file is set aside with what was wrong, and the others are read`() throws {
        try withDirectory { path in
            let store = ScheduleMemoryStore(directory: path)
            #expect(try store.write(memories(2)).isEmpty)
            try Data("version=1\n".utf8).write(to: URL(filePath: "\(path)/b0.schedule"))
            try Data([0xff, 0x0a]).write(to: URL(filePath: "\(path)/pause"))
            let contents = try store.read()
            #expect(contents.memories[name("b1")] == memory(1))
            #expect(contents.pausedUntil == nil)
            #expect(Set(contents.damaged.map(\.file)) == ["\(path)/b0.schedule", "\(path)/pause"])
            #expect(FileManager.default.fileExists(atPath: "\(path)/b0.schedule.damaged"))
            #expect(try store.read().damaged.isEmpty)
        }
    }

    @Test func `many are written in slices, those that are due soonest first`() throws {
        try withDirectory { path in
            let loop = try EventLoop()
            let store = ScheduleMemoryStore(directory: path)
            let writer = ScheduleMemoryWriter(store, loop)
            let count = 3 * ScheduleMemoryWriter.sliceSize
            writer.writeInTime(memories(count)) { backup in
                Int(backup.text.dropFirst()).map { midnight + .seconds(UInt64(count - $0)) }
            }
            let first = try store.read().memories
            #expect(first.count == ScheduleMemoryWriter.sliceSize)
            #expect(first[name("b\(count - 1)")] != nil)
            #expect(first[name("b0")] == nil)
            // Meanwhile one of them changes, and one goes.
            writer.write([(backup: name("b0"), memory: memory(4711))])
            writer.forget(name("b1"))
            for _ in 0..<10 { try loop.runOnce(timeout: 10_000) }
            let all = try store.read().memories
            #expect(all.count == count - 1)
            #expect(all[name("b0")] == memory(4711))
        }
    }

    @Test func `one file that cannot be written keeps neither the others back nor the news of it`() throws {
        try withDirectory { path in
            let store = ScheduleMemoryStore(directory: path)
            let writer = ScheduleMemoryWriter(store, try EventLoop())
            var told: [Bool] = []
            writer.onFailure = { told.append($0 != nil) }
            // Directories that are not empty stand in the places of two files.
            for name in ["b1.schedule", "pause"] {
                try FileManager.default.createDirectory(atPath: "\(path)/\(name)/full", withIntermediateDirectories: true)
            }
            writer.write(memories(3))
            writer.writePause(until: midnight)
            #expect(told == [true])
            writer.write([(backup: name("b2"), memory: memory(7))])
            #expect(told == [true])
            #expect(FileManager.default.fileExists(atPath: "\(path)/b0.schedule"))
            try FileManager.default.removeItem(atPath: "\(path)/b1.schedule")
            writer.finish()
            #expect(told == [true])
            try FileManager.default.removeItem(atPath: "\(path)/pause")
            writer.finish()
            #expect(told == [true, false])
            let contents = try store.read()
            #expect(contents.memories == [name("b0"): memory(0), name("b1"): memory(1), name("b2"): memory(7)])
            #expect(contents.pausedUntil == midnight)
        }
    }

    @Test func `what could not be written is told once and written when it can be`() throws {
        try withDirectory { path in
            let writer = ScheduleMemoryWriter(ScheduleMemoryStore(directory: path), try EventLoop())
            var told: [Bool] = []
            writer.onFailure = { told.append($0 != nil) }
            // A file in the directory's place.
            try Data().write(to: URL(filePath: path))
            writer.write([(backup: name("a"), memory: memory(1))])
            writer.write([(backup: name("b"), memory: memory(2))])
            #expect(told == [true])
            try FileManager.default.removeItem(atPath: path)
            writer.finish()
            #expect(told == [true, false])
            #expect(try ScheduleMemoryStore(directory: path).read().memories == [name("a"): memory(1), name("b"): memory(2)])
        }
    }
}
