/* A process that only tells whether a signal was sent to all processes of a cgroup or to its main process alone: it is in
 * the same cgroup and dies by SIGTERM, SIGINT and SIGHUP. It has no descriptor, and ends with the process that started it. */
#pragma once

#include <sys/types.h>

/* Starts it. Returns a descriptor of it (pidfd_open(2)) that can be read when it has ended, or a negative errno. waitid(2)
 * does not count it among the caller's children, unless by this descriptor. */
int lo_witness_start(pid_t *pid);

/* Returns the signal that ended it, -1 where it ended otherwise, and 0 while it lives. */
int lo_witness_end(int pidfd);

/* Ends it. */
void lo_witness_stop(int pidfd);
