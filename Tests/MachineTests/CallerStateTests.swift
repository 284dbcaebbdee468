import Foundation
import Testing

extension WholeSystem {
    /// A run in a shell is the same whatever state its caller is in.
    @Suite("The state of the caller")
    struct CallerStateTests {
        let machine: Machine
        let cursor: String

        init() throws {
            machine = try Machine.shared
            cursor = try machine.journalCursor()
        }

        /// Writes what the script got into /run/standing.
        private static let script = """
            #!/bin/bash
            {
            echo "umask $(umask)"
            echo "directory $(pwd)"
            for limit in fsize as cpu data nofile core stack nproc; do echo "$limit $(prlimit --noheadings --raw --output SOFT --$limit)"; done
            echo "nice $(nice)"
            echo "policy $(chrt --pid $$ | sed -n 's/.*policy: //p')"
            echo "cpus $(taskset --cpu-list --pid $$ | sed 's/.*: //')"
            echo "io $(ionice --pid $$)"
            echo "oom $(cat /proc/self/oom_score_adj)"
            # Of a child: bash itself blocks and ignores some.
            sh -c 'grep -E "^(SigBlk|SigIgn|Groups|CapAmb)" /proc/self/status' | tr '\\t' ' '
            echo "timer $(python3 -c 'import signal; print(signal.getitimer(signal.ITIMER_REAL)[0])')"
            } >/run/standing 2>&1
            """

        private func standing(_ line: String) throws -> [Substring: Substring] {
            try machine.remove("/run/standing")
            let done = try machine.run(line)
            #expect(done.succeeded, "\(line): \(done)")
            var seen: [Substring: Substring] = [:]
            for line in try machine.read("/run/standing").split(separator: "\n") {
                let words = line.split(separator: " ", maxSplits: 1)
                seen[words[0]] = words.count > 1 ? words[1] : ""
            }
            return seen
        }

        /// Sets what a caller can set, and becomes `lightsout run standing`.
        private static func caller(_ setUp: String) -> String {
            """
            cat >/run/caller.py <<'END'
            import os, signal, resource, ctypes
            libc = ctypes.CDLL(None, use_errno=True)
            def limit(which, soft, hard=None):
                resource.setrlimit(which, (soft, resource.getrlimit(which)[1] if hard is None else hard))
            \(setUp)
            os.execv('/usr/bin/lightsout', ['lightsout', 'run', 'standing'])
            END
            exec python3 /run/caller.py
            """
        }

