import Glibc
import Systemd
import Testing

@testable import LightsOutRunner

/// A script runs only where nobody else could have decided what it does.
@Suite(.enabled(if: TrustedDirectory.isAvailable, "needs root: files are given to other accounts"))
struct ScriptCheckTests {
    private let tree: TrustedDirectory
    private let root: User
    private let nobody: User

    init() throws {
        tree = try TrustedDirectory()
        root = try User(uid: 0)
        nobody = try User(named: "nobody")
    }

    private func refused(_ path: String, for user: User? = nil) -> ScriptRefusal? {
        do throws(ScriptRefusal) {
            try ScriptCheck(user: user ?? root).check(path)
            return nil
        } catch { return error }
    }

    @Test(arguments: ["#!/bin/sh\n", "#!/bin/sh", "#! /bin/sh -e\n", "#!\t/bin/sh\n", "#!/usr/bin/env sh\n", "#!/usr/bin/env -S sh -e\n", "#!/usr/bin/env -S A=1 sh\n", "#!/usr/bin/env -Ssh\n", "#!/usr/bin/env -iS -u FOO -C / sh\n", "#!/usr/bin/env \tsh \n"])
    func `one of root's own is fine`(header: String) throws {
        #expect(try refused(tree.file("good", header)) == nil)
    }

    @Test func `a program is fine as well as a script`() {
        #expect(refused("/bin/true") == nil || refused("/bin/true")?.problem == "is a symbolic link")
        #expect(refused("/usr/bin/true") == nil)
    }

    @Test func `every directory above it counts, and the first one at fault is named`() throws {
        tree.directory("a")
        tree.directory("a/b", mode: 0o775)
        tree.directory("a/b/c", mode: 0o777)
        let script = try tree.file("a/b/c/script")
        let refusal = try #require(refused(script))
        #expect(refusal.component == "\(tree.path)/a/b")
        #expect(refusal.problem == #"can be written by group "root""#)
        #expect(refusal.remedy == .command("chmod g-w \(tree.path)/a/b"))
    }

    @Test func `the sticky bit of a directory is no excuse`() throws {
        tree.directory("tmp", mode: 0o1777)
        let refusal = try #require(try refused(tree.file("tmp/script")))
        #expect(refusal.component == "\(tree.path)/tmp")
        #expect(refusal.problem == "is a directory that everybody shares and can write, no place for what runs as root")
        guard case .advice = refusal.remedy else {
            Issue.record("nobody should be told to take a shared directory's write bits away")
            return
        }
    }

    @Test func `the backup's user may own it, a third one may not`() throws {
        let script = try tree.file("script", mode: 0o755)
        chown(script, nobody.uid, nobody.gid)
        #expect(refused(script, for: nobody) == nil)
        #expect(refused(script)?.problem == #"belongs to user "nobody", not to root"#)
        #expect(refused(script)?.remedy == .command("chown root \(script)"))
        chown(script, 54321, 0)
        #expect(refused(script, for: nobody)?.problem == #"belongs to user "54321", not to root or nobody"#)
    }

    @Test func `its user must be able to execute it`() throws {
        let script = try tree.file("script", mode: 0o700)
        #expect(refused(script, for: nobody)?.remedy == .command("chgrp nogroup \(script) && chmod g+rx \(script)"), "others may not read it")
        chmod(script, 0o744)
        #expect(refused(script, for: nobody)?.remedy == .command("chmod a+x \(script)"))
        chmod(script, 0o700)
        chown(script, nobody.uid, nobody.gid)
        #expect(refused(script, for: nobody) == nil)
        chmod(script, 0o677)
        #expect(refused(script, for: nobody)?.problem == "can be written by everybody")
        chmod(script, 0o655)
        #expect(refused(script, for: nobody)?.remedy == .command("chmod u+x \(script)"), "for its owner the owner's bit alone counts")
    }

    @Test(arguments: [
        (mode_t(0o711), gid_t(0)), (0o700, 0), (0o744, 0), (0o710, 65534), (0o701, 65534),
    ])
    func `what is to let its user run it does`(mode: mode_t, group: gid_t) throws {
        let script = try tree.file("script", mode: mode)
        chown(script, 0, group)
        guard case .command(let command) = refused(script, for: nobody)?.remedy else {
            Issue.record("no command: \(String(describing: refused(script, for: nobody)))")
            return
        }
        try run(command)
        #expect(refused(script, for: nobody) == nil, "after \(command)")
    }

    private func run(_ command: String) throws {
        let words = ["/bin/sh", "-c", command]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        try #require(posix_spawn(&pid, words[0], nil, nil, &arguments, nil) == 0)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        #expect(status == 0, "\(command)")
    }

