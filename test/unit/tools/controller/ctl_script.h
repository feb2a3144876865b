/*
 * Dialogues with the controller's decisions as text: one event a line in, the actions out, four blanks before each.
 *
 *     elected 1 1                              epoch, version of /controller_epoch
 *     brokers 1@100 2@110/rack-a 3@120!foreign 4@130!odd
 *     brokers 5@140!unclean 6@150!durable 7@160!empty            unclean; unclean, but fsync-isr by its file
 *     topics a b
 *     topic a absent | a nonsense | a c5 v0 id7 0:1,2 1:2,1        czxid, version, topic id (id0: none)
 *     topic a c5 v1 id7 0:3,1+3-1                                  adding 3, removing 1
 *     states a 0:absent 1:v0,z50,l1,e0,c1,i1.2 2:nonsense          version, mzxid, leader, leader epoch, controller epoch, ISR
 *     deletions a
 *     config a v0 k=v
 *     broker-configs default:v0,k=v 1:v2
 *     elections absent | nonsense v0 | v0 t:0 u:1          a node below /admin: version, partitions
 *     reassignments absent | nonsense v0 | v0 t:0=1,2
 *     written elections done | written reassignments done 1 | missed | failed
 *     written a 0 done 3 | missed | failed     the outcome of the write under way; -1: of the topic itself
 *     forward 1@100 7 alter 5000 t:0=3,4 t:1   a client's request, number 7, handed on by broker 1; without replicas: cancel
 *     forward 1@100 8 elect 5000 preferred t:0 | elect 5000 unclean | list | list t:0 | 99
 *     ask a 0 3,4 | ask a 0 cancel             somebody wants another assignment
 *     outcome a 0                              what became of that
 *     all-written                              all writes asked for so far are done
 *     reached 1@100 / lost 1@100 / gap 1@100 / log-dir-failed 1 / states-changed a
 *     results 1@100 2 [id7/0=56 ...] | results 1@100 2 error 11    id7/0=56+: the disk was full
 *     results 1@100 2 id7/0:e3,5,120           a log without leader: epoch of the state, of the last batch, log end
 *     wait 6000                                time goes on; a timer that is due fires
 *
 * A `*` after the first word of a reading marks it as the answer to a read that was asked for. # begins a comment.
 */
#ifndef KLAMM_TEST_UNIT_TOOLS_CONTROLLER_CTL_SCRIPT_H
#define KLAMM_TEST_UNIT_TOOLS_CONTROLLER_CTL_SCRIPT_H

#include "tools/controller/ctl_step.h"

#include <stdio.h>

#define CTL_SCRIPT_WRITES 256

struct ctl_script {
	struct ctl ctl;
	struct arena arena;  /* of the line under way */
	int64_t now_ms;
	int64_t timer_ms;
	FILE *out;
	struct {
		uint32_t ticket;
		char topic[64];
		int32_t partition;
		int32_t version; /* that the node has when it is done */
	} writes[CTL_SCRIPT_WRITES];
	int n_writes;
	uint32_t serials[CTL_SCRIPT_WRITES]; /* of the last asking for each partition, whatever its topic */
};

void ctl_script_init(struct ctl_script *script, FILE *out);
void ctl_script_fini(struct ctl_script *script);

/* Runs one line and prints it and its actions. An ill-formed line is printed as "???". */
void ctl_script_line(struct ctl_script *script, const char *line);

/* One action as a line of text. */
void ctl_script_print(FILE *out, const struct ctl *ctl, const struct ctl_action *action);

/* The topic id that scripts call id<n>. */
struct uuid ctl_script_id(int n);

#endif
