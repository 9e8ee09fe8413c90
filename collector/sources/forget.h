/* forget.h: `collector --forget ID`, what a collector that is gone has left at the broker, removed.
 *
 * Shape    with the lock of the id, so that nobody takes it up meanwhile: its sessions, all that the
 *          database remembers (schema/008_sessions.sql), those of earlier settings among them; then
 *          everything that is retained under collectors/ID/, and its STATE as a host of Sparkplug unless
 *          that says that one is there, until nothing is. In the end the database forgets the sessions
 *          and what was known of Sparkplug's nodes. Its row in `collectors` stays: it says what was stored.
 * Refuses  an id that is live: its lock is held, or somebody, of this installation or another,
 *          publishes its status.
 * Errors   a sentence on standard error and exit status 1; what was removed by then stays removed,
 *          and the command can be given again.
 * Note     a command of its own, not part of the running collector, so it may block.
 */
#ifndef HIGHWATER_FORGET_H
#define HIGHWATER_FORGET_H

struct settings;

/* The id is settings->forget. Returns the exit status. */
int forget_run(const struct settings *settings);

#endif
