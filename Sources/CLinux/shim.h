/* What of the C library Swift's Glibc module leaves out. */
#include <sys/auxv.h>
