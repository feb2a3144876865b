/*
 * A consumer group: members that read the topics, commit synchronously what they have processed, and come and go; and one that stays outside and asks
 * again and again what is committed. Everything that the coordinator says is an event of the history.
 *
 *     member --- poll, commit ---+--> history
 *     witness --- committed? ----+
 *
 * A member's life ends by leaving or (every second one) without a word, as when its machine goes; then its next life begins. A static member keeps
 * its instance id over its lives. Cooperative members keep their client, which librdkafka 2.0 must not be asked to destroy between its becoming the
 * leader and its sharing out (it ends with a failed assertion then): they unsubscribe, or stand still until the library leaves for them.
 */
#include "test/chaos/load.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_MS 50
#define COMMIT_EVERY_NS INT64_C(200000000)
/*
 * What a cooperative member commits while librdkafka 2.0 waits for its JoinGroup is sent behind that, comes back as of an old generation, and makes
 * the library give up everything and join again: members that commit more often than they join can push each other out for ever.
 */
#define COOPERATIVE_COMMIT_EVERY_NS INT64_C(2500000000)
#define ASK_MS 3000
#define ASK_PAUSE_MS 300
/* Process numbers of those that are no members. */
#define WITNESS 100
#define FRESH 101

struct member {
	struct load *load;
	int index, n_owned;
	rd_kafka_t *client;
	uint64_t n_commits, random;
	int64_t life_ends_ns, committed_ns;
	/* The next offset of partitions that are assigned, else -1; and what of it was acknowledged. */
	int64_t next[TOPICS_MAX][PARTITIONS_MAX], acked[TOPICS_MAX][PARTITIONS_MAX];
};

/*
 * The generation that commits carry now, or -1. The library tells it only within the bytes of its group metadata: a name of 7 bytes, then an int32.
 */
static int32_t generation_of(rd_kafka_t *client)
{
	rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata(client);
	int32_t generation = -1;
	void *bytes = NULL;
	size_t len = 0;

	if (!metadata)
		return -1;
	if (rd_kafka_consumer_group_metadata_write(metadata, &bytes, &len) || len < 11 || memcmp(bytes, "CGMDv2:", 7) != 0)
		die("group metadata", "written in another way than by librdkafka 1.6 to 2.x");
	memcpy(&generation, (const char *)bytes + 7, sizeof generation);
	rd_kafka_mem_free(NULL, bytes);
	rd_kafka_consumer_group_metadata_destroy(metadata);
	return generation;
}

static struct history_event event_of(const struct load *load, enum history_kind kind, int process, const rd_kafka_topic_partition_t *partition)
{
	return (struct history_event){.kind = (uint8_t)kind,
				      .topic = (uint8_t)load_topic_of(load, partition->topic),
				      .partition = partition->partition,
				      .offset = partition->offset,
				      .process = (uint16_t)process,
				      .error = partition->err};
}

/* What is committed for these, asked by `process`: into the list, and into the history. False when it was not told. */
static bool fetch_committed(struct load *load, rd_kafka_t *client, int process, rd_kafka_topic_partition_list_t *list)
{
	int64_t begin_ns = history_now_ns();
	rd_kafka_resp_err_t error = rd_kafka_committed(client, list, ASK_MS);
	bool whole = !error;

	for (int i = 0; i < list->cnt; i++) {
		struct history_event event = event_of(load, HISTORY_FETCHED, process, &list->elems[i]);

		event.begin_ns = begin_ns;
		event.error = error ? error : event.error;
		event.offset = event.error || event.offset < 0 ? -1 : event.offset;
		history_add(&load->history, &event);
		whole &= !event.error;
	}
	return whole;
}

/* ---- Commits ---- */

/* Refusals after which nothing was written, when they came at once: else the library may have asked twice, and the first time counted. */
static bool is_refusal(rd_kafka_resp_err_t error)
{
	return error == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION || error == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
	       error == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
}