    @Test func `a program need not be read by its user, a script must`() throws {
        let program = try tree.file("program", "\u{7f}ELF", mode: 0o711)
        let script = try tree.file("script", mode: 0o711)
        #expect(refused(program, for: nobody) == nil)
        #expect(refused(script, for: nobody)?.problem == #"cannot be read by user "nobody", and is a script, which its interpreter reads"#)
        #expect(refused(script) == nil)
    }

    @Test func `its user must be able to pass the directories`() throws {
        tree.directory("closed", mode: 0o700)
        let script = try tree.file("closed/script", mode: 0o755)
        #expect(refused(script, for: nobody)?.component == "\(tree.path)/closed")
        #expect(refused(script, for: nobody)?.problem == #"cannot be entered by user "nobody""#)
        #expect(refused(script) == nil)
    }

    @Test func `its user must be able to execute its interpreter`() throws {
        try tree.file("interpreter", "\u{7f}ELF", mode: 0o700)
        let script = try tree.file("script", "#!\(tree.path)/interpreter\n", mode: 0o755)
        #expect(refused(script, for: nobody)?.component == "\(tree.path)/interpreter")
        #expect(refused(script) == nil)
    }

    @Test func `nobody is told to take a home or a share away from those whose it is`() throws {
        tree.directory("alice")
        chown(tree.path + "/alice", nobody.uid, nobody.gid)
        tree.directory("share", mode: 0o2775)
        for script in [try tree.file("alice/script"), try tree.file("share/script")] {
            guard case .advice(let advice) = refused(script)?.remedy else {
                Issue.record("\(String(describing: refused(script)))")
                continue
            }
            #expect(advice.hasPrefix("Move the script, "))
        }
        #expect(try refused(tree.file("alice/script"))?.description.hasSuffix("or run the backup as that user, with user: nobody") == true)
    }

    @Test func `links to it are refused, wherever they are on the way`() throws {
        tree.directory("real")
        let script = try tree.file("real/script")
        #expect(refused(tree.link("link", to: script))?.problem == "is a symbolic link")
        _ = tree.link("way", to: "real")
        #expect(refused("\(tree.path)/way/script")?.component == "\(tree.path)/way")
    }

    @Test func `links to its interpreter are followed, and what they lead through is checked`() throws {
        tree.directory("bin")
        tree.directory("open", mode: 0o777)
        try tree.file("bin/real", "\u{7f}ELF", mode: 0o755)
        _ = tree.link("bin/good", to: "real")
        _ = tree.link("bin/dots", to: "../bin/./good")
        _ = tree.link("open/detour", to: "../bin/real")
        _ = tree.link("bin/bad", to: "../open/detour")
        #expect(try refused(tree.file("a", "#!\(tree.path)/bin/good\n")) == nil)
        #expect(try refused(tree.file("b", "#!\(tree.path)/bin/dots\n")) == nil)
        #expect(try refused(tree.file("c", "#!\(tree.path)/bin/bad\n"))?.component == "\(tree.path)/open")
    }

    @Test func `a ring of links ends in a refusal`() throws {
        _ = tree.link("one", to: "two")
        _ = tree.link("two", to: "one")
        #expect(try refused(tree.file("script", "#!\(tree.path)/one\n")) != nil)
    }

    @Test(arguments: ["relative/script", "", "/", "/etc/../etc/passwd", "/etc/./passwd", "/etc/pass\0wd", "/usr/bin/true/"])
    func `a path that is not plain and absolute is refused`(path: String) {
        #expect(refused(path) != nil)
    }

    @Test func `names that a shell would act on are quoted in the command`() throws {
        let script = try tree.file("it's $HOME; rm -rf *", mode: 0o722)
        #expect(refused(script)?.remedy == .command("chmod go-w '\(tree.path)/it'\\''s $HOME; rm -rf *'"))
    }

    @Test func `a control character in a name does not reach the terminal`() throws {
        let script = try tree.file("bad\u{1b}[2J\nname", mode: 0o722)
        let line = try #require(refused(script)).description
        #expect(!line.unicodeScalars.contains { $0.value < 0x20 }, "\(line.debugDescription)")
    }

