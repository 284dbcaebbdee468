/* A hardware clock for a machine that has none, to be preloaded: CLOCK_REALTIME_ALARM exists, and is CLOCK_REALTIME.
 * That it cannot wake anything does not matter where the sleep is none. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static clockid_t real(clockid_t clock) { return clock == CLOCK_REALTIME_ALARM ? CLOCK_REALTIME : clock; }

int clock_gettime(clockid_t clock, struct timespec *time) { return (int) syscall(SYS_clock_gettime, real(clock), time); }

int timerfd_create(int clock, int flags) { return (int) syscall(SYS_timerfd_create, real(clock), flags); }
