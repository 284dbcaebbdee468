import Glibc
import LightsOutCore
public import Systemd

/// The check that a script passes before it runs: it runs as root or as the backup's user, so nobody else may be able
/// to decide what it does.
public nonisolated struct ScriptCheck {
    /// The account that the script runs as; it and root may own what the check looks at.
    public let user: User
    /// Where the scripts' interpreters are looked for behind `#!/usr/bin/env`.
    public let searchPath: [String]

    public init(user: User, searchPath: [String] = ScriptEnvironment.searchPath) {
        self.user = user
        self.searchPath = searchPath
    }

    /// The kernel's own limit for a `#!` line is 256 bytes (execve(2)).
    private static let longestHeader = 256

    /// Checks the script at `path`: an absolute path without links, in directories and a file that only root and the
    /// backup's user can write; a regular, executable file with one name; an interpreter that is as trustworthy, though
    /// it may be reached by links.
    /// - Throws: ``ScriptRefusal``, which names the component at fault and what mends it.
    public func check(_ path: String) throws(ScriptRefusal) {
        let script = try TrustedPath(owner: user, followsLinks: false).open(path)
        try checkMode(script)
        try checkFileSystem(script)
        let header = try readHeader(script)
        try checkHeader(header, of: script.path)
    }

    private func checkMode(_ script: borrowing TrustedPath.File) throws(ScriptRefusal) {
        let mode = script.status.st_mode
        let word = script.path.shellWord
        if mode & (S_ISUID | S_ISGID) != 0 {
            throw ScriptRefusal(script.path, "is setuid or setgid", mend: "chmod u-s,g-s \(word)")
        }
        if script.status.st_nlink != 1 {
            throw ScriptRefusal(
                script.path, "has \(script.status.st_nlink) names (hard links), and may be changed through another",
                mend: "cp \(word) \((script.path + ".new").shellWord) && mv \((script.path + ".new").shellWord) \(word)")
        }
        // Who may execute it, in the kernel's order: the owner's bit is the only one that counts for the owner.
        let bit: mode_t =
            user.uid == 0
            ? S_IXUSR | S_IXGRP | S_IXOTH
            : script.status.st_uid == user.uid ? S_IXUSR : user.groups.contains(script.status.st_gid) ? S_IXGRP : S_IXOTH
        if mode & bit == 0 {
            let command =
                user.uid == 0 || script.status.st_uid == user.uid ? "chmod u+x \(word)" : "chmod a+rx \(word)"
            throw ScriptRefusal(script.path, "is not executable", mend: command)
        }
        if script.status.st_size == 0 {
            throw ScriptRefusal(script.path, "is empty", advice: "Write the backup's commands into it.")
        }
    }

    private func checkFileSystem(_ script: borrowing TrustedPath.File) throws(ScriptRefusal) {
        var status = statvfs()
        guard fstatvfs(script.descriptor.number, &status) == 0, status.f_flag & Linux.mountedNoExec != 0 else {
            return
        }
        throw ScriptRefusal(
            script.path, "is on a file system mounted noexec",
            advice: "Move the script to another one, or remount it with: mount -o remount,exec …")
    }

    /// Reads the first line's worth of bytes of the very file that was checked.
    private func readHeader(_ script: borrowing TrustedPath.File) throws(ScriptRefusal) -> [UInt8] {
        do throws(SystemError) {
            let contents = try Descriptor.open("/proc/self/fd/\(script.descriptor.number)", O_RDONLY)
            return try contents.readAll(limit: Self.longestHeader)
        } catch {
            throw ScriptRefusal(
                script.path, "cannot be read: \(error.reason)", mend: "chmod u+r \(script.path.shellWord)")
        }
    }

    private func checkHeader(_ header: [UInt8], of path: String) throws(ScriptRefusal) {
        if header.starts(with: [0x7f, UInt8(ascii: "E"), UInt8(ascii: "L"), UInt8(ascii: "F")]) { return }
        guard header.starts(with: "#!".utf8) else {
            throw ScriptRefusal(
                path, "does not begin with a #! line",
                advice: "Begin it with the line: #!/bin/sh (or #!/bin/bash, …).")
        }
        let line = String(decoding: header.dropFirst(2).prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        if line.hasSuffix("\r") {
            throw ScriptRefusal(
                path, "has DOS line ends, so that its interpreter is not found",
                mend: "sed -i 's/\\r$//' \(path.shellWord)")
        }
        let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).map { String($0) }
        guard let interpreter = words.first else {
            throw ScriptRefusal(path, "names no interpreter in its #! line", advice: "Begin it with: #!/bin/sh")
        }
        try checkInterpreter(interpreter, of: path)
        if interpreter.hasSuffix("/env"), let program = words.dropFirst().first(where: { !$0.hasPrefix("-") && !$0.contains("=") }) {
            try checkProgram(program, of: path)
        }
    }

    private func checkInterpreter(_ interpreter: String, of path: String) throws(ScriptRefusal) {
        guard interpreter.hasPrefix("/") else {
            throw ScriptRefusal(
                path, "names the interpreter \(interpreter.quotedForPeople), which is no absolute path",
                advice: "Begin it with a line such as: #!/bin/sh")
        }
        guard access(interpreter, F_OK) == 0 else {
            throw ScriptRefusal(
                path, "names the interpreter \(interpreter.plainOrQuoted), which does not exist",
                advice: "Install it or mend the #! line.")
        }
        let file = try TrustedPath(owner: user, followsLinks: true).open(interpreter)
        guard file.status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH) != 0 else {
            throw ScriptRefusal(
                file.path, "is the script's interpreter and not executable",
                mend: "chmod a+x \(file.path.shellWord)")
        }
    }

    /// Checks what `env` will find, with the search path that the script gets.
    private func checkProgram(_ program: String, of path: String) throws(ScriptRefusal) {
        if program.contains("/") { return try checkInterpreter(program, of: path) }
        var found: String?
        for directory in searchPath where found == nil {
            let place = "\(directory)/\(program)"
            if access(place, X_OK) == 0 { found = place }
        }
        guard let place = found else {
            throw ScriptRefusal(
                path, "names the interpreter \(program.plainOrQuoted), which is not in \(searchPath.joined(separator: ":"))",
                advice: "Install it or mend the #! line.")
        }
        try checkInterpreter(place, of: path)
    }
}
