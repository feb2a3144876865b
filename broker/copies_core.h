/*
 * Which of two folders of one partition is the replica, when a start finds it in two log dirs. Pure.
 *
 * It comes to that when a log dir is away: the replica that lies in it is moved to other brokers (nobody can erase it), moved back, and made anew
 * in a dir that is there. Later both are. The rule has two parts; reliability.md S1, S10, D9.
 *
 * 1. The copy that was in use last. Every dir has in klamm.run which incarnation of the broker had it in use last, and how many dirs were away by
 *    then (struct run_use). A copy is made only in a dir that says so already, synced, and only while the dir of the other copy is away; a dir
 *    that is away is not written to; one that is back is said to be in use only when the name of what was set aside in it is gone for good. So of
 *    the dirs of two copies one has the greater use, and that is the dir of the later copy. Everything that this broker has promised since
 *    then, as leader or as a follower, it has promised of that copy, and nothing of the other, which left the ISR before the later one was
 *    made. To keep the later one is to go on as if the other had never come back, so that no promise can break:
 *      - the old copy has an uncommitted tail: it was no longer asked, nobody waits for it;
 *      - the new copy is empty, or shorter: it is not in the ISR then, or nothing was committed that it lacks, and it catches up as it would have;
 *      - both are equal: whichever.
 *    This holds for copies of different topic ids, too, and for those that are damaged below their durable mark: these stay offline (D11).
 *
 * 2. The greater log, by (epoch of the last batch, log end offset), then the lower log start, then the first dir. Only where part 1 has no
 *    answer: dirs that another program wrote to, or of a version that did not write its use down. Of logs that end in the same epoch one is a prefix
 *    of the other (log matching: both are what the leader of that epoch had). One that ends in a later epoch e holds all that was committed
 *    before e was led, since the leader of e held it, and all batches of earlier epochs lie before its own. It is no proof for what was
 *    committed afterwards: Raft commits old entries only through one of the leader's own epoch, but a Kafka leader that is elected again (k > e)
 *    with a tail older than e commits it as it is, and a copy that followed e then has another batch in that place. That takes a partition
 *    which nobody has written to since k began; otherwise the copy that was there has a batch of k. That is why part 1 comes first.
 *
 * A damaged log cannot be compared, nor can logs of two topics: then an operator has to say (COPIES_UNKNOWN).
 */
#ifndef KLAMM_BROKER_COPIES_CORE_H
#define KLAMM_BROKER_COPIES_CORE_H

#include "common/uuid.h"

#include <stdbool.h>
#include <stdint.h>

struct copy {
	bool has_use;           /* it is known when its dir was in use: */
	int64_t used_epoch;     /* by this incarnation; -1: before any that wrote it down */
	int32_t used_away;      /* with so many dirs away */
	bool has_log;           /* it could be opened: */
	struct uuid topic_id;   /* zero: it does not say */
	int32_t last_epoch;     /* of the last batch; -1: none */
	int64_t end_offset;
	int64_t start_offset;
};

enum copies_choice { COPIES_FIRST, COPIES_SECOND, COPIES_UNKNOWN };

/* first is the one in the dir that comes first in log.dirs. */
enum copies_choice copies_choose(const struct copy *first, const struct copy *second);

#endif
