/* A file system in memory; see fs_mem.h. Nodes are counted by the names and handles that hold them, in the cache and on the platter. */
#include "test/lib/fs_mem.h"

#include "common/check.h"
#include "common/error.h"
#include "common/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAULTS_MAX 32
#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"

struct node;

struct entry {
	char *name;
	struct node *node;
};

/* The names of a folder. */
struct names {
	struct entry *entries;
	int n, cap;
};

/* A change of names that is not on the platter: name now stands for node (NULL: for nothing). */
struct name_change {
	char *name;
	struct node *node;
	bool with_next; /* both parts of a rename reach the platter, or none */
};

struct bytes {
	uint8_t *data;
	int64_t size, cap;
};

/* A failed write-back and whether a sync has told it; a handle that is opened before anybody was told is told, too (Linux's errseq_t). */
struct write_error {
	unsigned n;
	bool told;
};

struct node {
	int refs;
	bool is_dir;
	uint64_t inode;
	int64_t mtime_ms;
	struct bytes now, platter; /* of a file */
	int64_t reserved;          /* its blocks are taken up to here, as far as that is behind the end; capacity does not count them */
	int64_t dirty_from;        /* bytes from here on may differ from the platter; INT64_MAX none */
	struct bytes lost;         /* for each page whether its write-back has failed: it counts as clean, but the platter has other bytes */
	int64_t n_lost;
	struct write_error error;
	struct names names, platter_names; /* of a folder */
	struct name_change *changes;
	int n_changes, changes_cap;
	struct node *next, *prev; /* all nodes of the file system */
};

struct handle {
	struct node *node; /* NULL free */
	bool locked, writable;
	char *path;
	unsigned told, told_all; /* errors of the file, and of the file system, that this handle need not be told */
};

struct active_fault {
	struct fs_mem_fault fault;
	char *path;
	bool fail_next; /* after a short write */
};

struct fs_mem {
	struct fs fs;
	struct node *root;
	struct node nodes; /* ring */
	struct handle *handles;
	int n_handles;
	struct active_fault faults[FAULTS_MAX];
	int n_faults;
	uint64_t random;
	uint64_t next_inode;
	int64_t capacity, used;
	int64_t n_changes, stop_at;
	int64_t now_ms;
	bool stopped;
	struct write_error error;
	char boot_id[40];
};

