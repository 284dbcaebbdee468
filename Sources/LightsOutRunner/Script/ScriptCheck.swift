import Glibc
import LightsOutCore
public import Systemd

/// The check that a script passes before it runs: it runs as root or as the backup's user, so nobody else may be able
/// to decide what it does; and that user must be able to run it.
public nonisolated struct ScriptCheck {
    /// The account that the script runs as; it and root may own what the check looks at.
    public let user: User
    /// Where the scripts' interpreters are looked for behind `#!/usr/bin/env`.
    public let searchPath: [String]

    /// Those directories of the usual search path in which somebody else could put a program, and why: they are left out.
    public let leftOut: [ScriptRefusal]

    /// - Parameter searchPath: where commands are looked for; a directory that others can write is left out.
    public init(user: User, searchPath: [String] = ScriptEnvironment.searchPath) {
        self.user = user
        var trusted: [String] = []
        var leftOut: [ScriptRefusal] = []
        for directory in searchPath {
            do throws(ScriptRefusal) {
                try TrustedPath(to: .interpreter, for: user).checkDirectory(directory)
                trusted.append(directory)
            } catch { leftOut.append(error) }
        }
        self.searchPath = trusted
        self.leftOut = leftOut
    }

    /// What the kernel reads of a file to tell how it is executed (execve(2)): a `#!` line is no longer.
    private static let longestHeader = 256
    /// As many scripts as the kernel follows from a script to the program that interprets it all (`exec_binprm`).
    private static let mostInterpreters = 5

    /// Checks the script at `path`: an absolute path without links, in directories and a file that only root and the
    /// backup's user can write; a regular file with one name that the user can execute; an interpreter of which all that is
    /// true as well, though it may be reached by links.
    /// - Throws: ``ScriptRefusal``, which names the component at fault and what mends it.
    public func check(_ path: String) throws(ScriptRefusal) {
        let script = try TrustedPath(to: .script, for: user).open(path)
        try checkIdentity(of: script)
        try checkExecution(of: script, as: .script, depth: 1)
    }

    private func checkIdentity(of script: borrowing TrustedPath.File) throws(ScriptRefusal) {
        let word = script.path.shellWord
        if script.status.st_mode & (S_ISUID | S_ISGID) != 0 {
            throw ScriptRefusal(script.path, "is setuid or setgid", mend: "chmod u-s,g-s \(word)")
        }
        if script.status.st_nlink != 1 {
            throw ScriptRefusal(
                script.path, "has \(script.status.st_nlink) names (hard links), and may be changed through another",
                mend: "cp \(word) \((script.path + ".new").shellWord) && mv \((script.path + ".new").shellWord) \(word)")
        }
    }

    // MARK: Execution

    /// Checks that the kernel executes the file for the user, and the same of what it brings in for that.
    /// - Parameter depth: how many scripts there are up to this file, itself included.
    private func checkExecution(
        of file: borrowing TrustedPath.File, as role: TrustedPath.Role, depth: Int
    ) throws(ScriptRefusal) {
        try checkPermission(X_OK, on: file, as: role)
        try checkFileSystem(of: file)
        let header = try readHeader(of: file)
        if header.starts(with: [0x7f, UInt8(ascii: "E"), UInt8(ascii: "L"), UInt8(ascii: "F")]) { return }
        guard header.starts(with: "#!".utf8) else {
            if role == .interpreter {
                throw ScriptRefusal(
                    file.path, "is the script's interpreter, and neither a program nor begins with a #! line",
                    advice: "Install it anew or mend the #! line.")
            }
            throw header.isEmpty
                ? ScriptRefusal(file.path, "is empty", advice: "Write the backup's commands into it.")
                : ScriptRefusal(
                    file.path, "does not begin with a #! line",
                    advice: "Begin it with the line: #!/bin/sh (or #!/bin/bash, …).")
        }
        // The kernel reads a program; a script is read by its interpreter.
        try checkPermission(R_OK, on: file, as: role)
        guard depth <= Self.mostInterpreters else {
            throw ScriptRefusal(
                file.path, "is a script whose interpreter is a script, and so on: the kernel does not follow as many",
                advice: "Name a program in the #! line.")
        }
        try checkLine(header, of: file.path, depth: depth)
    }

    private func checkPermission(
        _ wanted: Int32, on file: borrowing TrustedPath.File, as role: TrustedPath.Role
    ) throws(ScriptRefusal) {
        guard user.lacks(wanted, of: file.status) != 0 else { return }
        let fault =
            wanted == R_OK
            ? "cannot be read by user \"\(user.name)\", and is a script, which its interpreter reads"
            : "is not executable" + (user.uid == 0 ? "" : " for user \"\(user.name)\"")
        throw ScriptRefusal(
            file.path, (role == .interpreter ? "is the script's interpreter and " : "") + fault,
            remedy: remedy(on: file, as: role))
    }

    /// What lets the user read and execute the file, and nobody else whom its mode keeps out.
    private func remedy(on file: borrowing TrustedPath.File, as role: TrustedPath.Role) -> ScriptRefusal.Remedy {
        let status = file.status
        let word = file.path.shellWord
        let lacking = user.lacks(R_OK | X_OK, of: status)
        let letters = (lacking & R_OK != 0 ? "r" : "") + (lacking & X_OK != 0 ? "x" : "")
        if user.uid == 0 { return .command("chmod \(role == .script ? "u+x" : "a+x") \(word)") }
        let fileClass = FileClass(of: user, for: status)
        if fileClass == .owner { return .command("chmod u+\(letters) \(word)") }
        if role == .interpreter { return .advice("Name an interpreter that the user may run, such as /bin/sh.") }
        if fileClass == .group { return .command("chmod g+\(letters) \(word)") }
        // What everybody may read already is not kept from anybody.
        if lacking & R_OK == 0 { return .command("chmod a+x \(word)") }
        let group = User.groupName(user.gid) ?? String(user.gid)
        return .command("chgrp \(group.shellWord) \(word) && chmod g+rx \(word)")
    }

    private func checkFileSystem(of file: borrowing TrustedPath.File) throws(ScriptRefusal) {
        var status = statvfs()
        guard fstatvfs(file.descriptor.number, &status) == 0, status.f_flag & Linux.mountedNoExec != 0 else {
            return
        }
        throw ScriptRefusal(
            file.path, "is on a file system mounted noexec",
            advice: "Move it to another one, or remount it with: mount -o remount,exec …")
    }

    /// Reads the first line's worth of bytes of the very file that was checked.
    private func readHeader(of file: borrowing TrustedPath.File) throws(ScriptRefusal) -> [UInt8] {
        do throws(SystemError) {
            let contents = try Descriptor.open("/proc/self/fd/\(file.descriptor.number)", O_RDONLY)
            return try contents.readAll(limit: Self.longestHeader)
        } catch {
            throw ScriptRefusal(
                error, file.path, "cannot be read", remedy: .command("chmod u+r \(file.path.shellWord)"))
        }
    }

    // MARK: Interpreters

    /// Checks a `#!` line as the kernel reads it: an interpreter, and the rest of the line as one argument for it.
    private func checkLine(_ header: [UInt8], of path: String, depth: Int) throws(ScriptRefusal) {
        let line = String(decoding: header.dropFirst(2).prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        if line.hasSuffix("\r") {
            throw ScriptRefusal(
                path, "has DOS line ends, so that its interpreter is not found",
                mend: "sed -i 's/\\r$//' \(path.shellWord)")
        }
        func isSpace(_ character: Character) -> Bool { character == " " || character == "\t" }
        let rest = line.drop(while: isSpace)
        let interpreter = String(rest.prefix { !isSpace($0) })
        guard !interpreter.isEmpty else {
            throw ScriptRefusal(path, "names no interpreter in its #! line", advice: "Begin it with: #!/bin/sh")
        }
        try checkInterpreter(interpreter, of: path, depth: depth)
        guard interpreter.hasSuffix("/env") else { return }
        var argument = rest.dropFirst(interpreter.count).drop(while: isSpace)
        while argument.last.map(isSpace) == true { argument.removeLast() }
        try checkCommand(ofEnv: String(argument), of: path, depth: depth)
    }

    private func checkInterpreter(_ interpreter: String, of path: String, depth: Int) throws(ScriptRefusal) {
        guard interpreter.hasPrefix("/") else {
            throw ScriptRefusal(
                path, "names the interpreter \(interpreter.quotedForPeople), which is no absolute path",
                advice: "Begin it with a line such as: #!/bin/sh")
        }
        let file: TrustedPath.File
        do throws(ScriptRefusal) {
            // The walk ends at the first directory that the user cannot enter: what lies behind it is not told.
            file = try TrustedPath(to: .interpreter, for: user).open(interpreter)
        } catch {
            guard error.isMissing else { throw error }
            throw ScriptRefusal(
                path, "names the interpreter \(interpreter.plainOrQuoted), which does not exist",
                advice: "Install it or mend the #! line.")
        }
        try checkExecution(of: file, as: .interpreter, depth: depth + 1)
    }

    /// Checks what `env` will find, with the search path that the script gets.
    private func checkCommand(ofEnv argument: String, of path: String, depth: Int) throws(ScriptRefusal) {
        let command: EnvironmentCommand
        do throws(EnvironmentCommand.Fault) {
            command = try EnvironmentCommand(argument, searchPath: searchPath)
        } catch {
            throw switch error {
            case .noProgram:
                ScriptRefusal(path, "names no program behind env in its #! line", advice: "Write like: #!/usr/bin/env bash")
            case .oneWord:
                ScriptRefusal(
                    path, "has \(argument.quotedForPeople) behind env, which the kernel hands on as one word",
                    advice: "Write env -S for several: \("#!/usr/bin/env -S \(argument)".plainOrQuoted)")
            case .notPlain(let word):
                ScriptRefusal(
                    path, "has the word \(word.quotedForPeople) behind env -S, which is not checked",
                    advice: "Write it without quotes, \\ and $.")
            }
        }
        guard !command.program.contains("/") else {
            return try checkInterpreter(command.program, of: path, depth: depth)
        }
        for directory in command.searchPath {
            // Who can write here can put a program of that name before the one that is found now.
            try TrustedPath(to: .interpreter, for: user).checkDirectory(directory)
            let place = "\(directory)/\(command.program)"
            if isExecutable(place) { return try checkInterpreter(place, of: path, depth: depth) }
        }
        throw ScriptRefusal(
            path,
            "names the interpreter \(command.program.plainOrQuoted), which is not in \(command.searchPath.joined(separator: ":").plainOrQuoted)",
            advice: "Install it or mend the #! line.")
    }

    /// Whether the search for a program ends at `path`, execvp(3).
    private func isExecutable(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && user.lacks(X_OK, of: status) == 0
    }
}
