/*
 * A file system in memory with a page cache and a platter, for tests of what happens when calls fail, the process dies or the power goes.
 *
 *     write, truncate -> page cache      datasync, sync_all -> data on the platter
 *     create, rename, unlink -> cache    sync_dir, sync_all -> names on the platter
 *
 *     fs_mem_crash:     the process is gone: handles and locks with it; the page cache stays
 *     fs_mem_power_cut: the platter stays, and of what was not synced any legal part: each folder's changes of names up to some point in
 *                       their order, each 512-byte sector of a file old or new, a length between the old and the new one
 *     a failed sync:    as on ext4 and XFS its pages count as clean: the cache still has them, but no later sync writes them to the platter
 *                       unless they are written to again; fs_mem_evict makes the cache forget them
 *
 * All chance comes from the seed. No globals: any number of file systems side by side. One thread at a time. Handles are numbers
 * from FS_MEM_FD_BASE on, no descriptors.
 */
#ifndef KLAMM_TEST_LIB_FS_MEM_H
#define KLAMM_TEST_LIB_FS_MEM_H

#include "common/fs.h"

#include <stdbool.h>
#include <stdint.h>

#define FS_MEM_FD_BASE (1 << 20)
#define FS_MEM_SECTOR 512
#define FS_MEM_PAGE 4096

struct fs_mem;

enum fs_mem_call {
	FS_MEM_OPEN = 1 << 0,
	FS_MEM_CLOSE = 1 << 1,
	FS_MEM_PREAD = 1 << 2,
	FS_MEM_PWRITE = 1 << 3,
	FS_MEM_DATASYNC = 1 << 4,
	FS_MEM_TRUNCATE = 1 << 5,
	FS_MEM_ALLOCATE = 1 << 6,
	FS_MEM_SYNC_DIR = 1 << 7,
	FS_MEM_SYNC_ALL = 1 << 8,
	FS_MEM_RENAME = 1 << 9,
	FS_MEM_UNLINK = 1 << 10,
	FS_MEM_MKDIR = 1 << 11,
	FS_MEM_RMDIR = 1 << 12,
	FS_MEM_LIST = 1 << 13,
	FS_MEM_STAT = 1 << 14,
	FS_MEM_CREATE = 1 << 15, /* an open that makes a file */
	FS_MEM_RESERVE = 1 << 16,
};

#define FS_MEM_WRITES                                                                                                         \
	(FS_MEM_PWRITE | FS_MEM_TRUNCATE | FS_MEM_ALLOCATE | FS_MEM_RESERVE | FS_MEM_RENAME | FS_MEM_UNLINK | FS_MEM_MKDIR | FS_MEM_RMDIR | \
	 FS_MEM_CREATE)
#define FS_MEM_SYNCS (FS_MEM_DATASYNC | FS_MEM_SYNC_DIR | FS_MEM_SYNC_ALL)
#define FS_MEM_ALL 0x1ffff

/* What goes wrong. */
struct fs_mem_fault {
	unsigned calls;      /* set of enum fs_mem_call */
	const char *path;    /* part of the path; NULL any */
	int64_t skip;        /* so many matching calls pass first */
	int64_t times;       /* then so many are hit; 0 all */
	double probability;  /* of a hit; 0 = certain */
	int error;           /* what the call returns */
	bool short_write;    /* pwrite writes a part first; then with error 0 returns its length, else the next call fails */
};

struct fs_mem *fs_mem_new(uint64_t seed);
void fs_mem_free(struct fs_mem *mem);
struct fs *fs_mem_fs(struct fs_mem *mem);

void fs_mem_add_fault(struct fs_mem *mem, const struct fs_mem_fault *fault);
void fs_mem_clear_faults(struct fs_mem *mem);

/* Bytes that all files may have together; beyond it writes end short, then with ERR_NO_SPACE. INT64_MAX at first. */
void fs_mem_set_capacity(struct fs_mem *mem, int64_t bytes);

/* Calls so far that change something (FS_MEM_WRITES and FS_MEM_SYNCS). */
int64_t fs_mem_n_changes(const struct fs_mem *mem);

/* From the n-th change on (counted as above) every call fails with ERR_IO: the process runs into its end. The n-th is not done, or, if it is
 * a pwrite, done in part. 0: never. */
void fs_mem_stop_at(struct fs_mem *mem, int64_t n);

/* Whether the process has run into its end. */
bool fs_mem_stopped(const struct fs_mem *mem);

/* All handles and locks are gone; calls work again. */
void fs_mem_crash(struct fs_mem *mem);

/* As fs_mem_crash, and what was not synced is lost in part. */
void fs_mem_power_cut(struct fs_mem *mem);

/* The kernel tries to write back what is dirty of a file, or below a folder, and fails: as a failed sync, but nobody has been told. The next sync
 * of the file, or of all, fails for each handle that was open, and for later ones as long as none was told. */
void fs_mem_fail_write_back(struct fs_mem *mem, const char *path);

/* Pages whose write-back failed are read from the platter from now on. */
void fs_mem_evict(struct fs_mem *mem);

/* Bits of a file on the platter and in the cache are flipped: damage. False when there is no such byte. */
bool fs_mem_flip(struct fs_mem *mem, const char *path, int64_t pos, uint8_t bits);

/* Up to where the blocks of a file are taken by fs_reserve and not given back; 0 when there are none or no file. */
int64_t fs_mem_reserved(struct fs_mem *mem, const char *path);

int fs_mem_n_open(const struct fs_mem *mem);

/* The time that files are stamped with. */
void fs_mem_set_now(struct fs_mem *mem, int64_t now_ms);

/* What fs_space tells as the identity of the file system, and the text of /proc/sys/kernel/random/boot_id. power_cut changes the boot id. */
const char *fs_mem_boot_id(const struct fs_mem *mem);

/* A number from the file system's seed, for the test's own chances. */
uint64_t fs_mem_random(struct fs_mem *mem);

#endif