static enum history_kind outcome(struct load *load, rd_kafka_resp_err_t error, int64_t took_ns)
{
	if (!error) {
		atomic_fetch_add(&load->n_acked, 1);
		return HISTORY_COMMIT_OK;
	}
	if (is_refusal(error) && took_ns < LOAD_SOCKET_MS * INT64_C(1000000)) {
		atomic_fetch_add(&load->n_failed, 1);
		return HISTORY_COMMIT_FAIL;
	}
	atomic_fetch_add(&load->n_unknown, 1);
	return HISTORY_COMMIT_INFO;
}

/* Commits the list and tells of it; `next` of what was acknowledged is noted. */
static void commit(struct member *member, rd_kafka_topic_partition_list_t *list)
{
	int32_t before = generation_of(member->client), after;
	int64_t begin_ns = history_now_ns(), ns;
	uint64_t number = (uint64_t)(member->index + 1) << 40 | member->n_commits++;
	rd_kafka_resp_err_t error;

	for (int i = 0; i < list->cnt; i++) {
		struct history_event event = event_of(member->load, HISTORY_COMMIT, member->index, &list->elems[i]);

		event.ns = event.begin_ns = begin_ns;
		event.sequence = before;
		event.random = number;
		history_add(&member->load->history, &event);
	}
	error = rd_kafka_commit(member->client, list, 0);
	ns = history_now_ns();
	after = generation_of(member->client);
	for (int i = 0; i < list->cnt; i++) {
		struct history_event event = event_of(member->load, HISTORY_COMMIT, member->index, &list->elems[i]);

		event.error = error && !event.error ? error : event.error;
		event.ns = ns;
		event.begin_ns = begin_ns;
		event.sequence = before == after ? before : -1;
		event.random = number;
		event.kind = (uint8_t)outcome(member->load, event.error, ns - begin_ns);
		history_add(&member->load->history, &event);
		if (!event.error)
			member->acked[event.topic][event.partition] = event.offset;
	}
}

/* Of one partition, or of all that are assigned, what is not yet committed. */
static void add_due(struct member *member, rd_kafka_topic_partition_list_t *list, int topic, int32_t partition)
{
	int64_t next = member->next[topic][partition];

	if (next >= 0 && next != member->acked[topic][partition])
		rd_kafka_topic_partition_list_add(list, member->load->topics[topic].name, partition)->offset = next;
}

static void commit_due(struct member *member)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS_MAX);

	for (int t = 0; t < member->load->n_topics; t++)
		for (int p = 0; p < member->load->topics[t].n_partitions; p++)
			add_due(member, list, t, p);
	if (list->cnt > 0)
		commit(member, list);
	rd_kafka_topic_partition_list_destroy(list);
	member->committed_ns = history_now_ns();
}

/* ---- Assignments ---- */

static bool is_cooperative(rd_kafka_t *client)
{
	return strcmp(rd_kafka_rebalance_protocol(client), "COOPERATIVE") == 0;
}

static void note_partitions(struct member *member, enum history_kind kind, const rd_kafka_topic_partition_list_t *list)
{
	int32_t generation = generation_of(member->client);

	for (int i = 0; i < list->cnt; i++) {
		struct history_event event = event_of(member->load, kind, member->index, &list->elems[i]);

		event.sequence = generation;
		history_add(&member->load->history, &event);
	}
}

static void count_owned(struct member *member, int n_more)
{
	member->n_owned += n_more;
	atomic_fetch_add(&member->load->n_owned, n_more);
}

/* The member begins where it was told that the group is; when it was not told, the library asks for it. */
static void take_partitions(struct member *member, rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_topic_partition_list_t *from = rd_kafka_topic_partition_list_copy(list);

	note_partitions(member, HISTORY_ASSIGNED, list);
	count_owned(member, list->cnt);
	if (list->cnt > 0 && fetch_committed(member->load, member->client, member->index, from))
		for (int i = 0; i < from->cnt; i++)
			list->elems[i].offset = from->elems[i].offset >= 0 ? from->elems[i].offset : RD_KAFKA_OFFSET_BEGINNING;
	rd_kafka_topic_partition_list_destroy(from);
	if (is_cooperative(member->client))
		rd_kafka_error_destroy(rd_kafka_incremental_assign(member->client, list));
	else
		rd_kafka_assign(member->client, list);
}

