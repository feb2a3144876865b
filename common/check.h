/*
 * CHECK: an assertion that stays on in production.
 *
 * A failed CHECK is a bug of ours and ends the process, since a wrong decision may not be acted on. It is never used on bytes
 * from the wire, from disk or from ZooKeeper: those are validated and refused.
 */
#ifndef KLAMM_COMMON_CHECK_H
#define KLAMM_COMMON_CHECK_H

#define CHECK(condition) ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))

/* Prints the condition and where it stands, then aborts (a core is left where the system allows it). */
void check_failed(const char *condition, const char *file, int line) __attribute__((noreturn, cold));

#endif
