/*
 * The clients of a chaos run, by librdkafka.
 *
 *     load run  BOOTSTRAP HISTORY TOPIC:PARTITIONS[,...] [OPTION=VALUE...]   producers and consumers until told to stop
 *     load read BOOTSTRAP HISTORY TOPIC:PARTITIONS[,...] [OPTION=VALUE...]   every partition once, from its start to its end
 *     load group BOOTSTRAP HISTORY TOPIC:PARTITIONS[,...] [OPTION=VALUE...]  a consumer group until told to stop
 *     load committed BOOTSTRAP HISTORY TOPIC:PARTITIONS[,...] [group=NAME]   what is committed, once
 *
 * Options: run producers consumers rate value_bytes_max outstanding_max flush_ms seconds acks; producer.KEY and consumer.KEY are
 * librdkafka's own; of the group: group members static cooperative session_ms rebalance_ms life_ms. `run` says on standard output four times
 * a second what it counted ("acked unknown failed polled owned") and takes two commands on standard input: "stop" ends the producers (answered by
 * "stopped"), "end" ends all; the end of the input too. So does `group`, which counts commits, what its members took, and the partitions that they
 * have; with "stop" its members come and go no more.
 */
#include "test/chaos/load.h"

#include "common/memory.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TELL_MS 250
#define END_MS 15000
#define TEXT_OF(number) TEXT_OF_EXPANDED(number)
#define TEXT_OF_EXPANDED(number) #number

void die(const char *what, const char *why)
{
	fprintf(stderr, "load: %s: %s\n", what, why);
	exit(1);
}

void load_set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
	char text[256];

	if (rd_kafka_conf_set(conf, key, value, text, sizeof text) != RD_KAFKA_CONF_OK)
		die(key, text);
}

void load_set_all(rd_kafka_conf_t *conf, const char *const *settings)
{
	for (; *settings; settings++) {
		char *copy = memory_copy_text(*settings), *equals = strchr(copy, '=');

		*equals = 0;
		load_set(conf, copy, equals + 1);
		free(copy);
	}
}

/* What a client waits for in a time of faults must not be longer than what is measured. */
rd_kafka_conf_t *load_conf(const struct load *load)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	load_set(conf, "bootstrap.servers", load->bootstrap);
	load_set(conf, "socket.timeout.ms", TEXT_OF(LOAD_SOCKET_MS));
	load_set(conf, "socket.connection.setup.timeout.ms", "2000");
	load_set(conf, "reconnect.backoff.ms", "20");
	load_set(conf, "reconnect.backoff.max.ms", "200");
	load_set(conf, "retry.backoff.ms", "20");
	load_set(conf, "topic.metadata.refresh.fast.interval.ms", "50");
	load_set(conf, "topic.metadata.refresh.interval.ms", "5000");
	load_set(conf, "log_level", "2");
	return conf;
}

rd_kafka_t *load_open(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
	char text[256];
	rd_kafka_t *client = rd_kafka_new(type, conf, text, sizeof text);

	if (!client)
		die("client", text);
	return client;
}

void load_open_topics(const struct load *load, rd_kafka_t *client, rd_kafka_topic_t **ret_topics)
{
	for (int i = 0; i < load->n_topics; i++) {
		ret_topics[i] = rd_kafka_topic_new(client, load->topics[i].name, NULL);
		if (!ret_topics[i])
			die(load->topics[i].name, rd_kafka_err2str(rd_kafka_last_error()));
	}
}

void load_close(const struct load *load, rd_kafka_t *client, rd_kafka_topic_t **topics)
{
	for (int i = 0; i < load->n_topics; i++)
		rd_kafka_topic_destroy(topics[i]);
	rd_kafka_destroy(client);
}

int load_topic_of(const struct load *load, const char *name)
{
	for (int i = 0; i < load->n_topics; i++)
		if (strcmp(load->topics[i].name, name) == 0)
			return i;
	return -1;
}

void load_note_record(struct load *load, enum history_kind kind, int index, int topic, const rd_kafka_message_t *message)
{
	struct history_event event = {.kind = (uint8_t)kind,
				      .topic = (uint8_t)topic,
				      .partition = message->partition,
				      .offset = message->offset,
				      .process = (uint16_t)index,
				      .sequence = -1};
	struct value value;

	if (!value_read(message->payload, message->len, &value)) {
		event.flags = HISTORY_CORRUPT;
	} else {
		event.sequence = (int64_t)value.sequence;
		event.random = value.random;
		event.producer = value.producer;
		if (value.run != load->run || value.topic != topic || (int32_t)value.partition != message->partition)
			event.flags = HISTORY_MISROUTED;
	}
	history_add(&load->history, &event);
}

static void parse_topics(struct load *load, char *text)
{
	for (char *word = strtok(text, ","); word; word = strtok(NULL, ",")) {
		char *colon = strrchr(word, ':');
		struct load_topic *topic = &load->topics[load->n_topics++];

		if (load->n_topics > TOPICS_MAX || !colon)
			die(word, "not TOPIC:PARTITIONS, or too many of them");
		*colon = 0;
		topic->name = word;
		topic->n_partitions = atoi(colon + 1);
		if (topic->n_partitions < 1 || topic->n_partitions > PARTITIONS_MAX)
			die(word, "bad number of partitions");
	}
}

static void add_setting(const char **settings, const char *setting)
{
	int n = 0;

	while (settings[n])
		n++;
	if (n == SETTINGS_MAX - 1 || !strchr(setting, '='))
		die(setting, "not KEY=VALUE, or too many of them");
	settings[n] = setting;
}