static void give_partitions(struct member *member, rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_topic_partition_list_t *due = rd_kafka_topic_partition_list_new(PARTITIONS_MAX);

	for (int i = 0; i < list->cnt; i++)
		add_due(member, due, load_topic_of(member->load, list->elems[i].topic), list->elems[i].partition);
	if (due->cnt > 0 && !rd_kafka_assignment_lost(member->client))
		commit(member, due);
	rd_kafka_topic_partition_list_destroy(due);
	note_partitions(member, HISTORY_REVOKED, list);
	count_owned(member, -list->cnt);
	for (int i = 0; i < list->cnt; i++)
		member->next[load_topic_of(member->load, list->elems[i].topic)][list->elems[i].partition] = -1;
	if (is_cooperative(member->client))
		rd_kafka_error_destroy(rd_kafka_incremental_unassign(member->client, list));
	else
		rd_kafka_assign(member->client, NULL);
}

static void on_rebalance(rd_kafka_t *client, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t *list, void *opaque)
{
	if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
		take_partitions(opaque, list);
	else if (error == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS)
		give_partitions(opaque, list);
	else
		rd_kafka_assign(client, NULL);
}

/* ---- Lives ---- */

static rd_kafka_conf_t *group_conf(const struct load *load)
{
	rd_kafka_conf_t *conf = load_conf(load);
	char number[16];

	load_set(conf, "group.id", load->group);
	load_set(conf, "enable.auto.commit", "false");
	load_set(conf, "enable.auto.offset.store", "false");
	load_set(conf, "auto.offset.reset", "earliest");
	load_set(conf, "heartbeat.interval.ms", "500");
	load_set(conf, "coordinator.query.interval.ms", "1000");
	load_set(conf, "fetch.wait.max.ms", "200");
	load_set(conf, "fetch.error.backoff.ms", "50");
	snprintf(number, sizeof number, "%d", load->session_ms);
	load_set(conf, "session.timeout.ms", number);
	snprintf(number, sizeof number, "%d", load->rebalance_ms);
	load_set(conf, "max.poll.interval.ms", number);
	return conf;
}

static void subscribe(struct member *member)
{
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(TOPICS_MAX);

	for (int i = 0; i < member->load->n_topics; i++)
		rd_kafka_topic_partition_list_add(topics, member->load->topics[i].name, RD_KAFKA_PARTITION_UA);
	if (rd_kafka_subscribe(member->client, topics))
		die("subscribe", "is refused");
	rd_kafka_topic_partition_list_destroy(topics);
}

static uint64_t next_random(struct member *member)
{
	member->random = member->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return member->random >> 33;
}

static void set_life(struct member *member)
{
	int64_t life_ms = member->load->life_ms;

	member->life_ends_ns = history_now_ns() + (life_ms / 2 + (int64_t)(next_random(member) % (uint64_t)life_ms)) * INT64_C(1000000);
}

static void begin_life(struct member *member)
{
	const struct load *load = member->load;
	rd_kafka_conf_t *conf = group_conf(load);
	char instance[32];

	snprintf(instance, sizeof instance, "static-%d", member->index);
	if (member->index < load->n_static)
		load_set(conf, "group.instance.id", instance);
	load_set(conf, "partition.assignment.strategy", load->cooperative ? "cooperative-sticky" : "range,roundrobin");
	rd_kafka_conf_set_opaque(conf, member);
	rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
	member->client = load_open(RD_KAFKA_CONSUMER, conf);
	rd_kafka_poll_set_consumer(member->client);
	memset(member->next, 0xff, sizeof member->next);
	memset(member->acked, 0xff, sizeof member->acked);
	subscribe(member);
	set_life(member);
}

