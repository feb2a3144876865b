/*
 * zookeeper.connect: "host:port,host:port/chroot" -> numeric addresses for the library and the chroot.
 *
 * The library would resolve the names anew on each turn of the loop; it is therefore given numbers only.
 */
#ifndef KLAMM_ZK_CONNECT_H
#define KLAMM_ZK_CONNECT_H

#include "common/error.h"

#define ZK_DEFAULT_PORT "2181"

struct zk_connect {
	char *servers; /* "10.0.0.1:2181,::1:2181", as the library takes them */
	char *chroot;  /* "" or "/a/b" without a slash at the end */
};

/*
 * Resolves every host (blocking). Hosts that do not resolve are traced and left out; ERR_NOT_FOUND when none does, ERR_CONFIG
 * for bad syntax. zk_connect_fini frees.
 */
int zk_connect_resolve(const char *connect, struct zk_connect *ret_connect, struct error *err);
void zk_connect_fini(struct zk_connect *connect);

#endif
