#define _GNU_SOURCE
#include "process_standing.h"
#include "spawn_script.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Nothing above 2 survives exec. */
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
    lo_reset_signals();
    umask(request->mask);

    if (setsid() < 0)
        return LO_SPAWN_SESSION;

    if (request->cgroup_procs_fd >= 0 && write(request->cgroup_procs_fd, "0", 1) != 1)
        return LO_SPAWN_CGROUP;

    if (dup2(request->stdin_fd, 0) < 0 || dup2(request->stdout_fd, 1) < 0 || dup2(request->stderr_fd, 2) < 0 ||
        close_all_on_exec() < 0)
        return LO_SPAWN_DESCRIPTORS;

    /* The system calls themselves: the library's functions would tell them to the threads of the memory we share. */
    if (request->change_user &&
        (syscall(SYS_setgroups, request->group_count, request->groups) < 0 ||
         syscall(SYS_setresgid, request->gid, request->gid, request->gid) < 0 ||
         syscall(SYS_setresuid, request->uid, request->uid, request->uid) < 0))
        return LO_SPAWN_USER;
    /* Nothing of root's comes along: no capability, and a session keyring of the user's own. */
    if (request->change_user && request->uid != 0) {
        prctl(PR_CAP_AMBIENT, (unsigned long) PR_CAP_AMBIENT_CLEAR_ALL, 0UL, 0UL, 0UL);
        syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, NULL);
    }

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
    /* No handler of ours may run in the child, on our memory; set_up_and_exec unblocks when they are reset. */
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);

    /* vfork(2): the child works on our memory while we stand still, until exec or its end. Nothing is copied, and what
     * failed in it can be read here. */
    volatile enum lo_spawn_step step = LO_SPAWN_FORK;
    volatile int error = 0;
    pid_t parent = getpid();
    pid_t pid = vfork();
    if (pid == 0) {
        step = set_up_and_exec(request, parent);
        error = errno;
        _exit(127);
    }
    if (pid < 0)
        error = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        return pid;

    *failed_step = step;
    if (pid > 0)
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    return -error;
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