        @Test func `reaches neither the run nor its script`() throws {
            try machine.withBackup("standing", script: Self.script) { (unit: String) throws in
                let wanted = try standing("lightsout run standing")
                #expect(wanted["umask"] == "0022")
                #expect(wanted["directory"] == "/")
                #expect(wanted["fsize"] == "unlimited" && wanted["as"] == "unlimited" && wanted["nofile"] == "1024")
                #expect(wanted["nice"] == "0" && wanted["oom"] == "0")
                #expect(wanted["SigIgn:"] == "0000000000000000" && wanted["SigBlk:"] == "0000000000000000")
                // Without CAP_SYS_RESOURCE, as in some containers, nobody raises a hard limit.
                let mayRaise = try (UInt64(machine.sh("sed -n 's/^CapEff:.//p' /proc/self/status"), radix: 16) ?? 0) & (1 << 24) != 0
                for setUp in [
                    "os.umask(0o777)", "os.umask(0)",
                    "limit(resource.RLIMIT_FSIZE, 0\(mayRaise ? ", 0" : ""))",
                    "limit(resource.RLIMIT_NOFILE, 40\(mayRaise ? ", 40" : ""))",
                    "limit(resource.RLIMIT_CPU, 1); limit(resource.RLIMIT_DATA, 1 << 28)", "limit(resource.RLIMIT_AS, 1 << 30\(mayRaise ? ", 1 << 30" : ""))",
                    "limit(resource.RLIMIT_CORE, resource.RLIM_INFINITY); limit(resource.RLIMIT_STACK, 1 << 20)",
                    "[signal.signal(s, signal.SIG_IGN) for s in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1)]",
                    "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))",
                    "os.nice(19)", "os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))",
                    "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})",
                    "os.system('ionice -c 3 -p %d' % os.getpid())",
                    "open('/proc/self/oom_score_adj', 'w').write('1000')",
                    "os.makedirs('/run/gone', exist_ok=True); os.chdir('/run/gone'); os.rmdir('/run/gone')",
                    "[os.close(n) for n in (0, 1, 2)]", "os.close(1)",
                    "os.setgroups([4, 24, 27])",
                    "signal.setitimer(signal.ITIMER_REAL, 0.05)",
                    "libc.prctl(8, 1, 0, 0, 0); libc.prctl(28, 1 << 2, 0, 0, 0)",
                    "libc.prctl(4, 0, 0, 0, 0)", "libc.prctl(38, 1, 0, 0, 0)",
                ] {
                    let seen = try standing(Self.caller(setUp))
                    #expect(seen == wanted, "\(setUp)")
                    // The daemon, which has no capability to override modes, can open it.
                    #expect(try machine.sh("stat -c %a%u /run/lightsout/standing.lock") == "6000", "\(setUp)")
                    #expect(try machine.sh("stat -c %a%u /var/lib/lightsout/standing.run") == "6440", "\(setUp)")
                }
            }
        }

        @Test func `gives way to what the unit says`() throws {
            try machine.withBackup("standing", script: Self.script) { (unit: String) throws in
                try machine.write(
                    "/run/systemd/system/\(unit).d/standing.conf",
                    "[Service]\nUMask=0077\nNice=7\nLimitNOFILE=2000\nWorkingDirectory=/usr\nOOMScoreAdjust=300\n")
                try machine.sh("systemctl daemon-reload")
                defer { _ = try? machine.run("rm -rf /run/systemd/system/\(unit).d; systemctl daemon-reload") }
                let seen = try standing("systemctl start \(unit)")
                #expect(seen["umask"] == "0077" && seen["nice"] == "7" && seen["nofile"] == "2000")
                #expect(seen["directory"] == "/usr" && seen["oom"] == "300")
                #expect(try machine.sh("stat -c %a /run/lightsout/standing.lock") == "600")
                #expect(try machine.sh("stat -c %a /var/lib/lightsout/standing.run") == "644")
            }
        }

        /// keyctl(2) by its numbers: there is no program for it on every system.
        private static let keys = """
            import ctypes, os, sys
            libc = ctypes.CDLL(None, use_errno=True)
            add, request, keyctl = {'x86_64': (248, 249, 250), 'aarch64': (217, 218, 219)}[os.uname().machine]
            def secret():
                return libc.syscall(request, b'user', b'lightsout-secret', None, 0) >= 0
            """

        @Test(arguments: ["", "backups: {standing: {user: tester}}"])
        func `keys of the caller's session do not reach the script`(configuration: String) throws {
            try machine.write("/run/keys.py", Self.keys + "\nprint(secret())\n")
            try machine.write("/run/holder.py", Self.keys + """

                libc.syscall(keyctl, 1, None)
                if libc.syscall(add, b'user', b'lightsout-secret', b'x', 1, -3) < 0: sys.exit(77)
                print(secret(), flush=True)
                os.execv('/usr/bin/lightsout', ['lightsout', 'run', 'standing'])
                """)
            let script = "#!/bin/sh\npython3 /run/keys.py\n"
            try machine.withBackup("standing", script: script, mode: 0o755, configuration: configuration) { (_: String) throws in
                let done = try machine.run("python3 /run/holder.py")
                guard done.status != 77 else { return } // a kernel without keys keeps none
                #expect(done.output.split(separator: "\n") == ["True", "False"], "\(done)")
            }
        }
    }
}
