/* failpoint.h: places where a test can make the process die.
 *
 * Shape    FAILPOINT("name") is nothing, unless compiled with HIGHWATER_FAILPOINTS (make
 * FLAVOUR=test). There CRASH_AT=name:n in the environment kills the process, as SIGKILL does, when
 * it comes to that place for the n-th time; name:n:15 sends it another signal instead.
 * FAILPOINT_SOON kills it shortly after, in the middle of what follows.
 */
#ifndef HIGHWATER_FAILPOINT_H
#define HIGHWATER_FAILPOINT_H

#ifdef HIGHWATER_FAILPOINTS
void failpoint_hit(const char *name, long delay_us);
#define FAILPOINT(name) failpoint_hit(name, 0)
#define FAILPOINT_SOON(name, delay_us) failpoint_hit(name, delay_us)
#else
#define FAILPOINT(name) ((void)0)
#define FAILPOINT_SOON(name, delay_us) ((void)0)
#endif

#endif
