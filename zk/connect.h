/*
 * zookeeper.connect: "host:port,host:port/chroot" -> numeric addresses for the library and the chroot.
 *
 * The library would resolve the names anew on each turn of the loop; it is therefore given numbers only. They are sorted, so
 * that the same addresses are the same text.
 */
#ifndef KLAMM_ZK_CONNECT_H
#define KLAMM_ZK_CONNECT_H

#include "common/error.h"

#include <stdbool.h>

#define ZK_DEFAULT_PORT "2181"

struct zk_connect {
	char *servers;  /* "10.0.0.1:2181,::1:2181", as the library takes them */
	char *chroot;   /* "" or "/a/b" without a slash at the end */
	bool has_names; /* some host was a name: its address may change */
};

/*
 * Resolves every host (blocking). Hosts that do not resolve are traced and left out; ERR_NOT_FOUND when none does, ERR_CONFIG
 * for bad syntax. zk_connect_fini frees.
 */
int zk_connect_resolve(const char *connect, struct zk_connect *ret_connect, struct error *err);
void zk_connect_fini(struct zk_connect *connect);

/*
 * The same by a thread of its own, for a session that has long been without a server: a container that was made anew has
 * another address. Start, look now and then, drop when done or no longer wanted.
 */
struct zk_resolving;
struct zk_resolving *zk_resolving_start(const char *connect);
/* True when it has ended; ret_connect (then the caller's) is set and *ret_found true when it found addresses. Once. */
bool zk_resolving_done(struct zk_resolving *resolving, struct zk_connect *ret_connect, bool *ret_found);
void zk_resolving_drop(struct zk_resolving *resolving);

#endif
