import Foundation
import LightsOutRunner
import Testing

@Suite("Processes as /proc shows them")
struct ProcessSightTests {
    private let root: String

    init() throws {
        root = NSTemporaryDirectory() + "proc-\(UUID().uuidString)"
    }

    private func write(_ path: String, _ text: String) throws {
        let url = URL(filePath: "\(root)/\(path)")
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: url, atomically: false, encoding: .utf8)
    }

    private func stat(_ name: String, _ state: String) -> String {
        "7 (\(name)) \(state) 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 1 1\n"
    }

    @Test func `a thread in uninterruptible sleep tells what it waits for`() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        // A name may look like the rest of the line.
        try write("7/stat", stat("a) Z 1 (b", "S"))
        try write("7/comm", "a) Z 1 (b\n")
        try write("7/task/7/stat", stat("a", "S"))
        try write("7/task/9/stat", stat("a", "D"))
        try write("7/task/9/wchan", "nfs_wait_bit_killable")
        try write("7/task/9/syscall", "262 0x7 0x0\n")
        let sight = try #require(ProcessSight(7, root: root))
        #expect(sight.isStuck)
        #expect(sight.start == 4711)
        #expect(sight.name == "a) Z 1 (b")
        #expect(sight.waitsFor == "in nfs_wait_bit_killable, system call 262")
    }

    @Test func `a zombie is gone, unless a thread of it lives`() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        try write("7/stat", stat("a", "Z"))
        try write("7/comm", "a\n")
        try write("7/task/7/stat", stat("a", "Z"))
        #expect(ProcessSight(7, root: root) == nil)
        try write("7/task/9/stat", stat("a", "D"))
        let sight = try #require(ProcessSight(7, root: root))
        #expect(sight.isStuck)
        #expect(sight.waitsFor == nil, "the kernel does not tell")
        #expect(ProcessSight(8, root: root) == nil)
    }
}