static void end_life(struct member *member, bool politely)
{
	if (politely)
		rd_kafka_consumer_close(member->client);
	rd_kafka_destroy_flags(member->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	count_owned(member, -member->n_owned);
}

static void take(struct member *member, const rd_kafka_message_t *message)
{
	int topic = load_topic_of(member->load, rd_kafka_topic_name(message->rkt));

	load_note_record(member->load, HISTORY_TAKEN, member->index, topic, message);
	member->next[topic][message->partition] = message->offset + 1;
	atomic_fetch_add(&member->load->n_polled, 1);
}

static void poll_once(struct member *member)
{
	rd_kafka_message_t *message = rd_kafka_consumer_poll(member->client, POLL_MS);

	if (message && !message->err)
		take(member, message);
	if (message)
		rd_kafka_message_destroy(message);
	if (history_now_ns() - member->committed_ns > (member->load->cooperative ? COOPERATIVE_COMMIT_EVERY_NS : COMMIT_EVERY_NS))
		commit_due(member);
}

/* The library gives a static member up when it is told that another one has its name. */
static bool is_given_up(const struct member *member)
{
	return rd_kafka_fatal_error(member->client, NULL, 0) != 0;
}

static void note_given_up(struct member *member)
{
	char text[256];
	rd_kafka_resp_err_t error = rd_kafka_fatal_error(member->client, text, sizeof text);

	fprintf(stderr, "load: member %d is given up: %s\n", member->index, text);
	history_add(&member->load->history,
		    &(struct history_event){.kind = HISTORY_MEMBER_FATAL, .process = (uint16_t)member->index, .error = error});
}

static bool is_over(struct member *member)
{
	return history_now_ns() >= member->life_ends_ns && !atomic_load(&member->load->stop_producers);
}

/* Until the library has left the group for a member that does not poll. */
static void stand_still(struct member *member)
{
	int64_t until_ns = history_now_ns() + (member->load->rebalance_ms + 1000) * INT64_C(1000000);
	struct timespec pause = {0, POLL_MS * 1000000};

	while (history_now_ns() < until_ns && !atomic_load(&member->load->stop_producers) && !atomic_load(&member->load->stop_all))
		nanosleep(&pause, NULL);
}

static void leave_and_come(struct member *member)
{
	rd_kafka_unsubscribe(member->client);
	while (member->n_owned > 0 && !atomic_load(&member->load->stop_all))
		poll_once(member);
	subscribe(member);
}

static void renew(struct member *member)
{
	bool politely = next_random(member) % 2;

	if (is_given_up(member))
		note_given_up(member);
	if (!member->load->cooperative || is_given_up(member)) {
		end_life(member, politely);
		begin_life(member);
		return;
	}
	if (politely)
		leave_and_come(member);
	else
		stand_still(member);
	set_life(member);
}

static void *member_main(void *arg)
{
	struct member *member = arg;
	struct load *load = member->load;

	begin_life(member);
	while (!atomic_load(&load->stop_all)) {
		poll_once(member);
		if (is_given_up(member) || is_over(member))
			renew(member);
	}
	rd_kafka_consumer_close(member->client);
	return NULL;
}

pthread_t member_start(struct load *load, int index)
{
	struct member *member = NEW(struct member);
	pthread_t thread;

	member->load = load;
	member->index = index;
	member->random = (uint64_t)load->run * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)index + 1;
	if (pthread_create(&thread, NULL, member_main, member))
		die("a thread", "cannot be made");
	return thread;
}

/* ---- Those that only ask ---- */

static rd_kafka_topic_partition_list_t *all_partitions(const struct load *load)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS_MAX);

	for (int t = 0; t < load->n_topics; t++)
		rd_kafka_topic_partition_list_add_range(list, load->topics[t].name, 0, load->topics[t].n_partitions - 1);
	return list;
}

static bool ask_all(struct load *load, rd_kafka_t *client, int process)
{
	rd_kafka_topic_partition_list_t *list = all_partitions(load);
	bool whole = fetch_committed(load, client, process, list);

	rd_kafka_topic_partition_list_destroy(list);
	return whole;
}

static void *witness_main(void *arg)
{
	struct load *load = arg;
	rd_kafka_t *client = load_open(RD_KAFKA_CONSUMER, group_conf(load));
	struct timespec pause = {0, ASK_PAUSE_MS * 1000000};

	while (!atomic_load(&load->stop_all)) {
		ask_all(load, client, WITNESS);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

pthread_t witness_start(struct load *load)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, witness_main, load))
		die("a thread", "cannot be made");
	return thread;
}

bool group_read_committed(struct load *load)
{
	rd_kafka_t *client = load_open(RD_KAFKA_CONSUMER, group_conf(load));

	for (int tries = 0; tries < 10; tries++)
		if (ask_all(load, client, FRESH))
			return true;
	return false;
}
