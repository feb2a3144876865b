/*
 * The election of the controller: multi[create /controller ephemeral, setData /controller_epoch at the version read]
 * (kafka.md 2.1, D2, S13). Whoever's multi goes through holds the office with that epoch; the new *version* of
 * /controller_epoch is the fencing token of all his writes (zk/batch.h). A lost answer is read back and judged by our nonce and
 * session, never by the broker id.
 *
 *     read /controller (watch) -- there --> LOST, told again when it goes
 *          | none
 *     read or create /controller_epoch, /klamm/controller_epoch -> multi[..., setData /klamm/controller_epoch] -- ok --> WON
 *                                           | exists, version, unknown: read again
 */
#ifndef KLAMM_ZK_ELECTION_H
#define KLAMM_ZK_ELECTION_H

#include "zk/json_controller.h"
#include "zk/session.h"

struct zk_election;

enum zk_election_event {
	ZK_ELECTION_WON,     /* we hold the office: epoch and epoch_version hold */
	ZK_ELECTION_WAITING, /* somebody else holds it: `holder` tells who; the candidate stays and stands again when the node
				goes */
	ZK_ELECTION_OVER,    /* our /controller is gone or another's: resign at once; the candidate stands again by
				zk_election_stand */
	ZK_ELECTION_FAILED,  /* code and err tell why (ACL, damaged node); stand again after a pause. ERR_SESSION_LOST: with the
				next session */
};

struct zk_election_news {
	enum zk_election_event event;
	int code;
	const struct error *err;
	int32_t epoch;         /* WON: our controller epoch */
	int32_t epoch_version; /* WON: version of /controller_epoch, the fence of all writes */
	int32_t ruled_since;   /* WON: every controller from this epoch on was one of ours */
	int32_t version;       /* WON, WAITING: version of /controller */
	int64_t owner;         /* WON, WAITING: session that owns /controller; 0 = persistent (a KRaft migration) */
	const struct controller_znode *holder; /* WAITING; NULL when its data cannot be read */
};

struct zk_election_listener {
	void *ctx;
	void (*on_election)(void *ctx, const struct zk_election_news *news);
};

/* nonce: random text of this incarnation of the process; copied. */
struct zk_election *zk_election_new(struct zk_session *session, const char *nonce, const struct zk_election_listener *listener);

/* Drops watches and pending answers; an office that is held stays held until the session ends or zk_election_resign. */
void zk_election_free(struct zk_election *election);

/*
 * Stand: take the office when it is free, else wait for it. broker_id goes into the node (-1 = none). min_epoch: the new epoch
 * is at least this (one above the highest controller epoch seen in partition states, KAFKA-20488). Also called with each new
 * session. broker_id may also be given as a function of the moment with zk_election_set_broker.
 */
void zk_election_stand(struct zk_election *election, int32_t broker_id, int32_t min_epoch);

/* The broker id to write when the office becomes free later. While it is held, /controller is rewritten (fenced). */
void zk_election_set_broker(struct zk_election *election, int32_t broker_id);

/* Gives up an office that is held (fenced delete); events of this candidate stop until it stands again. */
void zk_election_resign(struct zk_election *election);

#endif
