#define _GNU_SOURCE
#include "witness.h"

#include <errno.h>
#include <limits.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The life of the witness: to die by the first of these signals. */
static void witness(pid_t parent) {
    static const int heard[] = {SIGTERM, SIGINT, SIGHUP};
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t others;
    sigfillset(&others);
    for (unsigned i = 0; i < sizeof heard / sizeof *heard; i++) {
        sigaction(heard[i], &action, NULL);
        sigdelset(&others, heard[i]);
    }
    prctl(PR_SET_NAME, "lightsout-ear");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || syscall(SYS_close_range, 0U, UINT_MAX, 0U) < 0)
        _exit(0);
    sigprocmask(SIG_SETMASK, &others, NULL);
    for (;;)
        pause();
}

int lo_witness_start(pid_t *pid) {
    pid_t parent = getpid();
    int pidfd = -1;
    /* No signal at its end: waitid(2) without __WALL does not know of such a child, so it is none that is waited for. */
    struct clone_args args = {.flags = CLONE_PIDFD, .pidfd = (unsigned long) &pidfd, .exit_signal = 0};
    long child = syscall(SYS_clone3, &args, sizeof args);
    if (child < 0)
        return -errno;
    if (child == 0) {
        witness(parent);
        _exit(0);
    }
    *pid = (pid_t) child;
    return pidfd;
}

int lo_witness_end(int pidfd) {
    siginfo_t info = {0};
    if (waitid(P_PIDFD, (id_t) pidfd, &info, WEXITED | WNOHANG | __WALL) == 0 && info.si_pid != 0)
        return info.si_code == CLD_KILLED ? info.si_status : -1;
    return 0;
}

void lo_witness_stop(int pidfd) {
    siginfo_t info = {0};
    syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0U);
    while (waitid(P_PIDFD, (id_t) pidfd, &info, WEXITED | __WALL) < 0 && errno == EINTR)
        ;
}
