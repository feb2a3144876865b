/* Incremental fetch sessions; see fetch_session.h. */
#include "broker/replica/fetch_session.h"

#include "common/limits.h"
#include "common/memory.h"
#include "proto/kafka_error.h"

#include <stdlib.h>
#include <uthash.h>

/* An item is found by topic id or name and partition: the bytes of both, one after the other. */
struct item_key {
	size_t len;
	uint8_t bytes[4 + 256];
};

struct session_item {
	struct fetch_item item;
	uint8_t *key;
	UT_hash_handle hh;
};

struct fetch_session {
	int32_t id;
	int32_t epoch; /* that the next request must carry */
	bool by_id;
	int64_t created_ms;
	int64_t used_ms;
	struct session_item *items;
	UT_hash_handle hh;
};

void fetch_sessions_init(struct fetch_sessions *sessions, int n_max, int index, int n_workers, uint32_t seed)
{
	/* Start anywhere in the lower half, so that a client of a former run is not taken for one of ours. */
	int32_t start = (int32_t)(seed % 0x3fffffffu);

	*sessions = (struct fetch_sessions){
		.n_max = n_max,
		.n_items_max = LIMIT_FETCH_SESSION_PARTS / n_workers,
		.next_id = start - start % n_workers + n_workers + index,
		.id_step = n_workers,
	};
}

static void item_free(struct fetch_sessions *sessions, struct fetch_session *session, struct session_item *item)
{
	sessions->n_items--;
	HASH_DEL(session->items, item);
	free(item->key);
	free((void *)(uintptr_t)item->item.want.topic.data);
	free(item);
}

static void session_free(struct fetch_sessions *sessions, struct fetch_session *session)
{
	struct session_item *item, *next;

	HASH_ITER(hh, session->items, item, next)
		item_free(sessions, session, item);
	HASH_DEL(sessions->by_id, session);
	free(session);
}

void fetch_sessions_fini(struct fetch_sessions *sessions)
{
	struct fetch_session *session, *next;

	HASH_ITER(hh, sessions->by_id, session, next)
		session_free(sessions, session);
}

int fetch_sessions_count(const struct fetch_sessions *sessions)
{
	return (int)HASH_COUNT(sessions->by_id);
}

static struct fetch_session *session_find(struct fetch_sessions *sessions, int32_t id)
{
	struct fetch_session *session;

	HASH_FIND(hh, sessions->by_id, &id, sizeof id, session);
	return session;
}

static void make_key(const struct fetch_want *want, bool by_id, struct item_key *ret_key)
{
	size_t len = want->topic.len < 256 ? want->topic.len : 256;

	memcpy(ret_key->bytes, &want->partition, 4);
	if (by_id) {
		memcpy(ret_key->bytes + 4, want->topic_id.bytes, 16);
		len = 16;
	} else if (len) {
		memcpy(ret_key->bytes + 4, want->topic.data, len);
	}
	ret_key->len = 4 + len;
}

static struct session_item *item_find(struct fetch_session *session, const struct fetch_want *want)
{
	struct item_key key;
	struct session_item *item;

	make_key(want, session->by_id, &key);
	HASH_FIND(hh, session->items, key.bytes, (unsigned)key.len, item);
	return item;
}

static void want_update(struct fetch_want *want, const struct fetch_want *from)
{
	struct slice topic = want->topic;

	*want = *from;
	want->topic = topic;
}

static struct session_item *item_put(struct fetch_sessions *sessions, struct fetch_session *session, const struct fetch_want *want)
{
	struct session_item *item = item_find(session, want);
	struct item_key key;
	uint8_t *name = NULL;

	if (item) {
		want_update(&item->item.want, want);
		return item;
	}
	make_key(want, session->by_id, &key);
	sessions->n_items++;
	item = NEW(struct session_item);
	item->key = memory_alloc(key.len);
	memcpy(item->key, key.bytes, key.len);
	if (!slice_is_null(want->topic)) {
		name = memory_alloc(want->topic.len);
		memcpy(name, want->topic.data, want->topic.len);
	}
	item->item.want = *want;
	item->item.want.topic = slice_of(name, name ? want->topic.len : 0);
	item->item.told_high_watermark = -1;
	item->item.told_log_start_offset = -1;
	HASH_ADD_KEYPTR(hh, session->items, item->key, (unsigned)key.len, item);
	return item;
}

/* The epochs of a session run 1, 2, ..., 2^31-1, 1. */
static int32_t epoch_after(int32_t epoch)
{
	return epoch == INT32_MAX ? 1 : epoch + 1;
}

static int16_t begin_incremental(struct fetch_sessions *sessions, int32_t id, int32_t epoch, bool by_id, struct fetch_session **ret_session)
{
	struct fetch_session *session = id == FETCH_SESSION_NONE ? NULL : session_find(sessions, id);

	if (!session)
		return KAFKA_FETCH_SESSION_ID_NOT_FOUND;
	if (session->epoch != epoch)
		return KAFKA_INVALID_FETCH_SESSION_EPOCH;
	if (session->by_id != by_id)
		return KAFKA_FETCH_SESSION_TOPIC_ID_ERROR;
	*ret_session = session;
	return 0;
}

static void session_touch(struct fetch_sessions *sessions, struct fetch_session *session, int64_t now_ms)
{
	/* Deleting and adding again moves it to the end of uthash's order: the head is the least recently used. */
	HASH_DEL(sessions->by_id, session);
	HASH_ADD(hh, sessions->by_id, id, sizeof session->id, session);
	session->used_ms = now_ms;
	session->epoch = epoch_after(session->epoch);
}

