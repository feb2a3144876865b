/* What the tests of logs share: a log dir on a file system, batches, and an observer that remembers what it was told. */
#ifndef KLAMM_TEST_UNIT_BROKER_LOG_LOG_FIXTURE_H
#define KLAMM_TEST_UNIT_BROKER_LOG_LOG_FIXTURE_H

#include "broker/log/fd_cache.h"
#include "broker/log/log.h"
#include "broker/log/log_dir.h"
#include "common/buf.h"
#include "proto/record/batch_builder.h"
#include "test/lib/fs_mem.h"
#include "test/lib/unit.h"

#define FIXTURE_PATH "/data/logs"
#define FIXTURE_PID 7

/* The last batch that a producer wrote, as the observer knows it. */
struct seen {
	int64_t last_offset; /* -1 none */
	int32_t n_resets;
	int32_t n_batches;   /* since the reset */
	int64_t next;        /* the least offset that may come next */
	int64_t snapshot;    /* offset of the snapshot loaded since the reset; -1 */
};

struct fixture {
	struct fs_mem *mem; /* NULL on the real file system */
	struct fs *fs;
	struct fd_cache *fds;
	struct log_dir *dir;
	struct log *log;
	struct log_config config;
	struct seen seen;
	struct log_observer observer;
	struct error err;
	const char *path;
	bool durable; /* of the next open: klamm.durability=fsync-isr by default */
	int64_t reserve_bytes; /* of the next open */
	int64_t now_ms;
};

/* On a new file system in memory, nothing opened yet. Small segments. */
void fixture_init(struct fixture *fixture, uint64_t seed);

/* On the real file system. */
void fixture_init_real(struct fixture *fixture, const char *path);

/* Everything is gone. */
void fixture_fini(struct fixture *fixture);

/* Opens the dir, scans, loads t-0 or makes it. An error is left in fixture->err; dir and log are NULL then as far as they failed. */
int fixture_open(struct fixture *fixture);

/* The clean stop. */
int fixture_close(struct fixture *fixture);

/* The process dies (kill -9): memory is freed, nothing is written. */
void fixture_crash(struct fixture *fixture);

void fixture_power_cut(struct fixture *fixture);

/* A batch of n records at base_offset with one time stamp; the caller releases it. */
struct buf *fixture_batch(int64_t base_offset, int32_t epoch, int n_records, int64_t timestamp, size_t value_bytes);

/* The marker of an aborted transaction of FIXTURE_PID. */
struct buf *fixture_abort(int64_t base_offset, int32_t epoch, int64_t timestamp);

/* Appends a batch of n records at the log end. */
int fixture_append(struct fixture *fixture, int32_t epoch, int n_records, int64_t timestamp, size_t value_bytes);

/* A group commit with all its steps. */
int fixture_flush(struct fixture *fixture);

#endif