static void parse_option(struct load *load, int *seconds, char *option)
{
	struct {
		const char *name;
		int *field;
	} numbers[] = {{"producers", &load->n_producers}, {"consumers", &load->n_consumers},
		       {"rate", &load->rate},		  {"value_bytes_max", &load->value_bytes_max},
		       {"flush_ms", &load->flush_ms},	  {"outstanding_max", &load->outstanding_max},
		       {"run", (int *)&load->run},	  {"seconds", seconds},
		       {"members", &load->n_members},	  {"static", &load->n_static},
		       {"cooperative", &load->cooperative}, {"session_ms", &load->session_ms},
		       {"rebalance_ms", &load->rebalance_ms}, {"life_ms", &load->life_ms}};
	char *equals = strchr(option, '=');

	if (strncmp(option, "producer.", 9) == 0) {
		add_setting(load->producer_settings, option + 9);
		return;
	}
	if (strncmp(option, "consumer.", 9) == 0) {
		add_setting(load->consumer_settings, option + 9);
		return;
	}
	if (strncmp(option, "acks=", 5) == 0) {
		load->acks = option + 5;
		return;
	}
	if (strncmp(option, "group=", 6) == 0) {
		load->group = option + 6;
		return;
	}
	for (size_t i = 0; equals && i < ARRAY_LEN(numbers); i++)
		if (strlen(numbers[i].name) == (size_t)(equals - option) && strncmp(option, numbers[i].name, (size_t)(equals - option)) == 0) {
			*numbers[i].field = atoi(equals + 1);
			return;
		}
	die(option, "no such option");
}

static void tell(struct load *load, const char *word)
{
	printf("%s %ld %ld %ld %ld %ld\n", word, atomic_load(&load->n_acked), atomic_load(&load->n_unknown), atomic_load(&load->n_failed),
	       atomic_load(&load->n_polled), atomic_load(&load->n_owned));
	fflush(stdout);
}

/* The next command: 's'top, 'e'nd, or 0 when none came in time. The end of the input is an end. */
static char next_command(void)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	char text[64];
	ssize_t n;

	if (poll(&input, 1, TELL_MS) <= 0)
		return 0;
	n = read(STDIN_FILENO, text, sizeof text);
	return n <= 0 ? 'e' : text[0];
}

static void end_producers(struct load *load, const pthread_t *producers)
{
	if (atomic_exchange(&load->stop_producers, true))
		return;
	for (int i = 0; i < load->n_producers; i++)
		pthread_join(producers[i], NULL);
	tell(load, "stopped");
}

static int run(struct load *load)
{
	pthread_t *producers = memory_zalloc((size_t)load->n_producers + 1, sizeof *producers);
	pthread_t *readers = memory_zalloc((size_t)load->n_consumers + 1, sizeof *readers);
	char command;

	for (int i = 0; i < load->n_consumers; i++)
		readers[i] = consumer_start(load, i);
	readers[load->n_consumers] = asker_start(load);
	for (int i = 0; i < load->n_producers; i++)
		producers[i] = producer_start(load, i);
	while ((command = next_command()) != 'e') {
		if (command == 's')
			end_producers(load, producers);
		tell(load, "counted");
	}
	end_producers(load, producers);
	atomic_store(&load->stop_all, true);
	for (int i = 0; i <= load->n_consumers; i++)
		pthread_join(readers[i], NULL);
	return history_close(&load->history);
}

/* Members that cannot leave in time, since nobody answers them, are left behind. */
static int run_group(struct load *load)
{
	pthread_t *threads = memory_zalloc((size_t)load->n_members + 1, sizeof *threads);
	struct timespec until;
	char command;

	for (int i = 0; i < load->n_members; i++)
		threads[i] = member_start(load, i);
	threads[load->n_members] = witness_start(load);
	while ((command = next_command()) != 'e') {
		if (command == 's')
			atomic_store(&load->stop_producers, true);
		tell(load, command == 's' ? "stopped" : "counted");
	}
	atomic_store(&load->stop_all, true);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += END_MS / 1000;
	for (int i = 0; i <= load->n_members; i++)
		pthread_timedjoin_np(threads[i], NULL, &until);
	free(threads);
	return history_close(&load->history);
}

static int run_mode(struct load *load, const char *mode, int seconds)
{
	bool whole;

	if (strcmp(mode, "run") == 0)
		return run(load);
	if (strcmp(mode, "group") == 0)
		return run_group(load);
	whole = strcmp(mode, "committed") == 0 ? group_read_committed(load) : consumer_read_all(load, seconds);
	return history_close(&load->history) || !whole;
}

int main(int argc, char **argv)
{
	struct load load = {.acks = "all",
			    .n_producers = 4,
			    .n_consumers = 2,
			    .rate = 2000,
			    .value_bytes_max = 300,
			    .outstanding_max = 200,
			    .flush_ms = 30000,
			    .group = "group",
			    .n_members = 3,
			    .session_ms = 6000,
			    .rebalance_ms = 10000,
			    .life_ms = 10000};
	int seconds = 60, status;

	if (argc < 5) {
		fprintf(stderr, "usage: load run|read|group|committed BOOTSTRAP HISTORY TOPIC:PARTITIONS[,...] [OPTION=VALUE...]\n");
		return 2;
	}
	load.bootstrap = argv[2];
	parse_topics(&load, argv[4]);
	for (int i = 5; i < argc; i++)
		parse_option(&load, &seconds, argv[i]);
	if (history_open(&load.history, argv[3]))
		die(argv[3], "cannot be written");
	status = run_mode(&load, argv[1], seconds);
	fflush(NULL);
	/* Clients with full queues take long to close, and have nothing left to say. */
	_exit(status ? 1 : 0);
}
