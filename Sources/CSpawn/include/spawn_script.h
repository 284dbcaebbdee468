/* Starts a child with everything set up between fork and exec, where Swift must not run: only async-signal-safe calls
 * are allowed there (signal-safety(7)), and Swift's runtime promises none. */
#pragma once

#include "witness.h"

#include <stddef.h>
#include <sys/types.h>

struct lo_spawn_request {
    const char *path;
    char *const *argv;
    char *const *envp;
    /* The working directory; NULL keeps the caller's. */
    const char *directory;
    /* Become 0, 1 and 2 of the child; all at 3 or above. */
    int stdin_fd, stdout_fd, stderr_fd;
    /* An open cgroup.procs that the child enters, or -1. */
    int cgroup_procs_fd;
    /* Whether uid, gid and groups are taken on. */
    int change_user;
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t group_count;
    /* Its umask. */
    mode_t mask;
    /* A signal for the child when its parent dies (PR_SET_PDEATHSIG), or 0. */
    int parent_death_signal;
};

/* What the child was doing when it failed. */
enum lo_spawn_step {
    LO_SPAWN_FORK,
    LO_SPAWN_SESSION,
    LO_SPAWN_CGROUP,
    LO_SPAWN_DESCRIPTORS,
    LO_SPAWN_USER,
    LO_SPAWN_DIRECTORY,
    LO_SPAWN_EXEC,
};

/* Starts the child and returns its pid when exec has succeeded. Returns a negative errno where any step failed, says
 * in *failed_step which, and has reaped the child then. */
pid_t lo_spawn(const struct lo_spawn_request *request, enum lo_spawn_step *failed_step);

/* The thread-safe part of waitid(2) that Swift's importer cannot see (siginfo_t's members are macros): reaps one
 * child that has ended, if there is one. Returns its pid; 0 where children live but none has ended; a negative errno
 * (-ECHILD: no child at all). *by_signal says whether *status is a signal or an exit status. */
pid_t lo_reap(int *by_signal, int *status);

/* Makes this process the parent of every descendant whose own parent ends (PR_SET_CHILD_SUBREAPER of prctl(2), which
 * is variadic). Returns -1 and sets errno where it fails. */
int lo_become_subreaper(void);
