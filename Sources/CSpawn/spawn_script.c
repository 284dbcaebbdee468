#define _GNU_SOURCE
#include "spawn_script.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct failure {
    int step;
    int error;
};

/* Every signal as a fresh process has it: nothing ignored, nothing blocked. Ours are blocked for signalfd. */
static void reset_signals(void) {
    struct sigaction action = {.sa_handler = SIG_DFL};
    for (int signal = 1; signal < NSIG; signal++)
        sigaction(signal, &action, NULL); /* fails for SIGKILL, SIGSTOP and libc's own, as it should */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Nothing above 2 survives exec; the pipe that reports a failure must live until then, so it is marked, not closed. */
static int close_all_on_exec(void) {
    if (syscall(SYS_close_range, 3U, UINT_MAX, (unsigned) CLOSE_RANGE_CLOEXEC) == 0)
        return 0;
    /* Linux before 5.11. */
    long most = sysconf(_SC_OPEN_MAX);
    for (int fd = 3; fd < most; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags >= 0 && fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0)
            return -1;
    }
    return 0;
}

static enum lo_spawn_step set_up_and_exec(const struct lo_spawn_request *request, pid_t parent) {
    reset_signals();

    if (setsid() < 0)
        return LO_SPAWN_SESSION;

    if (request->cgroup_procs_fd >= 0 && write(request->cgroup_procs_fd, "0", 1) != 1)
        return LO_SPAWN_CGROUP;

    if (dup2(request->stdin_fd, 0) < 0 || dup2(request->stdout_fd, 1) < 0 || dup2(request->stderr_fd, 2) < 0 ||
        close_all_on_exec() < 0)
        return LO_SPAWN_DESCRIPTORS;

    if (request->change_user &&
        (setgroups(request->group_count, request->groups) < 0 || setresgid(request->gid, request->gid, request->gid) < 0 ||
         setresuid(request->uid, request->uid, request->uid) < 0))
        return LO_SPAWN_USER;

    /* After the change of user, which clears it. The parent may have died before the call. */
    if (request->parent_death_signal > 0) {
        prctl(PR_SET_PDEATHSIG, request->parent_death_signal);
        if (getppid() != parent)
            _exit(127);
    }

    if (request->directory && chdir(request->directory) < 0)
        return LO_SPAWN_DIRECTORY;

    execve(request->path, request->argv, request->envp);
    return LO_SPAWN_EXEC;
}

pid_t lo_spawn(const struct lo_spawn_request *request, enum lo_spawn_step *failed_step) {
    int report[2];
    *failed_step = LO_SPAWN_FORK;
    if (pipe2(report, O_CLOEXEC) < 0)
        return -errno;

    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        int error = errno;
        close(report[0]);
        close(report[1]);
        return -error;
    }

    if (pid == 0) {
        struct failure failure;
        failure.step = set_up_and_exec(request, parent);
        failure.error = errno;
        /* A parent that is gone needs no report. */
        ssize_t ignored = write(report[1], &failure, sizeof failure);
        (void) ignored;
        _exit(127);
    }

    close(report[1]);
    struct failure failure;
    ssize_t got;
    do
        got = read(report[0], &failure, sizeof failure);
    while (got < 0 && errno == EINTR);
    close(report[0]);
    if (got == 0)
        return pid; /* exec closed the pipe */

    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (got != (ssize_t) sizeof failure)
        return -EIO;
    *failed_step = failure.step;
    return -failure.error;
}

pid_t lo_reap(int *by_signal, int *status) {
    siginfo_t info = {0};
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0)
        if (errno != EINTR)
            return -errno;
    *by_signal = info.si_code != CLD_EXITED;
    *status = info.si_status;
    return info.si_pid;
}

int lo_become_subreaper(void) {
    return prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL);
}
