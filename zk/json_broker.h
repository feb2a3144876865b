/* /brokers/ids/<id>: how a broker can be reached (kafka.md 2). Written as version 5; 1 to 5 and later are read. */
#ifndef KLAMM_ZK_JSON_BROKER_H
#define KLAMM_ZK_JSON_BROKER_H

#include "common/arena.h"
#include "common/error.h"
#include "common/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct broker_endpoint {
	struct slice listener; /* "PLAINTEXT", "INTERNAL" */
	struct slice protocol; /* security protocol: "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL" */
	struct slice host;     /* without brackets; may be empty */
	int32_t port;
};

/* What a broker's disks held when it started (D9): what its replicas may still be trusted with. */
enum broker_start {
	BROKER_START_UNSAID,        /* the key is absent: a broker of others */
	BROKER_START_CLEAN,         /* the stop before was clean: everything is there */
	BROKER_START_PROCESS_CRASH, /* the process died, the machine did not: the page cache survived, everything is there */
	BROKER_START_UNCLEAN,       /* the machine died, or nobody knows: logs may have lost their tails */
	BROKER_START_DISK_NEW,      /* a log dir is empty or not the one it was */
};

struct broker_znode {
	struct slice host; /* null = none: the first PLAINTEXT endpoint, for the oldest readers */
	int32_t port;      /* -1 = none */
	int32_t jmx_port;  /* -1 = none */
	int64_t timestamp_ms;
	struct slice rack; /* null = none */
	struct broker_endpoint *endpoints;
	int32_t n_endpoints;
	/* The mark of a Klamm broker and its own facts; null on brokers of others, who ignore the key. */
	struct slice klamm; /* a free text, e.g. "0.1.0" */
	enum broker_start start;
	/*
	 * Nothing is lost since the registration with this broker epoch, but for what `start` says: the last one before this start, or an
	 * older one since which every start was whole. -1 = none, or not known. A process that registers anew says the same again.
	 */
	int64_t previous_epoch;
	bool durable;    /* an unclean start lost nothing of topics that do not say: its file had klamm.durability=fsync-isr in those runs */
	int32_t min_isr; /* min.insync.replicas of its file, for topics that do not say; 0 = it does not say */
};

/* path is for the error text only. Texts lie in the arena. ERR_CORRUPT with err filled. */
int broker_znode_decode(struct arena *arena, const char *path, struct slice json, struct broker_znode *ret_broker,
			struct error *err);
struct slice broker_znode_encode(struct arena *arena, const struct broker_znode *broker);

/* Sets host and port from the first endpoint with security protocol PLAINTEXT, or to null and -1. */
void broker_znode_choose_host(struct broker_znode *broker);

#endif
