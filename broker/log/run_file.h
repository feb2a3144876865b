/*
 * `klamm.run` of a log dir: what Kafka's files have no room for. Text, so that an operator can read it, with a checksum at the end:
 *
 *     klamm.run 1
 *     boot <id of the machine's boot>          fs <id of the file system>       directory <id of the dir>
 *     broker_epoch <n>                         state running | clean
 *     owed nothing | unclean | new             what the controller has not taken in yet (D9); not in files of older versions
 *     durability page-cache | fsync-isr        the broker's default since all was synced last, or was struck out by the controller (page-cache:
 *                                              not all the time); not in files of older versions
 *     used <broker epoch> <n>                  the last incarnation that had the dir in use, and how many log dirs it had to do without by then;
 *                                              not in files of older versions
 *     seal <inode> <mtime ms> <size>           the replication checkpoint as we left it (clean only)
 *     marks <n>
 *     <topic> <partition> <offset>             all below is on the platter, batches and index entries (n lines)
 *     crc <CRC-32C of all before, 8 hex digits>
 *
 * (each item on a line of its own). Invariant D11: a log that ends below its mark is damaged, never cut in silence. The seal
 * tells whether another program (Kafka) wrote to the dir since, which makes the marks worthless: it knows nothing of them.
 */
#ifndef KLAMM_BROKER_LOG_RUN_FILE_H
#define KLAMM_BROKER_LOG_RUN_FILE_H

#include "broker/log/checkpoint.h"
#include "common/fs.h"
#include "common/uuid.h"

#define RUN_FILE "klamm.run"
#define RUN_BOOT_ID_LEN 36

struct run_seal {
	uint64_t inode;
	int64_t mtime_ms;
	int64_t size;
};

/*
 * A file of its own that exists once a sync has failed: what the page cache holds may never have reached the device (D10), and the kernel
 * may forget it, so that the end of this process is no mere crash of it. It is not synced: it matters as long as the page cache
 * lives, and klamm.run is not touched on a device that fails.
 */
#define RUN_FAILED_FILE "klamm.failed"

enum run_state { RUN_RUNNING, RUN_CLEAN };

/*
 * A dir that lost what was not synced, or that is new, says so with each registration until the controller has struck its replicas from what
 * they were in: not only with the first, since the broker may die before anybody has read that.
 */
enum run_owed { RUN_OWES_NOTHING, RUN_OWES_UNCLEAN, RUN_OWES_NEW };

/*
 * When the dir was last in use. A partition that lies in two log dirs has been made in one of them while the other was away: the greater use tells
 * which (broker/copies_core.h).
 */
struct run_use {
	int64_t broker_epoch; /* -1 unknown: no version that writes it down has had the dir in use */
	int32_t n_away;
};

struct run_file {
	char boot_id[RUN_BOOT_ID_LEN + 1]; /* "" unknown */
	uint64_t fs_id;
	struct uuid directory_id;
	int64_t broker_epoch; /* -1 unknown */
	enum run_state state;
	enum run_owed owed;
	bool durable; /* fsync-isr */
	struct run_use used;
	struct run_seal seal;
};

/* ERR_CORRUPT for anything that is not whole; marks told before are then to be dropped. */
int run_file_parse(struct slice text, struct run_file *ret_run, checkpoint_fn *each_mark, void *ctx);

/* ERR_NOT_FOUND without a file. */
int run_file_read(struct fs *fs, const char *path, struct run_file *ret_run, checkpoint_fn *each_mark, void *ctx);

/* marks: the text of n_marks lines. Synced. */
int run_file_write(struct fs *fs, const char *path, const struct run_file *run, const struct text_out *marks, int32_t n_marks);

/* /proc/sys/kernel/random/boot_id; "" where there is none. */
void run_file_boot_id(struct fs *fs, char ret_boot_id[RUN_BOOT_ID_LEN + 1]);

#endif
