/* What a process inherits from whoever starts it, beyond arguments, environment and descriptors. */
#pragma once

#include <sys/types.h>

/* Opens /dev/null for those of 0, 1 and 2 that are closed, and lets children be waited for: what every program needs. */
void lo_take_descriptors(void);

/* Every signal as a fresh process has it: nothing ignored, nothing blocked. Safe in a child of vfork(2). */
void lo_reset_signals(void);

/* Takes on what a process that the service manager starts has, whatever the caller's state is: signals, umask and, unless
 * `by_manager` says that the manager has seen to the rest, limits, scheduling, the out-of-memory score, timers, the session
 * keyring, capabilities' modes and the working directory. What is not permitted stays as it is. Returns the caller's umask. */
mode_t lo_take_standing(int by_manager);
