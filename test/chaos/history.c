/*
 * Writing of histories; see history.h.
 */
#include "test/chaos/history.h"

#include <assert.h>
#include <time.h>

static_assert(sizeof(struct history_event) == 56, "history.py reads 56 bytes");

int64_t history_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int history_open(struct history *history, const char *path)
{
	history->file = fopen(path, "wb");
	if (!history->file)
		return -1;
	setvbuf(history->file, NULL, _IOFBF, 1 << 20);
	pthread_mutex_init(&history->lock, NULL);
	return 0;
}

void history_add(struct history *history, const struct history_event *event)
{
	struct history_event copy = *event;

	pthread_mutex_lock(&history->lock);
	if (!copy.ns)
		copy.ns = history_now_ns();
	if (history->file)
		fwrite(&copy, sizeof copy, 1, history->file);
	pthread_mutex_unlock(&history->lock);
}

int history_close(struct history *history)
{
	int bad;

	pthread_mutex_lock(&history->lock);
	bad = ferror(history->file);
	bad |= fclose(history->file);
	history->file = NULL;
	pthread_mutex_unlock(&history->lock);
	return bad ? -1 : 0;
}
