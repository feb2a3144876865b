/*
 * One-shot watches; see session.h and session_internal.h.
 *
 * To the library all watches of a session look alike (one function, one context): it searches its lists linearly for each
 * session event, which with a context for each of thousands of watches takes seconds. Who wants to hear of which path is
 * therefore kept here.
 *
 *     zk_watch --owns--> slot --armed--> watched_path (hash by path): slots for data, slots for children
 *                         ^-- each call under way that will arm it holds a reference too
 */
#include "zk/session_internal.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

struct zk_watch_slot {
	int refs;
	struct zk_watch *watch;             /* NULL = cancelled */
	struct watched_path *path;          /* NULL = not armed */
	struct zk_watch_slot *next, **link; /* in a list, when link is not NULL */
	bool children;
};

struct watched_path {
	UT_hash_handle hh;
	struct zk_session *session;
	struct zk_watch_slot *slots[2]; /* data, children */
	char path[];
};

void watch_slot_release(struct zk_watch_slot *slot)
{
	if (slot && --slot->refs == 0)
		free(slot);
}

struct zk_watch_slot *watch_slot_take(struct zk_watch *watch)
{
	if (!watch)
		return NULL;
	if (!watch->slot) {
		watch->slot = NEW(struct zk_watch_slot);
		watch->slot->watch = watch;
		watch->slot->refs = 1;
	}
	watch->slot->refs++;
	return watch->slot;
}

static void slot_link(struct zk_watch_slot *slot, struct zk_watch_slot **list)
{
	slot->next = *list;
	slot->link = list;
	if (slot->next)
		slot->next->link = &slot->next;
	*list = slot;
}

static void slot_unlink(struct zk_watch_slot *slot)
{
	*slot->link = slot->next;
	if (slot->next)
		slot->next->link = slot->link;
	slot->link = NULL;
}

static void path_drop_empty(struct watched_path *path)
{
	struct zk_session *session = path->session;

	if (path->slots[0] || path->slots[1])
		return;
	session->watched_bytes -= strlen(path->path) + 4;
	HASH_DEL(session->watched, path);
	free(path);
}

/* Out of whatever list it is in; the reference of the list goes. */
static void slot_disarm(struct zk_watch_slot *slot)
{
	struct watched_path *path = slot->path;

	if (!slot->link)
		return;
	slot_unlink(slot);
	slot->path = NULL;
	if (path)
		path_drop_empty(path);
	watch_slot_release(slot);
}

void zk_watch_cancel(struct zk_watch *watch)
{
	struct zk_watch_slot *slot = watch->slot;

	if (!slot)
		return;
	watch->slot = NULL;
	slot->watch = NULL;
	slot_disarm(slot);
	watch_slot_release(slot);
}

static struct watched_path *path_find(struct zk_session *session, const char *text)
{
	struct watched_path *path;

	HASH_FIND(hh, session->watched, text, strlen(text), path);
	return path;
}

static struct watched_path *path_make(struct zk_session *session, const char *text)
{
	struct watched_path *path = path_find(session, text);
	size_t len = strlen(text);

	if (path)
		return path;
	path = memory_zalloc(1, sizeof *path + len + 1);
	path->session = session;
	memcpy(path->path, text, len + 1);
	session->watched_bytes += len + 4;
	HASH_ADD(hh, session->watched, path, (unsigned)len, path);
	return path;
}

void watch_arm(struct zk_session *session, struct zk_watch_slot *slot, const char *text, bool children)
{
	struct watched_path *path;

	if (!slot->watch)
		return;
	path = path_make(session, text);
	if (slot->path == path && slot->children == children)
		return;
	slot->refs++;
	slot_disarm(slot);
	slot->path = path;
	slot->children = children;
	slot_link(slot, &path->slots[children]);
}

/* Takes the slots out of the table into a list of their own: their owners may arm them again while others are being told. */
static void slots_take(struct watched_path *path, bool children, struct zk_watch_slot **list)
{
	while (path->slots[children]) {
		struct zk_watch_slot *slot = path->slots[children];

		slot_unlink(slot);
		slot->path = NULL;
		slot_link(slot, list);
	}
}

static void slots_tell(struct zk_watch_slot **list, bool fire, enum zk_event event)
{
	while (*list) {
		struct zk_watch_slot *slot = *list;
		struct zk_watch *watch = slot->watch;

		slot_disarm(slot);
		if (fire && watch)
			watch->fired(watch, event);
	}
}

static enum zk_event event_of(int type)
{
	if (type == ZOO_CREATED_EVENT)
		return ZK_EVENT_CREATED;
	if (type == ZOO_DELETED_EVENT)
		return ZK_EVENT_DELETED;
	return type == ZOO_CHILD_EVENT ? ZK_EVENT_CHILDREN : ZK_EVENT_CHANGED;
}

void watch_on_event(struct zk_session *session, int type, const char *text)
{
	struct watched_path *path = path_find(session, text);
	struct zk_watch_slot *list = NULL;

	if (!path)
		return;
	if (type != ZOO_CHILD_EVENT)
		slots_take(path, false, &list);
	if (type == ZOO_CHILD_EVENT || type == ZOO_DELETED_EVENT)
		slots_take(path, true, &list);
	path_drop_empty(path);
	slots_tell(&list, true, event_of(type));
}

void watch_drop_all(struct zk_session *session, bool fire)
{
	struct zk_watch_slot *data = NULL;
	struct zk_watch_slot *children = NULL;

	while (session->watched) {
		struct watched_path *path = session->watched;

		slots_take(path, false, &data);
		slots_take(path, true, &children);
		path_drop_empty(path);
	}
	slots_tell(&data, fire, ZK_EVENT_CHANGED);
	slots_tell(&children, fire, ZK_EVENT_CHILDREN);
}