    @Test(arguments: [
        ("", "is empty"), ("echo\n", "does not begin with a #! line"), ("#!\n", "names no interpreter in its #! line"),
        ("#!sh\n", #"names the interpreter "sh", which is no absolute path"#), ("#!/bin/sh\r\n", "has DOS line ends, so that its interpreter is not found"),
        ("#!/usr/bin\n", "is a directory, not an interpreter"), ("#!/etc/passwd\n", "is the script's interpreter and is not executable"),
        ("#!/usr/bin/env\n", "names no program behind env in its #! line"), ("#!/usr/bin/env A=1 sh\n", "names no program behind env in its #! line"),
        ("#!/usr/bin/env sh -e\n", #"has "sh -e" behind env, which the kernel hands on as one word"#),
        ("#!/usr/bin/env -S 'sh'\n", #"has the word "'sh'" behind env -S, which is not checked"#),
        ("#!/usr/bin/env -S PATH=/no/where sh\n", "names the interpreter sh, which is not in /no/where"),
        ("#!/no/where\n", "names the interpreter /no/where, which does not exist"),
        ("\u{feff}#!/bin/sh\n", "does not begin with a #! line"), ("\0\0\0\0", "does not begin with a #! line"),
    ])
    func `a beginning that the kernel would not execute is refused`(text: String, problem: String) throws {
        #expect(try refused(tree.file("script", text))?.problem == problem)
    }

    @Test func `interpreters that are scripts are followed as far as the kernel follows them`() throws {
        var interpreter = "/bin/sh"
        for depth in 1...6 {
            interpreter = try tree.file("\(depth)", "#!\(interpreter)\n", mode: 0o755)
            #expect((refused(interpreter) == nil) == (depth <= 5), "\(depth)")
        }
        try tree.file("1", "garbage", mode: 0o755)
        #expect(refused("\(tree.path)/2")?.problem == "is the script's interpreter, and neither a program nor begins with a #! line")
        try tree.file("1", "#!/no/where\n", mode: 0o755)
        #expect(refused("\(tree.path)/3")?.component == "\(tree.path)/1")
    }

    @Test func `env that calls itself is refused`() throws {
        let tool = try tree.file("tool", "#!/usr/bin/env tool\n", mode: 0o755)
        #expect(throws: ScriptRefusal.self) { try ScriptCheck(user: root, searchPath: [tree.path]).check(tool) }
    }

    @Test func `an interpreter of env's is looked for where the script will look`() throws {
        tree.directory("path")
        try tree.file("path/tool", "#!/bin/sh\n", mode: 0o775)
        let script = try tree.file("script", "#!/usr/bin/env tool\n")
        #expect(refused(script)?.problem.hasPrefix("names the interpreter tool, which is not in /usr/local/sbin:") == true)
        #expect(throws: ScriptRefusal.self) { try ScriptCheck(user: root, searchPath: [tree.path + "/path"]).check(script) }
        chmod(tree.path + "/path/tool", 0o755)
        #expect(throws: Never.self) { try ScriptCheck(user: root, searchPath: [tree.path + "/path"]).check(script) }
    }

    @Test func `each directory of the search path up to the program is checked, or left out`() throws {
        tree.directory("first", mode: 0o777)
        tree.directory("second")
        tree.directory("third", mode: 0o777)
        try tree.file("second/tool", "#!/bin/sh\n", mode: 0o755)
        try tree.file("first/tool", "#!/bin/sh\n", mode: 0o755)
        let script = try tree.file("script", "#!/usr/bin/env tool\n")
        let path = ["first", "second", "third", "missing"].map { "\(tree.path)/\($0)" }
        let check = ScriptCheck(user: root, searchPath: path)
        #expect(check.searchPath == [path[1], path[3]])
        #expect(check.leftOut.map(\.component) == [path[0], path[2]])
        #expect(throws: Never.self) { try check.check(script) }
        // A path that the line itself gives is checked as far as the search goes.
        #expect(try refused(tree.file("a", "#!/usr/bin/env -S PATH=\(path[0]):\(path[1]) tool\n"))?.component == path[0])
        #expect(try refused(tree.file("b", "#!/usr/bin/env -S PATH=\(path[1]):\(path[2]) tool\n")) == nil)
        #expect(try refused(tree.file("c", "#!/usr/bin/env -S PATH=.:\(path[1]) tool\n")) != nil)
        tree.directory("third/missing")
        _ = tree.link("link", to: "third/missing")
        #expect(ScriptCheck(user: root, searchPath: [tree.path + "/link", tree.path + "/third/nothing"]).searchPath == [])
    }

    @Test func `what lies where the user cannot look is not told`() throws {
        tree.directory("closed", mode: 0o700)
        try tree.file("closed/there", "#!/bin/sh\n", mode: 0o755)
        var refusals: Set<String> = []
        for (index, name) in ["there", "missing", "missing/below", "there/below"].enumerated() {
            let direct = try tree.file("direct\(index)", "#!\(tree.path)/closed/\(name)\n", mode: 0o755)
            let searched = try tree.file("searched\(index)", "#!/usr/bin/env -S PATH=\(tree.path)/closed \(name)\n", mode: 0o755)
            let linked = try tree.file("linked\(index)", "#!\(tree.link("link\(index)", to: "\(tree.path)/closed/\(name)"))\n", mode: 0o755)
            for script in name.contains("/") ? [direct, linked] : [direct, searched, linked] {
                let refusal = refused(script, for: nobody)
                refusals.insert("\(refusal?.component ?? "none") \(refusal?.problem ?? "")")
            }
        }
        #expect(refusals == ["\(tree.path)/closed cannot be entered by user \"nobody\""])
    }
}