uint64_t fs_mem_random(struct fs_mem *mem)
{
	uint64_t z = (mem->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static int64_t below(struct fs_mem *mem, int64_t n)
{
	return n <= 0 ? 0 : (int64_t)(fs_mem_random(mem) % (uint64_t)n);
}

static struct fs_mem *self(struct fs *fs)
{
	return CONTAINER_OF(fs, struct fs_mem, fs);
}

/* ---- nodes and names ---- */

static struct node *node_new(struct fs_mem *mem, bool is_dir)
{
	struct node *node = NEW(struct node);

	node->is_dir = is_dir;
	node->inode = ++mem->next_inode;
	node->mtime_ms = mem->now_ms;
	node->dirty_from = INT64_MAX;
	node->next = mem->nodes.next;
	node->prev = &mem->nodes;
	node->next->prev = node;
	mem->nodes.next = node;
	return node;
}

static void node_release(struct fs_mem *mem, struct node *node);

static void names_fini(struct fs_mem *mem, struct names *names)
{
	for (int i = 0; i < names->n; i++) {
		free(names->entries[i].name);
		node_release(mem, names->entries[i].node);
	}
	free(names->entries);
	*names = (struct names){0};
}

static void forget_changes(struct fs_mem *mem, struct node *dir, int n)
{
	for (int i = 0; i < n; i++) {
		free(dir->changes[i].name);
		node_release(mem, dir->changes[i].node);
	}
	dir->n_changes = 0;
}

static void node_release(struct fs_mem *mem, struct node *node)
{
	if (!node || --node->refs > 0)
		return;
	mem->used -= node->now.size;
	names_fini(mem, &node->names);
	names_fini(mem, &node->platter_names);
	forget_changes(mem, node, node->n_changes);
	free(node->changes);
	free(node->now.data);
	free(node->platter.data);
	free(node->lost.data);
	node->prev->next = node->next;
	node->next->prev = node->prev;
	free(node);
}

static struct entry *names_find(struct names *names, const char *name, size_t len)
{
	for (int i = 0; i < names->n; i++) {
		if (strncmp(names->entries[i].name, name, len) == 0 && names->entries[i].name[len] == 0)
			return &names->entries[i];
	}
	return NULL;
}

/* name stands for node from now on; NULL takes it out. */
static void names_put(struct fs_mem *mem, struct names *names, const char *name, struct node *node)
{
	struct entry *entry = names_find(names, name, strlen(name));
	struct node *old = entry ? entry->node : NULL;

	if (node)
		node->refs++;
	if (entry && node) {
		entry->node = node;
	} else if (entry) {
		free(entry->name);
		*entry = names->entries[--names->n];
	} else if (node) {
		if (names->n == names->cap) {
			names->cap = names->cap ? names->cap * 2 : 4;
			names->entries = memory_grow(names->entries, (size_t)names->cap * sizeof *names->entries);
		}
		names->entries[names->n++] = (struct entry){memory_copy_text(name), node};
	}
	node_release(mem, old);
}

/* A change in the cache that the platter does not know yet. */
static void change_name(struct fs_mem *mem, struct node *dir, const char *name, struct node *node)
{
	if (dir->n_changes == dir->changes_cap) {
		dir->changes_cap = dir->changes_cap ? dir->changes_cap * 2 : 8;
		dir->changes = memory_grow(dir->changes, (size_t)dir->changes_cap * sizeof *dir->changes);
	}
	if (node)
		node->refs++;
	dir->changes[dir->n_changes++] = (struct name_change){memory_copy_text(name), node, false};
	names_put(mem, &dir->names, name, node);
	dir->mtime_ms = mem->now_ms;
}

/* The folder that a path lies in, with the last part of the path. */
static struct node *find_parent(struct fs_mem *mem, const char *path, const char **ret_name)
{
	struct node *dir = mem->root;

	for (;;) {
		const char *slash;
		struct entry *entry;

		while (*path == '/')
			path++;
		slash = strchr(path, '/');
		if (!slash) {
			*ret_name = path;
			return dir;
		}
		entry = names_find(&dir->names, path, (size_t)(slash - path));
		if (!entry || !entry->node->is_dir)
			return NULL;
		dir = entry->node;
		path = slash;
	}
}

static struct node *find_node(struct fs_mem *mem, const char *path)
{
	const char *name;
	struct node *dir = find_parent(mem, path, &name);
	struct entry *entry;

	if (!dir || *name == 0 || strcmp(name, ".") == 0)
		return dir;
	entry = names_find(&dir->names, name, strlen(name));
	return entry ? entry->node : NULL;
}

/* ---- bytes ---- */

static void bytes_resize(struct bytes *bytes, int64_t size)
{
	if (size > bytes->cap) {
		int64_t cap = bytes->cap ? bytes->cap : 256;

		while (cap < size)
			cap *= 2;
		bytes->data = memory_grow(bytes->data, (size_t)cap);
		bytes->cap = cap;
	}
	if (size > bytes->size)
		memset(bytes->data + bytes->size, 0, (size_t)(size - bytes->size));
	bytes->size = size;
}

static bool is_lost(const struct node *node, int64_t page)
{
	return page < node->lost.size && node->lost.data[page];
}

/* A page that is written to is dirty as a whole, also what of it was lost. */
static void find_again(struct node *node, int64_t page)
{
	if (!is_lost(node, page))
		return;
	node->lost.data[page] = false;
	node->n_lost--;
	if (page * FS_MEM_PAGE < node->dirty_from)
		node->dirty_from = page * FS_MEM_PAGE;
}

static void resize_file(struct fs_mem *mem, struct node *node, int64_t size)
{
	int64_t from = size < node->now.size ? size : node->now.size;

	for (int64_t page = (size + FS_MEM_PAGE - 1) / FS_MEM_PAGE; page < node->lost.size; page++)
		find_again(node, page);
	mem->used += size - node->now.size;
	bytes_resize(&node->now, size);
	if (from < node->dirty_from)
		node->dirty_from = from;
	node->mtime_ms = mem->now_ms;
}

/* The write-back of what is dirty has failed: it counts as clean from now on (as on ext4 and XFS) and can still be read, for a time. */
static void lose_dirty(struct node *node)
{
	int64_t n_pages = (node->now.size + FS_MEM_PAGE - 1) / FS_MEM_PAGE;

	if (node->dirty_from == INT64_MAX)
		return;
	if (node->lost.size < n_pages)
		bytes_resize(&node->lost, n_pages);
	for (int64_t page = node->dirty_from / FS_MEM_PAGE; page < n_pages; page++) {
		node->n_lost += !node->lost.data[page];
		node->lost.data[page] = true;
	}
	/* That it has become shorter is in the journal. */
	node->dirty_from = node->now.size < node->platter.size ? node->now.size : INT64_MAX;
}

/* The byte that a position of the platter has; 0 beyond its end. */
static uint8_t platter_byte(const struct node *node, int64_t pos)
{
	return pos < node->platter.size ? node->platter.data[pos] : 0;
}

static void sync_file(struct node *node)
{
	int64_t from = node->dirty_from, end;

	if (from == INT64_MAX)
		return;
	if (from > node->platter.size)
		from = node->platter.size;
	if (from > node->now.size)
		from = node->now.size;
	bytes_resize(&node->platter, node->now.size);
	for (int64_t pos = from; pos < node->now.size; pos = end) {
		int64_t page = pos / FS_MEM_PAGE;

		end = node->n_lost == 0 || (page + 1) * FS_MEM_PAGE > node->now.size ? node->now.size : (page + 1) * FS_MEM_PAGE;
		if (!is_lost(node, page))
			memcpy(node->platter.data + pos, node->now.data + pos, (size_t)(end - pos));
	}
	node->dirty_from = INT64_MAX;
}

/* What a handle that is opened now need not be told. */
static unsigned told_by_now(const struct write_error *error)
{
	return error->n > 0 && !error->told ? error->n - 1 : error->n;
}

/* Tells a handle of an error that it has not been told. */
static int tell(struct write_error *error, unsigned *told)
{
	if (*told == error->n)
		return 0;
	*told = error->n;
	error->told = true;
	return ERR_IO;
}

static void sync_names(struct fs_mem *mem, struct node *dir, int n)
{
	for (int i = 0; i < n; i++)
		names_put(mem, &dir->platter_names, dir->changes[i].name, dir->changes[i].node);
	forget_changes(mem, dir, dir->n_changes);
}

/* ---- faults ---- */

static bool fault_hits(struct fs_mem *mem, struct active_fault *active, unsigned call, const char *path)
{
	struct fs_mem_fault *fault = &active->fault;

	if (!(fault->calls & call) || (active->path && !strstr(path, active->path)))
		return false;
	if (active->fail_next)
		return true;
	if (fault->skip > 0) {
		fault->skip--;
		return false;
	}
	if (fault->times < 0)
		return false;
	if (fault->probability > 0 && (double)(fs_mem_random(mem) >> 11) * 0x1p-53 >= fault->probability)
		return false;
	if (fault->times > 0 && --fault->times == 0)
		fault->times = -1;
	return true;
}

/* Whether the call may go on; *ret_short: only a part of it is done. */
static int enter(struct fs_mem *mem, unsigned call, const char *path, bool *ret_short)
{
	*ret_short = false;
	if (mem->stopped)
		return ERR_IO;
	if (call & (FS_MEM_WRITES | FS_MEM_SYNCS)) {
		mem->n_changes++;
		if (mem->stop_at > 0 && mem->n_changes >= mem->stop_at) {
			mem->stopped = true;
			*ret_short = call == FS_MEM_PWRITE;
			return *ret_short ? 0 : ERR_IO;
		}
	}
	for (int i = 0; i < mem->n_faults; i++) {
		struct active_fault *active = &mem->faults[i];

		if (!fault_hits(mem, active, call, path))
			continue;
		if (active->fault.short_write && !active->fail_next && call == FS_MEM_PWRITE) {
			active->fail_next = active->fault.error < 0;
			*ret_short = true;
			return 0;
		}
		active->fail_next = false;
		if (active->fault.error < 0)
			return active->fault.error;
	}
	return 0;
}

static int enter_whole(struct fs_mem *mem, unsigned call, const char *path)
{
	bool is_short;

	return enter(mem, call, path, &is_short);
}

static struct handle *handle_of(struct fs_mem *mem, int fd)
{
	int i = fd - FS_MEM_FD_BASE;

	CHECK(i >= 0 && i < mem->n_handles && mem->handles[i].node);
	return &mem->handles[i];
}

/* ---- calls on paths ---- */

static int add_handle(struct fs_mem *mem, struct node *node, const char *path, bool writable)
{
	int i = 0;

	while (i < mem->n_handles && mem->handles[i].node)
		i++;
	if (i == mem->n_handles) {
		mem->handles = memory_grow(mem->handles, (size_t)++mem->n_handles * sizeof *mem->handles);
	}
	node->refs++;
	mem->handles[i] = (struct handle){.node = node,
					  .path = memory_copy_text(path),
					  .writable = writable,
					  .told = told_by_now(&node->error),
					  .told_all = told_by_now(&mem->error)};
	return FS_MEM_FD_BASE + i;
}

static int make_file(struct fs_mem *mem, const char *path, struct node **ret_node)
{
	const char *name;
	struct node *dir = find_parent(mem, path, &name);
	int rc;

	if (!dir)
		return ERR_NOT_FOUND;
	rc = enter_whole(mem, FS_MEM_CREATE, path);
	if (rc < 0)
		return rc;
	*ret_node = node_new(mem, false);
	change_name(mem, dir, name, *ret_node);
	return 0;
}

static int mem_open(struct fs *fs, const char *path, unsigned flags, int *ret_fd)
{
	struct fs_mem *mem = self(fs);
	struct node *node;
	int rc = enter_whole(mem, FS_MEM_OPEN, path);

	if (rc < 0)
		return rc;
	node = find_node(mem, path);
	if (node && (flags & FS_CREATE) && (flags & FS_EXCLUSIVE))
		return ERR_EXISTS;
	if (!node && !(flags & FS_CREATE))
		return ERR_NOT_FOUND;
	if (!node) {
		rc = make_file(mem, path, &node);
		if (rc < 0)
			return rc;
	}
	if (node->is_dir)
		return ERR_INVALID;
	if ((flags & FS_TRUNCATE) && node->now.size > 0)
		resize_file(mem, node, 0);
	*ret_fd = add_handle(mem, node, path, (flags & FS_WRITE) != 0);
	return 0;
}

static int mem_open_dir(struct fs *fs, const char *path, int *ret_fd)
{
	struct fs_mem *mem = self(fs);
	struct node *node = find_node(mem, path);

	if (mem->stopped)
		return ERR_IO;
	if (!node || !node->is_dir)
		return ERR_NOT_FOUND;
	*ret_fd = add_handle(mem, node, path, false);
	return 0;
}

static int mem_rename(struct fs *fs, const char *from, const char *to)
{
	struct fs_mem *mem = self(fs);
	const char *from_name, *to_name;
	struct node *from_dir, *to_dir, *node = find_node(mem, from);
	int rc = enter_whole(mem, FS_MEM_RENAME, from);

	if (rc < 0)
		return rc;
	from_dir = find_parent(mem, from, &from_name);
	to_dir = find_parent(mem, to, &to_name);
	if (!node || !to_dir)
		return ERR_NOT_FOUND;
	node->refs++;
	change_name(mem, to_dir, to_name, node);
	/* Between folders the two parts may come apart; the house never does that. */
	to_dir->changes[to_dir->n_changes - 1].with_next = to_dir == from_dir;
	change_name(mem, from_dir, from_name, NULL);
	node_release(mem, node);
	return 0;
}

static int remove_name(struct fs_mem *mem, const char *path, bool is_dir)
{
	const char *name;
	struct node *dir, *node = find_node(mem, path);

	if (!node)
		return ERR_NOT_FOUND;
	if (node->is_dir != is_dir)
		return ERR_INVALID;
	if (node->names.n > 0)
		return ERR_NOT_EMPTY;
	dir = find_parent(mem, path, &name);
	change_name(mem, dir, name, NULL);
	return 0;
}

static int mem_unlink(struct fs *fs, const char *path)
{
	int rc = enter_whole(self(fs), FS_MEM_UNLINK, path);

	return rc < 0 ? rc : remove_name(self(fs), path, false);
}

static int mem_rmdir(struct fs *fs, const char *path)
{
	int rc = enter_whole(self(fs), FS_MEM_RMDIR, path);

	return rc < 0 ? rc : remove_name(self(fs), path, true);
}

static int mem_mkdir(struct fs *fs, const char *path)
{
	struct fs_mem *mem = self(fs);
	const char *name;
	struct node *dir;
	int rc = enter_whole(mem, FS_MEM_MKDIR, path);

	if (rc < 0)
		return rc;
	if (find_node(mem, path))
		return ERR_EXISTS;
	dir = find_parent(mem, path, &name);
	if (!dir)
		return ERR_NOT_FOUND;
	change_name(mem, dir, name, node_new(mem, true));
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int mem_list(struct fs *fs, const char *path, fs_entry_fn *each, void *ctx)
{
	struct fs_mem *mem = self(fs);
	struct node *dir = find_node(mem, path);
	char **names;
	int n, rc = enter_whole(mem, FS_MEM_LIST, path);

	if (rc < 0)
		return rc;
	if (!dir || !dir->is_dir)
		return ERR_NOT_FOUND;
	n = dir->names.n;
	names = memory_zalloc((size_t)n + 1, sizeof(char *));
	for (int i = 0; i < n; i++)
		names[i] = memory_copy_text(dir->names.entries[i].name);
	qsort(names, (size_t)n, sizeof(char *), compare_names);
	for (int i = 0; i < n; i++) {
		struct entry *entry = names_find(&dir->names, names[i], strlen(names[i]));

		if (rc == 0 && entry)
			rc = each(ctx, names[i], entry->node->is_dir);
		free(names[i]);
	}
	free(names);
	return rc;
}

static void fill_stat(const struct node *node, struct fs_stat *ret_stat)
{
	*ret_stat = (struct fs_stat){.size = node->now.size, .mtime_ms = node->mtime_ms, .inode = node->inode, .is_dir = node->is_dir};
}

static int mem_stat(struct fs *fs, const char *path, struct fs_stat *ret_stat)
{
	struct fs_mem *mem = self(fs);
	struct node *node = find_node(mem, path);
	int rc = enter_whole(mem, FS_MEM_STAT, path);

	if (rc < 0)
		return rc;
	if (!node)
		return ERR_NOT_FOUND;
	fill_stat(node, ret_stat);
	return 0;
}

static int mem_space(struct fs *fs, const char *path, struct fs_space *ret_space)
{
	struct fs_mem *mem = self(fs);

	(void)path;
	*ret_space = (struct fs_space){mem->capacity - mem->used, mem->capacity, 1};
	return 0;
}

static int mem_sync_dir(struct fs *fs, const char *path)
{
	struct fs_mem *mem = self(fs);
	struct node *dir = find_node(mem, path);
	int rc = enter_whole(mem, FS_MEM_SYNC_DIR, path);

	if (rc < 0)
		return rc;
	if (!dir)
		return ERR_NOT_FOUND;
	sync_names(mem, dir, dir->n_changes);
	return 0;
}

/* ---- calls on handles ---- */

static int mem_close(struct fs *fs, int fd)
{
	struct fs_mem *mem = self(fs);
	struct handle *handle = handle_of(mem, fd);
	int rc = enter_whole(mem, FS_MEM_CLOSE, handle->path);

	/* Dropping any handle of a file drops the process's locks on it. */
	for (int i = 0; i < mem->n_handles; i++) {
		if (mem->handles[i].node == handle->node)
			mem->handles[i].locked = false;
	}
	node_release(mem, handle->node);
	free(handle->path);
	*handle = (struct handle){0};
	return rc;
}

static int64_t mem_pread(struct fs *fs, int fd, void *data, size_t len, int64_t pos)
{
	struct fs_mem *mem = self(fs);
	struct handle *handle = handle_of(mem, fd);
	int64_t n = handle->node->now.size - pos;
	int rc = enter_whole(mem, FS_MEM_PREAD, handle->path);

	if (rc < 0)
		return rc;
	if (n <= 0)
		return 0;
	if ((size_t)n > len)
		n = (int64_t)len;
	memcpy(data, handle->node->now.data + pos, (size_t)n);
	return n;
}

static int64_t mem_pwrite(struct fs *fs, int fd, const void *data, size_t len, int64_t pos)
{
	struct fs_mem *mem = self(fs);
	struct handle *handle = handle_of(mem, fd);
	struct node *node = handle->node;
	bool is_short;
	int64_t end;
	int rc = enter(mem, FS_MEM_PWRITE, handle->path, &is_short);

	if (rc < 0)
		return rc;
	CHECK(handle->writable);
	if (is_short)
		len = (size_t)below(mem, (int64_t)len);
	end = pos + (int64_t)len;
	if (end > node->now.size && mem->used + end - node->now.size > mem->capacity) {
		len = mem->capacity - mem->used + node->now.size > pos ? (size_t)(mem->capacity - mem->used + node->now.size - pos) : 0;
		end = pos + (int64_t)len;
		if (len == 0)
			return ERR_NO_SPACE;
	}
	if (end > node->now.size)
		resize_file(mem, node, end);
	if (len > 0)
		memcpy(node->now.data + pos, data, len);
	for (int64_t page = pos / FS_MEM_PAGE; node->n_lost > 0 && page * FS_MEM_PAGE < end; page++)
		find_again(node, page);
	if (pos < node->dirty_from)
		node->dirty_from = pos;
	node->mtime_ms = mem->now_ms;
	return mem->stopped ? ERR_IO : (int64_t)len;
}

static int mem_datasync(struct fs *fs, int fd)
{
	struct fs_mem *mem = self(fs);
	struct handle *handle = handle_of(mem, fd);
	int rc = enter_whole(mem, FS_MEM_DATASYNC, handle->path);

	/* A process at its end is not a device that fails. */
	if (mem->stopped)
		return rc;
	if (rc < 0) {
		lose_dirty(handle->node);
		return rc;
	}
	sync_file(handle->node);
	return tell(&handle->node->error, &handle->told);
}

/* What is written out is not on the platter for sure. */
static int mem_write_out(struct fs *fs, int fd, int64_t pos, int64_t len, bool wait)
{
	struct fs_mem *mem = self(fs);
	struct handle *handle = handle_of(mem, fd);
	int rc = enter_whole(mem, FS_MEM_DATASYNC, handle->path);

	(void)pos;
	(void)len;
	(void)wait;
	if (rc < 0 && !mem->stopped)
		lose_dirty(handle->node);
	return rc;
}

static int mem_truncate(struct fs *fs, int fd, int64_t size)
{
	struct fs_mem *mem = self(fs);
	struct handle *handle = handle_of(mem, fd);
	int rc = enter_whole(mem, FS_MEM_TRUNCATE, handle->path);

	if (rc == 0)
		handle->node->reserved = 0;
	if (rc == 0)
		resize_file(mem, handle->node, size);
	return rc;
}

static int mem_allocate(struct fs *fs, int fd, int64_t size)
{
	struct fs_mem *mem = self(fs);
	struct handle *handle = handle_of(mem, fd);
	int rc = enter_whole(mem, FS_MEM_ALLOCATE, handle->path);

	if (rc == 0 && size - handle->node->now.size > mem->capacity - mem->used)
		rc = ERR_NO_SPACE;
	if (rc == 0 && size > handle->node->now.size)
		resize_file(mem, handle->node, size);
	return rc;
}

static int mem_reserve(struct fs *fs, int fd, int64_t pos, int64_t len)
{
	struct fs_mem *mem = self(fs);
	struct handle *handle = handle_of(mem, fd);
	int rc = enter_whole(mem, FS_MEM_RESERVE, handle->path);

	if (rc == 0 && pos + len - handle->node->now.size > mem->capacity - mem->used)
		rc = ERR_NO_SPACE;
	if (rc == 0)
		handle->node->reserved = pos + len;
	return rc;
}

static int mem_fd_stat(struct fs *fs, int fd, struct fs_stat *ret_stat)
{
	struct fs_mem *mem = self(fs);
	struct handle *handle = handle_of(mem, fd);
	int rc = enter_whole(mem, FS_MEM_STAT, handle->path);

	if (rc == 0)
		fill_stat(handle->node, ret_stat);
	return rc;
}

static int mem_load(struct fs *fs, int fd, int64_t pos, int64_t len)
{
	(void)fs;
	(void)fd;
	(void)pos;
	(void)len;
	return 0;
}

static int mem_lock(struct fs *fs, int fd)
{
	struct fs_mem *mem = self(fs);
	struct handle *handle = handle_of(mem, fd);

	for (int i = 0; i < mem->n_handles; i++) {
		if (mem->handles[i].node == handle->node && mem->handles[i].locked)
			return ERR_BUSY;
	}
	handle->locked = true;
	return 0;
}

/* Two folders may stand for two mounts: what is lost lies below the one whose sync has failed. */
static void fail_below(struct node *node)
{
	if (!node->is_dir)
		lose_dirty(node);
	for (int i = 0; node->is_dir && i < node->names.n; i++)
		fail_below(node->names.entries[i].node);
}

static int mem_sync_all(struct fs *fs, int fd)
{
	struct fs_mem *mem = self(fs);
	struct handle *handle = handle_of(mem, fd);
	int rc = enter_whole(mem, FS_MEM_SYNC_ALL, handle->path);

	if (mem->stopped)
		return rc;
	if (rc < 0)
		fail_below(handle->node);
	for (struct node *node = mem->nodes.next; rc == 0 && node != &mem->nodes; node = node->next) {
		if (node->is_dir)
			sync_names(mem, node, node->n_changes);
		else
			sync_file(node);
	}
	return rc < 0 ? rc : tell(&mem->error, &handle->told_all);
}

/* ---- the end of a process, the end of power ---- */

void fs_mem_crash(struct fs_mem *mem)
{
	for (int i = 0; i < mem->n_handles; i++) {
		if (!mem->handles[i].node)
			continue;
		node_release(mem, mem->handles[i].node);
		free(mem->handles[i].path);
	}
	mem->n_handles = 0;
	mem->stopped = false;
	mem->stop_at = 0;
	fs_mem_clear_faults(mem);
}

static int64_t surviving_size(struct fs_mem *mem, const struct node *node)
{
	int64_t old = node->platter.size, now = node->now.size;

	switch (below(mem, 4)) {
	case 0:
		return old;
	case 1:
		return now;
	case 2: /* grown to a sector's end */
		return now > old ? old + below(mem, (now - old) / FS_MEM_SECTOR + 1) * FS_MEM_SECTOR : now;
	default:
		return now > old ? old + below(mem, now - old + 1) : now + below(mem, old - now + 1);
	}
}

static void lose_data(struct fs_mem *mem, struct node *node)
{
	int64_t size, from = node->dirty_from;
	int64_t share = below(mem, 3); /* nothing, about half, all of the sectors survive */
	struct bytes survived = {0};

	if (from == INT64_MAX && node->n_lost == 0)
		return;
	size = from == INT64_MAX ? node->platter.size : surviving_size(mem, node);
	bytes_resize(&survived, size);
	for (int64_t pos = 0; pos < size; pos += FS_MEM_SECTOR) {
		int64_t end = pos + FS_MEM_SECTOR < size ? pos + FS_MEM_SECTOR : size;
		bool is_new = share == 2 || (share == 1 && below(mem, 2));

		/* A sector of which nothing changed is the same either way. */
		is_new = (is_new || end <= from) && !is_lost(node, pos / FS_MEM_PAGE);
		for (int64_t at = pos; at < end; at++)
			survived.data[at] = !is_new ? platter_byte(node, at) : at < node->now.size ? node->now.data[at] : 0;
	}
	mem->used += size - node->now.size;
	free(node->now.data);
	node->now = survived;
	node->dirty_from = node->n_lost = node->lost.size = 0;
	sync_file(node);
}

static void lose_names(struct fs_mem *mem, struct node *dir)
{
	int n_changes = dir->n_changes, n = (int)below(mem, n_changes + 1);

	if (n_changes == 0)
		return;
	if (below(mem, 3) == 0)
		n = n_changes;
	if (n > 0 && dir->changes[n - 1].with_next)
		n++;
	sync_names(mem, dir, n);
	names_fini(mem, &dir->names);
	for (int i = 0; i < dir->platter_names.n; i++)
		names_put(mem, &dir->names, dir->platter_names.entries[i].name, dir->platter_names.entries[i].node);
}

static void new_boot_id(struct fs_mem *mem)
{
	uint64_t a = fs_mem_random(mem), b = fs_mem_random(mem);

	snprintf(mem->boot_id, sizeof mem->boot_id, "%08x-%04x-%04x-%04x-%04x%08x", (unsigned)(a >> 32), (unsigned)(a >> 16) & 0xffff,
		 (unsigned)a & 0xffff, (unsigned)(b >> 48), (unsigned)(b >> 32) & 0xffff, (unsigned)b);
}

void fs_mem_power_cut(struct fs_mem *mem)
{
	const char *path = BOOT_ID_PATH;
	struct node *node, *next;

	fs_mem_crash(mem);
	for (node = mem->nodes.next; node != &mem->nodes; node = node->next) {
		/* Losing names may free nodes; each is held while it is looked at. */
		node->refs++;
		if (node->is_dir)
			lose_names(mem, node);
		else
			lose_data(mem, node);
	}
	for (node = mem->nodes.next; node != &mem->nodes; node = next) {
		next = node->next;
		/* What follows may go with this one: begin again then. */
		if (node->refs == 1) {
			node_release(mem, node);
			next = mem->nodes.next;
			continue;
		}
	}
	for (node = mem->nodes.next; node != &mem->nodes; node = node->next)
		node->refs--;
	new_boot_id(mem);
	node = find_node(mem, path);
	memcpy(node->now.data, mem->boot_id, strlen(mem->boot_id));
	node->dirty_from = 0;
	sync_file(node);
}

/* Whether there was something to write back. */
static bool fail_write_back(struct node *node)
{
	bool lost = false;

	for (int i = 0; node->is_dir && i < node->names.n; i++)
		lost |= fail_write_back(node->names.entries[i].node);
	if (node->is_dir || node->dirty_from == INT64_MAX)
		return lost;
	lose_dirty(node);
	node->error = (struct write_error){node->error.n + 1, false};
	return true;
}

void fs_mem_fail_write_back(struct fs_mem *mem, const char *path)
{
	struct node *node = find_node(mem, path);

	CHECK(node);
	if (fail_write_back(node))
		mem->error = (struct write_error){mem->error.n + 1, false};
}

void fs_mem_evict(struct fs_mem *mem)
{
	for (struct node *node = mem->nodes.next; node != &mem->nodes; node = node->next) {
		for (int64_t pos = 0; node->n_lost > 0 && pos < node->now.size; pos++)
			if (is_lost(node, pos / FS_MEM_PAGE))
				node->now.data[pos] = platter_byte(node, pos);
		node->n_lost = node->lost.size = 0;
	}
}

bool fs_mem_flip(struct fs_mem *mem, const char *path, int64_t pos, uint8_t bits)
{
	struct node *node = find_node(mem, path);

	if (!node || pos >= node->now.size)
		return false;
	node->now.data[pos] ^= bits;
	if (pos < node->platter.size)
		node->platter.data[pos] ^= bits;
	return true;
}

int64_t fs_mem_reserved(struct fs_mem *mem, const char *path)
{
	struct node *node = find_node(mem, path);

	return node ? node->reserved : 0;
}

/* ---- set-up ---- */

static void make_boot_id(struct fs_mem *mem)
{
	struct fs *fs = &mem->fs;
	int fd;

	new_boot_id(mem);
	CHECK(fs_make_path(fs, "/proc/sys/kernel/random") == 0);
	CHECK(fs_open(fs, BOOT_ID_PATH, FS_WRITE | FS_CREATE, &fd) == 0);
	CHECK(fs_write_all(fs, fd, mem->boot_id, strlen(mem->boot_id), 0) == 0);
	CHECK(fs_sync_all(fs, fd) == 0);
	fs_close(fs, fd);
	mem->n_changes = 0;
}

struct fs_mem *fs_mem_new(uint64_t seed)
{
	struct fs_mem *mem = NEW(struct fs_mem);

	mem->fs = (struct fs){
		.open = mem_open,
		.close = mem_close,
		.pread = mem_pread,
		.pwrite = mem_pwrite,
		.datasync = mem_datasync,
		.write_out = mem_write_out,
		.truncate = mem_truncate,
		.allocate = mem_allocate,
		.reserve = mem_reserve,
		.fd_stat = mem_fd_stat,
		.load = mem_load,
		.lock = mem_lock,
		.sync_dir = mem_sync_dir,
		.sync_all = mem_sync_all,
		.rename = mem_rename,
		.unlink = mem_unlink,
		.mkdir = mem_mkdir,
		.rmdir = mem_rmdir,
		.open_dir = mem_open_dir,
		.list = mem_list,
		.stat = mem_stat,
		.space = mem_space,
	};
	mem->random = seed;
	mem->capacity = INT64_MAX;
	mem->now_ms = 1700000000000;
	mem->nodes.next = mem->nodes.prev = &mem->nodes;
	mem->root = node_new(mem, true);
	mem->root->refs = 1;
	make_boot_id(mem);
	return mem;
}

void fs_mem_free(struct fs_mem *mem)
{
	fs_mem_crash(mem);
	node_release(mem, mem->root);
	CHECK(mem->nodes.next == &mem->nodes);
	free(mem->handles);
	free(mem);
}

struct fs *fs_mem_fs(struct fs_mem *mem)
{
	return &mem->fs;
}

void fs_mem_add_fault(struct fs_mem *mem, const struct fs_mem_fault *fault)
{
	struct active_fault *active = &mem->faults[mem->n_faults];

	CHECK(mem->n_faults < FAULTS_MAX);
	*active = (struct active_fault){.fault = *fault, .path = fault->path ? memory_copy_text(fault->path) : NULL};
	mem->n_faults++;
}

void fs_mem_clear_faults(struct fs_mem *mem)
{
	for (int i = 0; i < mem->n_faults; i++)
		free(mem->faults[i].path);
	mem->n_faults = 0;
}

void fs_mem_set_capacity(struct fs_mem *mem, int64_t bytes)
{
	mem->capacity = bytes;
}

int64_t fs_mem_n_changes(const struct fs_mem *mem)
{
	return mem->n_changes;
}

void fs_mem_stop_at(struct fs_mem *mem, int64_t n)
{
	mem->stop_at = n;
}

bool fs_mem_stopped(const struct fs_mem *mem)
{
	return mem->stopped;
}

int fs_mem_n_open(const struct fs_mem *mem)
{
	int n = 0;

	for (int i = 0; i < mem->n_handles; i++)
		n += mem->handles[i].node != NULL;
	return n;
}

void fs_mem_set_now(struct fs_mem *mem, int64_t now_ms)
{
	mem->now_ms = now_ms;
}

const char *fs_mem_boot_id(const struct fs_mem *mem)
{
	return mem->boot_id;
}
