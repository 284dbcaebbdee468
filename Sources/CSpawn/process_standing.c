#define _GNU_SOURCE
#include "process_standing.h"

#include <fcntl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

void lo_take_descriptors(void) {
    for (;;) {
        int fd = open("/dev/null", O_RDWR);
        if (fd > 2)
            close(fd);
        if (fd < 0 || fd > 2)
            break;
    }
    /* Of ignored children no status can be had. */
    signal(SIGCHLD, SIG_DFL);
}

void lo_reset_signals(void) {
    struct sigaction action = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++)
        sigaction(number, &action, NULL); /* fails for SIGKILL, SIGSTOP and libc's own, as it should */
    /* libc does not touch its own, 32 and 33, and an ignored one of them stays ignored over exec: ask the kernel itself. */
    for (int number = 32; number <= 33; number++) {
        struct {
            void (*handler)(int);
            unsigned long rest[7];
        } kernel = {0};
        if (syscall(SYS_rt_sigaction, number, NULL, &kernel, 8UL) == 0 && kernel.handler == SIG_IGN) {
            memset(&kernel, 0, sizeof kernel);
            syscall(SYS_rt_sigaction, number, &kernel, NULL, 8UL);
        }
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The limits that systemd gives a service by default (systemd-system.conf(5)); those of processes and signals are the
 * kernel's, by the size of the machine, which process 1 has. */
static const struct {
    int resource;
    rlim_t soft, hard;
} limits[] = {
    {RLIMIT_FSIZE, RLIM_INFINITY, RLIM_INFINITY}, {RLIMIT_CPU, RLIM_INFINITY, RLIM_INFINITY},
    {RLIMIT_DATA, RLIM_INFINITY, RLIM_INFINITY},  {RLIMIT_AS, RLIM_INFINITY, RLIM_INFINITY},
    {RLIMIT_RSS, RLIM_INFINITY, RLIM_INFINITY},   {RLIMIT_LOCKS, RLIM_INFINITY, RLIM_INFINITY},
    {RLIMIT_STACK, 8 << 20, RLIM_INFINITY},       {RLIMIT_CORE, 0, RLIM_INFINITY},
    {RLIMIT_NOFILE, 1024, 512 << 10},             {RLIMIT_MEMLOCK, 8 << 20, 8 << 20},
    {RLIMIT_MSGQUEUE, 819200, 819200},            {RLIMIT_NICE, 0, 0},
    {RLIMIT_RTPRIO, 0, 0},                        {RLIMIT_RTTIME, RLIM_INFINITY, RLIM_INFINITY},
};

static void take_limit(int resource, rlim_t soft, rlim_t hard) {
    struct rlimit wanted = {soft, hard}, had;
    if (setrlimit(resource, &wanted) == 0 || getrlimit(resource, &had) < 0)
        return;
    /* Only the privileged raise a hard limit. */
    had.rlim_cur = soft < had.rlim_max ? soft : had.rlim_max;
    setrlimit(resource, &had);
}

static void take_limits(void) {
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        take_limit(limits[i].resource, limits[i].soft, limits[i].hard);
    const int of_machine[] = {RLIMIT_NPROC, RLIMIT_SIGPENDING};
    for (size_t i = 0; i < 2; i++) {
        struct rlimit first;
        if (prlimit(1, of_machine[i], NULL, &first) == 0)
            take_limit(of_machine[i], first.rlim_cur, first.rlim_max);
        else if (getrlimit(of_machine[i], &first) == 0)
            take_limit(of_machine[i], first.rlim_max, first.rlim_max);
    }
}

static void take_scheduling(void) {
    struct sched_param none = {0};
    sched_setscheduler(0, SCHED_OTHER, &none);
    setpriority(PRIO_PROCESS, 0, 0);
    syscall(SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, 0);
    unsigned long all[128];
    memset(all, 0xff, sizeof all);
    syscall(SYS_sched_setaffinity, 0, sizeof all, all);
    prctl(PR_SET_TIMERSLACK, 0UL, 0UL, 0UL, 0UL);
    int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (score >= 0) {
        ssize_t written = write(score, "0", 1);
        (void)written;
        close(score);
    }
}

static void stop_timers(void) {
    const struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &never, NULL);
    setitimer(ITIMER_VIRTUAL, &never, NULL);
    setitimer(ITIMER_PROF, &never, NULL);
}

static void take_privileges(void) {
    prctl(PR_SET_SECUREBITS, (unsigned long)SECUREBITS_DEFAULT, 0UL, 0UL, 0UL);
    prctl(PR_SET_KEEPCAPS, 0UL, 0UL, 0UL, 0UL);
    prctl(PR_CAP_AMBIENT, (unsigned long)PR_CAP_AMBIENT_CLEAR_ALL, 0UL, 0UL, 0UL);
    prctl(PR_SET_PDEATHSIG, 0UL, 0UL, 0UL, 0UL);
    prctl(PR_SET_DUMPABLE, 1UL, 0UL, 0UL, 0UL);
    /* A new one without a name: what the caller's session has put into its own does not reach a script. */
    syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, NULL);
}

mode_t lo_take_standing(int by_manager) {
    /* Timers first: a signal of theirs must not meet its default. */
    if (!by_manager)
        stop_timers();
    lo_reset_signals();
    /* A file that reaches its limit is an error like a full disk, and no death. */
    signal(SIGXFSZ, SIG_IGN);
    mode_t inherited = umask(022);
    if (by_manager)
        return inherited;
    personality(PER_LINUX);
    take_privileges();
    take_limits();
    take_scheduling();
    if (chdir("/") < 0)
        return inherited;
    return inherited;
}