static bool is_too_large(const struct fetch_sessions *sessions, const struct fetch_session *session)
{
	return fetch_session_n_items(session) > LIMIT_REQUEST_PARTS || sessions->n_items > sessions->n_items_max;
}

int16_t fetch_session_begin(struct fetch_sessions *sessions, int32_t id, int32_t epoch, bool by_id, const struct fetch_want *wants,
			    int n_wants, const struct fetch_want *forgotten, int n_forgotten, int64_t now_ms,
			    struct fetch_context *ret_context)
{
	struct fetch_session *session = NULL;
	int16_t error;

	if (epoch == FETCH_EPOCH_FULL || epoch == FETCH_EPOCH_CLOSE) {
		if (id != FETCH_SESSION_NONE && (session = session_find(sessions, id)) != NULL)
			session_free(sessions, session);
		*ret_context = (struct fetch_context){.kind = epoch == FETCH_EPOCH_FULL ? FETCH_FULL : FETCH_SESSIONLESS};
		return 0;
	}
	error = begin_incremental(sessions, id, epoch, by_id, &session);
	if (error)
		return error;
	/* Most of what is put only changes what is there: how much it has become is seen afterwards. */
	for (int i = 0; i < n_wants; i++)
		item_put(sessions, session, &wants[i]);
	if (n_wants > 0 && is_too_large(sessions, session)) {
		session_free(sessions, session);
		return KAFKA_FETCH_SESSION_ID_NOT_FOUND;
	}
	for (int i = 0; i < n_forgotten; i++) {
		struct session_item *item = item_find(session, &forgotten[i]);

		if (item)
			item_free(sessions, session, item);
	}
	session_touch(sessions, session, now_ms);
	/* A session without partitions ends here; the answer says so with id 0. */
	if (!session->items) {
		session_free(sessions, session);
		*ret_context = (struct fetch_context){.kind = FETCH_SESSIONLESS};
		return 0;
	}
	*ret_context = (struct fetch_context){FETCH_INCREMENTAL, session, session->id, session->epoch};
	return 0;
}

/* Frees a slot for a session of n items; a session goes when idle for long, or when it is old and smaller. */
static bool make_room(struct fetch_sessions *sessions, int n_items, int64_t now_ms)
{
	struct fetch_session *oldest = sessions->by_id, *session;

	if (fetch_sessions_count(sessions) < sessions->n_max)
		return true;
	if (oldest && now_ms - oldest->used_ms > FETCH_SESSION_EVICTION_MS) {
		session_free(sessions, oldest);
		return true;
	}
	for (session = sessions->by_id; session; session = session->hh.next) {
		if (now_ms - session->created_ms <= FETCH_SESSION_EVICTION_MS || fetch_session_n_items(session) >= n_items)
			continue;
		session_free(sessions, session);
		return true;
	}
	return false;
}

static void item_told(struct fetch_item *item, const struct fetch_told *told)
{
	item->told_high_watermark = told->high_watermark;
	item->told_log_start_offset = told->log_start_offset;
	item->told_error = told->error != 0;
}

int32_t fetch_session_create(struct fetch_sessions *sessions, bool by_id, const struct fetch_want *wants, const struct fetch_told *told,
			     int n_wants, int64_t now_ms)
{
	struct fetch_session *session;

	if (n_wants > sessions->n_items_max - sessions->n_items || !make_room(sessions, n_wants, now_ms))
		return FETCH_SESSION_NONE;
	session = NEW(struct fetch_session);
	session->id = sessions->next_id;
	session->epoch = 1;
	session->by_id = by_id;
	session->created_ms = session->used_ms = now_ms;
	sessions->next_id = sessions->next_id > INT32_MAX - sessions->id_step ? sessions->next_id % sessions->id_step + sessions->id_step
									     : sessions->next_id + sessions->id_step;
	for (int i = 0; i < n_wants; i++)
		item_told(&item_put(sessions, session, &wants[i])->item, &told[i]);
	HASH_ADD(hh, sessions->by_id, id, sizeof session->id, session);
	return session->id;
}

struct fetch_item *fetch_session_next(struct fetch_session *session, struct fetch_item *item)
{
	struct session_item *next = item ? CONTAINER_OF(item, struct session_item, item)->hh.next : session->items;

	return next ? &next->item : NULL;
}

int fetch_session_n_items(const struct fetch_session *session)
{
	return (int)HASH_COUNT(session->items);
}

struct fetch_session *fetch_session_at(struct fetch_sessions *sessions, int32_t id, int32_t epoch)
{
	struct fetch_session *session = session_find(sessions, id);

	return session && session->epoch == epoch ? session : NULL;
}

static void item_to_end(struct fetch_session *session, struct session_item *item)
{
	unsigned len = item->hh.keylen;

	HASH_DEL(session->items, item);
	HASH_ADD_KEYPTR(hh, session->items, item->key, len, item);
}

bool fetch_session_tell(struct fetch_session *session, const struct fetch_want *want, const struct fetch_told *told)
{
	struct session_item *item = item_find(session, want);
	bool tell;

	if (!item)
		return false;
	tell = told->has_records || told->must_tell || told->error || item->item.told_error ||
	       told->high_watermark != item->item.told_high_watermark || told->log_start_offset != item->item.told_log_start_offset;
	item_told(&item->item, told);
	if (told->has_records)
		item_to_end(session, item);
	return tell;
}
